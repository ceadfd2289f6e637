/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A node of the store: name, value, permissions, children.
 *
 * Nodes are shared between the live tree and snapshots and counted by
 * references: one for each place that points to a node (a slot of its parent's
 * child pages, a root, a job that releases it). Name and value stand behind the
 * struct in one allocation, since most nodes are small and never change size.
 *
 *      +------ struct node ------+---------+--+----------+ . . .
 *      | refs perms children ... | name    |0 | value    | room to grow
 *      +-------------------------+---------+--+----------+ . . .
 *
 * A node knows neither its parent nor its path: it may stand in several trees.
 */
#ifndef XENSTORED_STORE_NODE_H
#define XENSTORED_STORE_NODE_H

#include <stddef.h>
#include <stdint.h>

#include "store/perms.h"

struct page;

struct node {
	uint32_t refs;
	uint16_t name_len;
	uint16_t value_len;
	struct perms *perms;
	uint64_t generation;	  /* changes with value, permissions and list of children */
	uint64_t sequence;	  /* order of creation, over all nodes */
	struct page *by_sequence; /* the children, NULL for a leaf */
	struct page *by_name;	  /* index of the same children, only when there are many */
	uint32_t room;		  /* bytes behind the struct */
	uint32_t flags;
	char data[];
};

/* The node stands in some account's list of ownership roots (state/ownership.h). */
#define NODE_OWNERSHIP_ROOT 1u

static inline const char *node_name(const struct node *node)
{
	return node->data;
}

static inline char *node_value(struct node *node)
{
	return node->data + node->name_len + 1;
}

/** Domain id of the owner. */
static inline unsigned int node_owner(const struct node *node)
{
	return node->perms->entry[0].domid;
}

/** Whether a value of @len bytes fits into @node where it stands. */
static inline int node_has_room(const struct node *node, size_t len)
{
	return node->name_len + 1u + len <= node->room;
}

/**
 * What a node counts against quotas: 16 bytes, 8 for each permission entry, the value and the
 * names of the children with their NULs (spec: quotas.md section 3, node-size).
 */
size_t node_size(const struct node *node);

/** Number of children. */
uint32_t node_child_count(const struct node *node);

/** Bytes of a DIRECTORY reply: names with their NULs. */
uint64_t node_child_bytes(const struct node *node);

#endif
