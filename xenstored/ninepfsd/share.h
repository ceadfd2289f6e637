/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One directory that is shared with one domain, and how much of it the domain may fill.
 *
 * Files are named by paths relative to the directory, and each use of a path is resolved anew by
 * the kernel, beneath the directory, without symbolic links and without crossing into another file
 * system. So whatever happens to directories in between, nothing outside is ever reached. Only
 * regular files and directories exist for the guest.
 */
#ifndef XENSTORED_NINEPFSD_SHARE_H
#define XENSTORED_NINEPFSD_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "ninepfsd/oldest.h"

/* Longest path of a file, relative to the directory, and its components; others do not exist. */
#define SHARE_PATH_MAX	1024U
#define SHARE_NAME_MAX	255U
#define SHARE_DEPTH_MAX 16U

/*
 * 0 means no limit, except for max_open, where it means SHARE_OPEN_DEFAULT, and for max_files
 * beside a limit of space: one file for each SHARE_FILE_SPACE bytes then, since names and inodes
 * take space as well.
 */
struct share_limits {
	uint64_t max_space; /* bytes: the sum of the files' lengths */
	uint64_t max_files; /* files and directories */
	unsigned int max_open;
	bool auto_delete; /* remove the oldest files rather than refuse */
};

#define SHARE_FILE_SPACE   4096U
#define SHARE_OPEN_DEFAULT 5U
#define SHARE_OPEN_MAX	   1024U
_Static_assert(OLDEST_MAX >= 2 * SHARE_OPEN_MAX, "all of the oldest files may be open");

/* What the domain has open, each file once: it takes its space whatever is removed. */
struct share_held {
	uint64_t space;	  /* bytes of all of them */
	uint64_t unnamed; /* of these, bytes of files that have no name any more */
	uint64_t files;	  /* number of those that have one */
};

struct share {
	int root;
	dev_t device; /* the root's: others are not entered */
	struct share_limits limits;
	uint64_t space, files; /* used */
	uint64_t fixed;	       /* of these files, those that are never removed automatically */
	int64_t counted;       /* when that was counted, milliseconds; -1: never */
	int64_t rest;	       /* milliseconds after that in which it is not counted again */
	uint64_t looked;       /* entries of directories that were looked at to count, ever */
	uint64_t asked;	       /* requests for more, since it was counted */
	struct oldest oldest;  /* files when it was counted */
	/* Whether the domain has the file open, which is then not deleted automatically. */
	bool (*is_open)(void *context, const struct stat *file);
	/* What it has open altogether. */
	void (*held)(void *context, struct share_held *held);
	void *context;
};

/** Make the directory if need be (mode 0700, parents 0755) and open it. 0 or -errno. */
int share_init(struct share *share, const char *directory, const struct share_limits *limits);
void share_deinit(struct share *share);

/** Whether @name, of @length bytes, can be the name of a file in a directory. */
bool share_name_ok(const char *name, size_t length);

/**
 * Find a file. Returns a descriptor of it that can be used for nothing but fstat() and
 * share_reopen() (O_PATH), and fills @stat; or -errno: -ENOENT, -ELOOP (a link on the way), -EXDEV,
 * -EACCES (neither file nor directory).
 */
int share_find(const struct share *share, const char *path, struct stat *stat);

/** Open what share_find() found with @flags. A descriptor or -errno. */
int share_reopen(int found, int flags);

/** Create a file, which must not exist, and open it with @flags. A descriptor or -errno. */
int share_create(struct share *share, const char *directory, const char *name, int flags,
		 unsigned int mode);

/** Create a directory and open it for reading. A descriptor or -errno. */
int share_mkdir(struct share *share, const char *directory, const char *name, unsigned int mode);

/** Remove a file or an empty directory if it is still the one @expected describes. 0 or -errno. */
int share_remove(struct share *share, const char *path, const struct stat *expected);

/**
 * The permissions that a file or directory gets when the domain asks for @mode: nothing for others,
 * no writing for the group; and a directory that its owner can look into, so that everything in it
 * can be counted.
 */
mode_t share_mode(unsigned int mode, bool directory);

/** A file without a name that was open has been closed: @space bytes are free. */
void share_freed(struct share *share, uint64_t space);

/** Write to an open file, at @offset or at the end. Bytes written, or -errno; -ENOSPC: quota. */
ssize_t share_write(struct share *share, int fd, const void *bytes, size_t length, uint64_t offset,
		    bool at_end);

/** Set the length of an open file. 0 or -errno. */
int share_truncate(struct share *share, int fd, uint64_t length);

/* ---- usage.c ---- */

/** Make sure that @space bytes and @files files more are allowed. 0 or -ENOSPC. */
int share_reserve(struct share *share, uint64_t space, uint64_t files);

#endif
