/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watches, found by path.
 *
 * The watched paths form a tree of their own, with a keyed hash table for the
 * step from a node and a name to the next node:
 *
 *      (root) - "/" - "local" - "domain" - "5" - "data"   <- watches of /local/domain/5/data
 *             \ "@releaseDomain"                          <- watches of the special node
 *
 * Whoever watches a path stands on the way from the root to it, so an event
 * costs the depth that the watched paths share with its own, plus the matches.
 * Events of a removal come from the part of this index that lies below the
 * removed path, never from walking the removed nodes.
 */
#ifndef XENSTORED_STATE_WATCH_H
#define XENSTORED_STATE_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "bytes/hash.h"
#include "bytes/path.h"

struct client;
struct watch_node;

#define WATCH_NO_DEPTH (-1)

/* How an event matches watches (spec: protocol.md section 10). */
enum watch_kind { WATCH_SUBTREE, WATCH_EXACT, WATCH_NODEPTH, WATCH_DEPTH };

struct watch {
	struct hash_link link;	      /* by client, path and token */
	TAILQ_ENTRY(watch) of_client; /* in order of registration */
	TAILQ_ENTRY(watch) of_node;   /* likewise */
	struct client *client;
	struct watch_node *node;
	uint64_t sequence; /* order of registration over all */
	uint64_t client_id;
	int32_t depth;	 /* levels below the path, or WATCH_NO_DEPTH */
	uint32_t prefix; /* bytes of the path that were put in front of a relative one */
	uint32_t path_len, token_len;
	char text[]; /* path, NUL, token, NUL */
};

TAILQ_HEAD(watch_list, watch);

struct watch_node {
	struct hash_link link; /* by parent and name */
	struct watch_node *parent;
	LIST_ENTRY(watch_node) sibling;
	LIST_HEAD(, watch_node) children;
	struct watch_list watches;
	uint64_t id;
	uint32_t level; /* of "/" and of "@name": 0 */
	uint32_t name_len;
	char name[];
};

struct watches {
	struct hash nodes, by_token;
	struct watch_node *root;
	const struct hash_secret *secret;
	uint64_t last_sequence, last_node_id;
	size_t bytes;
	unsigned int count;
};

/** Returns 0 or ENOMEM. */
int watches_init(struct watches *watches, const struct hash_secret *secret);
void watches_deinit(struct watches *watches);

static inline const char *watch_token(const struct watch *watch)
{
	return watch->text + watch->path_len + 1;
}

/** The watch of a client for @path with @token, or NULL. */
struct watch *watch_find(const struct watches *watches, uint64_t client_id, const char *path,
			 size_t path_len, const char *token, size_t token_len);

/**
 * Register a watch that does not exist yet.
 * @client, @client_id: whose it is
 * @depth: WATCH_NO_DEPTH or a number of levels
 * Returns NULL without memory. The caller puts it into the client's list.
 */
struct watch *watch_add(struct watches *watches, struct client *client, uint64_t client_id,
			const struct path *path, const char *token, size_t token_len, int depth);

/** Give a watch the place in the order of registration that it had in an earlier process. */
void watch_place(struct watch *watch, uint64_t sequence);

/** Take a watch out of the index and free it. The caller has taken it out of the client's list. */
void watch_remove(struct watches *watches, struct watch *watch);

/* A growing array of matches; starts as all zero. */
struct watch_matches {
	struct watch **watch;
	size_t count, room;
};

void watch_matches_deinit(struct watch_matches *matches);

/**
 * Collect the watches that match an event on @path, in order of registration.
 * Returns 0 or ENOMEM.
 */
int watch_match(const struct watches *watches, const char *path, size_t len, enum watch_kind kind,
		struct watch_matches *matches);

/** The index node of @path, or NULL when nothing at or below it is watched. */
struct watch_node *watch_node_find(const struct watches *watches, const char *path, size_t len);

/** The child of an index node, or NULL. */
struct watch_node *watch_node_child(const struct watches *watches, const struct watch_node *node,
				    const char *name, size_t len);

#endif
