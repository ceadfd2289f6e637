/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A store with one tree, without the state around it, for tests of the store.
 *
 * The functions prepare and apply in one go and keep the account of bytes that
 * the state keeps otherwise: what is removed is taken off tree->bytes.
 */
#ifndef TESTS_UNIT_SMALL_TREE_H
#define TESTS_UNIT_SMALL_TREE_H

#include "store/tree.h"

struct small_tree {
	struct hash_secret secret;
	struct store store;
	struct tree live;
	struct perms *perms; /* n0 */
};

void small_tree_init(struct small_tree *small);

/** Drops the live tree, frees everything dead, and fails the test if anything is left. */
void small_tree_deinit(struct small_tree *small);

/** Changes of @tree, which may be a branch. They fail the test without memory. */
void small_tree_create(struct tree *tree, const char *path, const char *value, struct perms *perms);
void small_tree_write(struct tree *tree, const char *path, const char *value);
void small_tree_set_perms(struct tree *tree, const char *path, struct perms *perms);
void small_tree_remove(struct tree *tree, const char *path);

struct node *small_tree_find(const struct tree *tree, const char *path);

/** Free all that is dead. */
void small_tree_sweep(struct small_tree *small);

/** Fail unless tree->bytes is what a recount says, and all pages below are in order. */
void small_tree_check(const struct tree *tree);

#endif
