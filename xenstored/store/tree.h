/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tree of nodes as a value: look-ups, and changes in two steps.
 *
 * Taking a snapshot is taking a reference to the root. From then on, a change
 * in one of the trees copies what stands on the way from the root to the
 * changed node; what is held by one tree only is changed in place. So nothing
 * is copied while nobody holds a snapshot.
 *
 * A change is first prepared: the way is made the tree's own, memory is taken.
 * This may fail, and is invisible. Applying it cannot fail. Between the two,
 * nothing else may be done to the tree.
 */
#ifndef XENSTORED_STORE_TREE_H
#define XENSTORED_STORE_TREE_H

#include "bytes/path.h"
#include "store/store.h"

/* What a look-up found. Pointers are borrowed and valid until the tree changes. */
struct lookup {
	struct node *node;    /* NULL: there is no such node */
	struct node *nearest; /* the node, or its nearest existing ancestor */
	size_t nearest_len;   /* so many bytes of the path name it */
	unsigned int missing; /* number of components that do not exist */
};

/**
 * Make an empty tree: root, "/" and the two special nodes, with permissions @perms (for "/" and
 * @introduceDomain) and @release (for @releaseDomain). Returns 0 or ENOMEM.
 */
int tree_init(struct tree *tree, struct store *store, struct perms *perms, struct perms *release);

/** Drop the tree. */
void tree_drop(struct tree *tree);

/** Make @branch a second tree with the same content as @tree. Costs one reference. */
void tree_branch(struct tree *branch, const struct tree *tree);

/** Look @path up. A missing special name has "/" as its nearest ancestor. */
void tree_lookup(const struct tree *tree, const char *path, size_t len, struct lookup *result);

/** The node at @path or NULL. */
struct node *tree_find(const struct tree *tree, const char *path, size_t len);

enum tree_change { TREE_WRITE, TREE_CREATE, TREE_PERMS, TREE_REMOVE };

/* A prepared change. */
struct tree_edit {
	enum tree_change change;
	struct node *parent;
	struct node *node;   /* the node to be changed or removed; NULL when creating */
	struct node *fresh;  /* the node that takes its place, or the topmost created one */
	struct perms *perms; /* a reference, for TREE_PERMS */
	const void *value;   /* borrowed until the change is applied */
	size_t value_len;
	size_t fresh_bytes;
};

/** Prepare a new value for the node at @path. Returns 0, ENOMEM, or EAGAIN: there is none. */
int tree_prepare_write(struct tree *tree, struct tree_edit *edit, const char *path, size_t len,
		       const void *value, size_t value_len);

/**
 * Prepare the creation of the missing node at @path and of its missing ancestors.
 * @lookup: what tree_lookup() says of the path now
 * @perms: permissions of all of them; no reference is taken over
 * Returns 0 or ENOMEM.
 */
int tree_prepare_create(struct tree *tree, struct tree_edit *edit, const struct lookup *lookup,
			const char *path, size_t len, const void *value, size_t value_len,
			struct perms *perms);

/** Prepare new permissions for the existing node at @path. Returns 0 or ENOMEM. */
int tree_prepare_perms(struct tree *tree, struct tree_edit *edit, const char *path, size_t len,
		       struct perms *perms);

/** Prepare the removal of the existing node at @path, which is not the root. Returns 0 or ENOMEM.
 */
int tree_prepare_remove(struct tree *tree, struct tree_edit *edit, const char *path, size_t len);

/** Forget a prepared change. */
void tree_abandon(struct tree *tree, struct tree_edit *edit);

/**
 * Do a prepared change. For TREE_REMOVE the removed node is returned with the reference that the
 * tree had; its bytes stay counted in tree->bytes until the caller has walked it. Else NULL.
 */
struct node *tree_apply(struct tree *tree, struct tree_edit *edit);

#endif
