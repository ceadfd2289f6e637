/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Building a tree from nodes that come in order: parents before children, all of a subtree
 * together, siblings in the order of their creation.
 *
 *      /local                  open: /, /local, /local/domain, 7; children so far:
 *      /local/domain
 *      /local/domain/1           local | domain | 1 2 3 7 | name
 *      ...                       of /    of local  of domain  of 7
 *      /local/domain/7/name
 *
 * The usual way of adding a child looks for its place in two page trees, which is most of the work
 * of putting a store together from an image. Here the children of all directories that are still
 * open stand on one stack. When a directory is left, its pages are made from its part of the
 * stack: full, in their final size, and with the index sorted once.
 *
 * The children of an open directory cannot be found by name yet; bulk_close() makes them so.
 */
#ifndef XENSTORED_STORE_BULK_H
#define XENSTORED_STORE_BULK_H

#include "bytes/path.h"
#include "store/store.h"

struct bulk_level {
	struct node *node;
	uint32_t path_len;
	size_t first; /* its first child on the stack */
};

/*
 * Two children of @parent, which stands at @path, have the same name: @node, the later one, is left
 * out. Its reference is handed over, and its bytes are still counted in the tree. Returns 0, or
 * what is to be returned to whoever closes.
 */
typedef int bulk_duplicate(void *data, const struct node *parent, struct node *node,
			   const char *path, size_t len);

struct bulk {
	struct tree *tree;
	bulk_duplicate *duplicate;
	void *data;
	struct bulk_level *level;
	unsigned int depth, level_room;
	struct node **child; /* the stack */
	size_t children, child_room;
	char path[PATH_SIZE]; /* of the innermost open directory */
};

void bulk_init(struct bulk *bulk, struct tree *tree, bulk_duplicate *duplicate, void *data);

/** Free the builder. What has not been closed is dropped. */
void bulk_deinit(struct bulk *bulk);

/**
 * The open directory that is the parent of @path; directories that do not contain @path are closed.
 * Returns 0, or ENOMEM, or what the handler of duplicates returned; @parent NULL: it is not open.
 */
int bulk_parent(struct bulk *bulk, const char *path, size_t len, struct node **parent);

/** Put @node, a new leaf whose reference is handed over, below the innermost open directory. */
int bulk_add(struct bulk *bulk, struct node *node);

/** Open @node, which stands at @path and has no children yet, below the innermost one. */
int bulk_open(struct bulk *bulk, struct node *node, const char *path, size_t len);

/** Close all directories. Returns as bulk_parent(). */
int bulk_close(struct bulk *bulk);

#endif
