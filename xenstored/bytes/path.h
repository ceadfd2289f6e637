/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paths: from what a client sent to a canonical absolute path.
 *
 * A path is kept as bytes with a length and a terminating NUL. A relative one
 * is completed with the home of the sender before any limit is applied, so
 * that what can be written can be read back (spec: protocol.md section 4, and
 * the security history about limits applied too early).
 */
#ifndef XENSTORED_BYTES_PATH_H
#define XENSTORED_BYTES_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* The longest path: a full payload below the longest home, and a NUL. */
#define PATH_SIZE 4128u

struct path {
	size_t len;	      /* without the NUL */
	size_t prefix;	      /* bytes that were put in front of a relative path, else 0 */
	char text[PATH_SIZE]; /* absolute, or a special "@..." name */
};

/**
 * Make an absolute path of @arg.
 * @path: filled in on success
 * @arg, @len: what the client sent, without its NUL
 * @domid: whose home is put in front of a relative path
 * @special: whether "@name" is allowed here
 * @max: limit in bytes for the length below /local/domain/<domid>/, 0 = none
 *
 * Returns 0 or EINVAL.
 */
int path_make(struct path *path, const char *arg, size_t len, unsigned int domid, bool special,
	      size_t max);

/** True when @name can be the last component of a path. */
bool path_name_is_legal(const char *name, size_t len);

/** Length of the parent's path of @path (of @len bytes); "/" and "@name" give 1 ("/") or the "@"
 * parent. */
size_t path_parent_len(const char *path, size_t len);

/** True when @path names the root. */
static inline bool path_is_root(const char *path, size_t len)
{
	return len == 1 && path[0] == '/';
}

/**
 * The next component of a path.
 * @rest: in: where to go on (start with the path itself); out: behind the component
 * @end: one past the path's last byte
 * @len: length of the component found
 *
 * Returns the component's first byte, or NULL at the end. A special name's
 * first component includes its '@'.
 */
const char *path_next(const char **rest, const char *end, size_t *len);

/**
 * The first component, with which path_next() goes on: "/" itself is the first component of a tree
 * path, as in a store whose nameless root has the children "/" and the "@name"s.
 */
const char *path_first(const char *path, const char **rest, const char *end, size_t *len);

/** True when @a is @b or an ancestor of it; "/" is an ancestor of all "/..." only. */
bool path_covers(const char *a, size_t alen, const char *b, size_t blen);

/** Number of bytes that the length limit looks at: @path without a leading home prefix. */
size_t path_limited_len(const char *path, size_t len);

#endif
