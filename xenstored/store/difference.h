/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The difference between two trees that share most of their nodes.
 *
 * Whatever is one object in both trees is equal and is not looked into, so the
 * cost is in proportion to what differs (and to the directories that do).
 */
#ifndef XENSTORED_STORE_DIFFERENCE_H
#define XENSTORED_STORE_DIFFERENCE_H

#include "store/tree.h"

/*
 * What makes the second tree from the first, told from the top down: removals in a directory come
 * before what is set in it. Both return 0 to go on, or an error that ends the comparison.
 */
struct difference_ops {
	/* @node, with its value and permissions, stands at @path in the second tree. */
	int (*set)(void *data, const char *path, size_t len, struct node *node);
	/* What stands at @path in the first tree is gone in the second. */
	int (*removed)(void *data, const char *path, size_t len);
};

/** Compare two trees. Returns 0, ENOMEM, or what an operation returned. */
int difference(const struct tree *from, const struct tree *to, const struct difference_ops *ops,
	       void *data);

#endif
