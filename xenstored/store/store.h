/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store: what all trees (the live one and the snapshots) have in common.
 *
 * Memory of nodes and pages is counted here, and here is the list of what lost
 * its last reference: freeing a subtree of a million nodes is cut into slices,
 * so that no turn of the loop is long.
 */
#ifndef XENSTORED_STORE_STORE_H
#define XENSTORED_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/children.h"
#include "store/node.h"
#include "store/perms.h"

/*
 * Sequence numbers, which are given out upwards and never again, have room between them, so that
 * what a transaction still sees can be put back between its neighbours by a restore.
 */
#define STORE_SEQUENCE_STEP 4096u

struct store {
	struct perms_table perms;
	uint64_t generation;  /* the last one given to a node */
	uint64_t sequence;    /* the last place given to a child; never used again in any tree */
	size_t bytes;	      /* memory of all nodes and pages, whoever holds them */
	size_t nodes;	      /* number of node objects */
	unsigned int holders; /* trees and walks; with a single one nothing is shared */

	/* Objects without references whose parts are still to be given back, linked through
	 * their first words. */
	struct node *dead_nodes;
	struct page *dead_pages;
};

/*
 * A tree: the live one, or a branch that a transaction has made of it. Its root is a nameless node
 * whose children are "/" and the special nodes "@introduceDomain" and "@releaseDomain".
 */
struct tree {
	struct store *store;
	struct node *root;
	size_t bytes;	  /* memory reachable from the root */
	size_t allocated; /* memory that changes of this tree have taken */
};

/**
 * @secret: for the hashes; must live as long as the store
 * @generation: where to start counting; above anything that a client can still remember
 */
void store_init(struct store *store, const struct hash_secret *secret, uint64_t generation);

/** Free the store; all trees must have been dropped. */
void store_deinit(struct store *store);

/** A new generation number. */
static inline uint64_t store_next_generation(struct store *store)
{
	return ++store->generation;
}

/** A new leaf. Takes over the reference to @perms. Returns NULL when there is no memory. */
struct node *node_new(struct store *store, const char *name, size_t name_len, const void *value,
		      size_t value_len, struct perms *perms);

/** A copy of @node with room for a value of @value_len bytes; children are shared. NULL: no memory.
 */
struct node *node_copy(struct store *store, const struct node *node, size_t value_len);

static inline struct node *node_ref(struct node *node)
{
	node->refs++;
	return node;
}

/** Give a reference back. What it held alone is freed by store_free_some(). @node may be NULL. */
void node_unref(struct store *store, struct node *node);

/** Memory of a node, of a page, and of all child pages of a node. */
static inline size_t node_bytes(const struct node *node)
{
	return sizeof(*node) + node->room;
}

static inline size_t page_bytes(const struct page *page)
{
	return sizeof(*page) + page->room * sizeof(void *);
}

size_t children_bytes(const struct node *node);

/** A new page with room for at least @room slots. NULL: no memory. */
struct page *page_new(struct store *store, unsigned int level, unsigned int room);

static inline struct page *page_ref(struct page *page)
{
	page->refs++;
	return page;
}

void page_unref(struct store *store, struct page *page);

/** True when something waits to be freed. */
static inline bool store_has_dead(const struct store *store)
{
	return store->dead_nodes || store->dead_pages;
}

/** Free up to about @work dead objects. Returns what is left of @work. */
long store_free_some(struct store *store, long work);

#endif
