/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The children of a node: a persistent tree of pages.
 *
 *                      +-- page, level 1 --------------+
 *                      | items 70, bytes 610           |
 *                      +---o-----------o-----------o---+
 *                          |           |           |
 *                  +-- level 0 --+ +-- level 0 --+ +-- level 0 --+
 *                  | 32 nodes    | | 32 nodes    | | 6 nodes     |
 *                  +-------------+ +-------------+ +-------------+
 *
 * Drivers are probed in the order of DIRECTORY, so children are kept in order
 * of creation. Each page knows how many children and how many bytes of names
 * are below it, so that "the list from byte offset k" is found in logarithmic
 * time: a flat list of names, as obvious as it is, costs O(n) for each child
 * added and removed. Above CHILDREN_INDEX_MIN children a second tree of the
 * same pages, ordered by name, is the index for look-ups; below, a scan of one
 * page is as fast. The index only borrows its nodes, so that a node of the live
 * tree alone has one reference, however many siblings it has.
 *
 * Pages are shared and counted like nodes. A page that only one tree holds is
 * changed in place, another one is copied first. Making a page one's own,
 * splitting it, and giving it more room change nothing that a reader could see.
 * All such steps are done by children_prepare_*(), which may fail for lack of
 * memory and leave everything as it was; the change itself cannot fail then.
 *
 * Pages are merged only when they become empty: a page always holds a child,
 * so memory stays in proportion to what is stored, and removal stays simple.
 */
#ifndef XENSTORED_STORE_CHILDREN_H
#define XENSTORED_STORE_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/node.h"

#define PAGE_SLOTS 32u

/* Number of children from which on there is an index by name, and below which it is dropped. */
#define CHILDREN_INDEX_MIN  24u
#define CHILDREN_INDEX_DROP 12u

struct page {
	uint32_t refs;
	uint8_t level; /* 0: slots are nodes, else pages of one level less */
	uint8_t count;
	uint8_t room;
	uint8_t borrowed; /* index page: its nodes are referenced by the other tree's pages */
	uint32_t items;	  /* nodes below */
	uint32_t pad;
	uint64_t bytes;	    /* names with NULs below */
	struct node *first; /* leftmost node below */
	void *slot[];
};

struct tree;

/** Find a child by name. Returns a borrowed pointer or NULL. */
struct node *children_find(const struct node *parent, const char *name, size_t len);

/**
 * Find a child and whether the way to it is shared with another tree.
 * @shared: in and out; set when any page on the way, or the child itself, has another holder
 */
struct node *children_find_shared(const struct node *parent, const char *name, size_t len,
				  bool *shared);

/**
 * The children from number @index on, as far as they stand in one page.
 * @count: set to how many there are at the returned address; 0 at the end (returns NULL then)
 */
void *const *children_run(const struct node *parent, uint32_t index, uint32_t *count);

/** Child number @index in order of creation, or NULL. */
struct node *children_at(const struct node *parent, uint32_t index);

/**
 * Position for a listing from byte @offset of the names: index of the child that holds that byte
 * and where its name starts. Returns false when @offset is at or behind the end.
 */
bool children_seek(const struct node *parent, uint64_t offset, uint32_t *index, uint64_t *start);

/*
 * The changes. @parent must be a node of @tree that no other tree holds. Each prepare function
 * returns 0 or ENOMEM and must be followed, before anything else is done to the parent, by its
 * change or by nothing at all: preparing alone is invisible.
 */

/**
 * Make room for a child: at the end, or if it has a sequence number, at the place of that, which no
 * other child of @parent has.
 */
int children_prepare_insert(struct tree *tree, struct node *parent, const struct node *child);

/** Put @child in, taking over the caller's reference. */
void children_insert(struct tree *tree, struct node *parent, struct node *child);

/** Make the pages on the way to @child the parent's own, so that its slot can be changed. */
int children_prepare_replace(struct tree *tree, struct node *parent, const struct node *child);

/**
 * Put @to where @from is: same name and sequence. The slots' references move: the caller gives one
 * for @to and gets the one of @from.
 */
void children_replace(struct node *parent, const struct node *from, struct node *to);

/** Take @child out; prepared by children_prepare_replace(). The caller gets the slot's reference.
 */
void children_remove(struct tree *tree, struct node *parent, const struct node *child);

#endif
