/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A change of the store, with all that belongs to it besides the tree.
 *
 * Writing, creating, giving away and removing a node also moves counts between
 * accounts, adds ownership roots and starts a release. A change is prepared
 * (memory is taken; this may fail), made in a tree, and settled: the accounts
 * and indexes follow. Outside transactions the three come at once, on the live
 * tree. A transaction prepares and makes its changes in its branch, keeps them,
 * and settles them at its commit.
 */
#ifndef XENSTORED_STATE_CHANGE_H
#define XENSTORED_STATE_CHANGE_H

#include <sys/queue.h>

#include "state/state.h"

/* What a change means for one account. */
struct effect {
	struct domain *domain; /* NULL: nobody's */
	int64_t nodes, memory;
};

struct change {
	TAILQ_ENTRY(change) link;
	enum tree_change kind;
	const char *path; /* terminated; borrowed, or the change's own behind the struct */
	size_t len;
	const void *value; /* borrowed or own, as path */
	size_t value_len;
	struct perms *perms; /* a reference, for TREE_CREATE and TREE_PERMS */
	bool again;	     /* made by an earlier process: its owner may have died since */
	void *own_value;     /* a later value that did not fit behind the struct */

	struct tree_edit edit;
	struct effect effect[2];
	struct ownership_root *root; /* reserved, or NULL if none is needed */
	size_t created_len;	     /* length of the path of the topmost created node */
	struct release_job *job;     /* reserved, for TREE_REMOVE */
	struct node *removed;	     /* a reference, from making to settling */
	struct perms *old_perms;     /* a reference to what a TREE_PERMS replaced */
};

/** A change that borrows its path, value and permissions, for use at once. */
void change_init(struct change *change, enum tree_change kind, const char *path, size_t len,
		 const void *value, size_t value_len, struct perms *perms);

/** A change of its own memory with copies of all, for a transaction's list. NULL: no memory. */
struct change *change_new(enum tree_change kind, const char *path, size_t len, const void *value,
			  size_t value_len, struct perms *perms);

/** Give back all that a change still holds (not the struct of change_init()). */
void change_deinit(struct state *state, struct change *change);
void change_free(struct state *state, struct change *change);

/**
 * Prepare @change for @tree. May be done again for another tree after it was made in one.
 * Returns 0, ENOMEM, or EAGAIN when the tree is not what the change was meant for.
 */
int change_prepare(struct state *state, struct tree *tree, struct change *change);

/** Make the prepared change in @tree. Cannot fail. */
void change_make(struct state *state, struct tree *tree, struct change *change);

/** The tree in which the change was made is the live one now: let accounts and indexes follow. */
void change_settle(struct state *state, struct change *change);

/** Memory that the change takes in a transaction's list. */
size_t change_bytes(const struct change *change);

#endif
