/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A walk over a subtree, parents before children, children in order of creation.
 *
 * The walk can be interrupted after each node and holds its top by a
 * reference, so the nodes stay as they were when it began, whatever happens to
 * the live tree meanwhile. It does not recurse: the depth of the tree is a
 * guest's choice.
 */
#ifndef XENSTORED_STORE_WALK_H
#define XENSTORED_STORE_WALK_H

#include "bytes/path.h"
#include "store/store.h"

struct walk_level {
	struct node *node;
	uint32_t next; /* index of the child to visit next */
	uint32_t path_len;
};

struct walk {
	struct store *store;
	struct node *top; /* the walk's reference */
	struct walk_level *level;
	unsigned int depth, room;
	size_t path_len;
	char path[PATH_SIZE]; /* of the node that was visited last */
};

/**
 * Start a walk.
 * @top: the node to start with; a reference is taken over
 * @path, @len: its path
 */
void walk_init(struct walk *walk, struct store *store, struct node *top, const char *path,
	       size_t len);

void walk_deinit(struct walk *walk);

/**
 * The next node. Returns 0 with @node set to NULL at the end, or ENOMEM, after which the same call
 * may be tried again. walk->path is its path; walk_parent() its parent.
 */
int walk_next(struct walk *walk, struct node **node);

/** Do not visit what is below the node that was returned last. */
void walk_skip(struct walk *walk);

/** The parent of the node returned last, NULL for the top. */
static inline struct node *walk_parent(const struct walk *walk)
{
	return walk->depth > 1 ? walk->level[walk->depth - 2].node : NULL;
}

#endif
