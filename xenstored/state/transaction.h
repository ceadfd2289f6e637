/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transactions: branches of the store.
 *
 *      live   o----o----o----o----o        others' commits
 *              \                   \
 *      base     o                   o'     replay: the same changes on the present tree
 *                \
 *      branch     o--o--o                  what this transaction sees and changes
 *
 * Starting takes a snapshot, which costs one reference. Reads see the branch.
 * For each path that an answer depended on, the transaction notes on what: its
 * existence, value, permissions, list of children. At the end, when nothing was
 * committed meanwhile, the branch simply becomes the live tree. Otherwise the
 * noted facets of base and live tree are compared, and if they are equal, the
 * changes are made again on a branch of the present tree. Only a real
 * dependency is a conflict. docs/transactions.md has the table of which request
 * depends on which facet.
 */
#ifndef XENSTORED_STATE_TRANSACTION_H
#define XENSTORED_STATE_TRANSACTION_H

#include "state/change.h"

/* Facets of a path. */
#define FACET_EXISTENCE	 1u
#define FACET_VALUE	 2u
#define FACET_PERMS	 4u
#define FACET_CHILDREN	 8u
#define FACET_GENERATION 16u

/* Instead of a target's record: the target was changed meanwhile. */
#define TRANSACTION_TARGET_CHANGED UINT64_MAX

/* A path that the transaction has looked at, in order of the first time. */
struct touch {
	struct hash_link link;
	TAILQ_ENTRY(touch) order;
	uint8_t depends; /* on these facets of the base */
	uint8_t own;	 /* these facets are the transaction's own; EXISTENCE: created by it */
	bool event;	 /* a change to tell watches about at the commit */
	bool below;	 /* not a path, but the place of what was removed below the path */
	struct change *last_write; /* of the node as it is now, so that a new value replaces it */
	uint32_t len;
	char path[];
};

struct transaction {
	LIST_ENTRY(transaction) of_client;
	TAILQ_ENTRY(transaction) age; /* all transactions, oldest first */
	struct client *client;
	uint32_t id;
	bool lost;	  /* its snapshot was taken away: it can only end with EAGAIN */
	bool poisoned;	  /* a request in it failed half way: it can only end with ENOMEM */
	bool created;	  /* a node was created in it */
	bool removed;	  /* a node was removed in it */
	uint64_t started; /* ms */
	uint64_t version; /* of the state at the start */
	uint64_t target;  /* record of the client's target at the start, 0 = none */
	struct tree base, branch;
	struct hash touched;
	TAILQ_HEAD(, touch) touches;
	unsigned int touch_count; /* paths */
	TAILQ_HEAD(change_list, change) changes;
	size_t bytes;	/* of touches and changes */
	size_t charged; /* what of transaction_bytes() is on its domain's account */
};

TAILQ_HEAD(transaction_list, transaction);

/** Start a transaction on the live tree. NULL: no memory. */
struct transaction *transaction_start(struct state *state, uint64_t now);

/** Forget a transaction and all that it did. */
void transaction_free(struct state *state, struct transaction *tx);

/** Take its snapshot away. */
void transaction_lose(struct state *state, struct transaction *tx);

/** The tree that its requests see. */
static inline const struct tree *transaction_view(const struct state *state,
						  const struct transaction *tx)
{
	return tx->lost ? &state->live : &tx->branch;
}

/** Memory that the transaction alone takes: its records and its copies of nodes. */
static inline size_t transaction_bytes(const struct transaction *tx)
{
	return sizeof(*tx) + tx->bytes + tx->branch.allocated;
}

/** The record of @path, or NULL. */
struct touch *transaction_find(const struct state *state, const struct transaction *tx,
			       const char *path, size_t len);

/**
 * Note that an answer depends on @facets of @path (0: the path was only looked at).
 * @node: what the branch has at the path, or NULL
 * Facets that the transaction made itself are left out. Returns 0 or ENOMEM.
 */
int transaction_touch(struct state *state, struct transaction *tx, const char *path, size_t len,
		      const struct node *node, unsigned int facets);

/**
 * Note that what stands below @path is about to be removed: at the commit its events come at this
 * place of the order. Returns 0 or ENOMEM.
 */
int transaction_touch_below(struct transaction *tx, const char *path, size_t len);

/** Put a record of an earlier process back. Returns 0 or ENOMEM. */
int transaction_restore_touch(struct state *state, struct transaction *tx, const char *path,
			      size_t len, unsigned int depends, unsigned int own, bool event,
			      bool below);

/**
 * Make a change in the branch and keep it for the commit. The path has been touched.
 * @change: of change_new(); taken over in any case
 * Returns 0 or ENOMEM.
 */
int transaction_change(struct state *state, struct transaction *tx, struct change *change);

/** Nodes that @domain will own more after the commit than before; removed ones are not counted. */
int64_t transaction_added_nodes(const struct transaction *tx, const struct domain *domain);

/**
 * Count the nodes of @domain in subtrees that the transaction removes, by walking over them.
 * Returns 0 or ENOMEM.
 */
int transaction_removed_nodes(const struct state *state, const struct transaction *tx,
			      const struct domain *domain, int64_t *nodes);

/** Whether what the transaction depends on is still so. Returns 0 or EAGAIN. */
int transaction_check(const struct state *state, const struct transaction *tx);

/**
 * Build the tree that is live after the commit: the branch itself, or the changes made again on
 * a branch of the live tree. The caller swaps it in, or drops it. Returns 0, ENOMEM or EAGAIN.
 */
int transaction_build(struct state *state, struct transaction *tx, struct tree *result);

#endif
