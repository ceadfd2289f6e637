/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Look-ups and changes along a path. */
#include "store/tree.h"

#include <errno.h>
#include <string.h>

static int add_child(struct tree *tree, struct node *parent, const char *name, struct perms *perms)
{
	struct node *node = node_new(tree->store, name, strlen(name), NULL, 0, perms_ref(perms));

	if (!node) {
		perms_unref(&tree->store->perms, perms);
		return ENOMEM;
	}
	if (children_prepare_insert(tree, parent, node)) {
		node_unref(tree->store, node);
		return ENOMEM;
	}
	children_insert(tree, parent, node);
	tree->bytes += node_bytes(node);
	return 0;
}

int tree_init(struct tree *tree, struct store *store, struct perms *perms, struct perms *release)
{
	memset(tree, 0, sizeof(*tree));
	tree->store = store;
	store->holders++;
	tree->root = node_new(store, "", 0, NULL, 0, perms_ref(perms));
	if (!tree->root) {
		perms_unref(&store->perms, perms);
		store->holders--;
		return ENOMEM;
	}
	tree->bytes = node_bytes(tree->root);
	if (add_child(tree, tree->root, "/", perms) ||
	    add_child(tree, tree->root, "@introduceDomain", perms) ||
	    add_child(tree, tree->root, "@releaseDomain", release)) {
		tree_drop(tree);
		return ENOMEM;
	}
	return 0;
}

void tree_drop(struct tree *tree)
{
	node_unref(tree->store, tree->root);
	tree->root = NULL;
	tree->store->holders--;
}

void tree_branch(struct tree *branch, const struct tree *tree)
{
	*branch = *tree;
	branch->allocated = 0;
	branch->store->holders++;
	node_ref(branch->root);
}

void tree_lookup(const struct tree *tree, const char *path, size_t len, struct lookup *result)
{
	const char *end = path + len, *rest, *name;
	struct node *node;
	size_t name_len;

	name = path_first(path, &rest, end, &name_len);
	node = children_find(tree->root, name, name_len);
	result->missing = 0;
	if (!node) {
		/* An unknown special name: whoever may see "/" may know that it does not exist. */
		result->nearest = children_find(tree->root, "/", 1);
		result->nearest_len = 1;
		result->node = NULL;
		result->missing = 1;
		while (path_next(&rest, end, &name_len))
			result->missing++;
		return;
	}
	result->nearest = node;
	result->nearest_len = path[0] == '/' ? 1 : name_len;
	while ((name = path_next(&rest, end, &name_len))) {
		node = children_find(node, name, name_len);
		if (!node) {
			result->missing = 1;
			while (path_next(&rest, end, &name_len))
				result->missing++;
			break;
		}
		result->nearest = node;
		result->nearest_len = (size_t)(rest - path);
	}
	result->node = node;
}

struct node *tree_find(const struct tree *tree, const char *path, size_t len)
{
	struct lookup lookup;

	tree_lookup(tree, path, len, &lookup);
	return lookup.node;
}

/* Put a copy of @child in its place below @parent, with room for a value of @value_len bytes. */
static struct node *replace_by_copy(struct tree *tree, struct node *parent, struct node *child,
				    size_t value_len)
{
	struct node *copy;

	if (children_prepare_replace(tree, parent, child))
		return NULL;
	copy = node_copy(tree->store, child, value_len);
	if (!copy)
		return NULL;
	children_replace(parent, child, copy);
	tree->bytes += node_bytes(copy) - node_bytes(child);
	tree->allocated += node_bytes(copy);
	node_unref(tree->store, child);
	return copy;
}

/*
 * Make all nodes on the way to @path the tree's own. Returns 0, ENOMEM, or EAGAIN when the path
 * does not exist; a way that is owned in part has changed nothing for a reader.
 */
static int own_path(struct tree *tree, const char *path, size_t len, struct node **parent,
		    struct node **found)
{
	const char *end = path + len, *rest, *name;
	struct node *node = tree->root;
	bool alone = tree->store->holders == 1;
	size_t name_len;

	/*
	 * References that dead pages still hold make nobody see a node. So a tree that is alone
	 * owns all that it reaches, and need not look.
	 */
	if (node->refs > 1 && !alone) {
		node = node_copy(tree->store, node, 0);
		if (!node)
			return ENOMEM;
		tree->bytes += node_bytes(node) - node_bytes(tree->root);
		tree->allocated += node_bytes(node);
		node_unref(tree->store, tree->root);
		tree->root = node;
	}
	*parent = NULL;
	for (name = path_first(path, &rest, end, &name_len); name;
	     name = path_next(&rest, end, &name_len)) {
		bool shared = false;
		struct node *child = alone ? children_find(node, name, name_len)
					   : children_find_shared(node, name, name_len, &shared);

		if (!child)
			return EAGAIN;
		if (shared && !(child = replace_by_copy(tree, node, child, 0)))
			return ENOMEM;
		*parent = node;
		node = child;
	}
	*found = node;
	return 0;
}

int tree_prepare_write(struct tree *tree, struct tree_edit *edit, const char *path, size_t len,
		       const void *value, size_t value_len)
{
	int error;

	memset(edit, 0, sizeof(*edit));
	edit->change = TREE_WRITE;
	edit->value = value;
	edit->value_len = value_len;
	error = own_path(tree, path, len, &edit->parent, &edit->node);
	if (error)
		return error;
	if (!node_has_room(edit->node, value_len)) {
		/* A larger copy with the same content is as invisible as the rest of preparing. */
		edit->node = replace_by_copy(tree, edit->parent, edit->node, value_len);
		if (!edit->node)
			return ENOMEM;
	}
	return 0;
}

int tree_prepare_create(struct tree *tree, struct tree_edit *edit, const struct lookup *lookup,
			const char *path, size_t len, const void *value, size_t value_len,
			struct perms *perms)
{
	struct node *top = NULL;
	size_t bytes = tree->bytes;
	size_t end = len;

	memset(edit, 0, sizeof(*edit));
	edit->change = TREE_CREATE;

	/* The new nodes are put together from the last one upwards, apart from the tree. */
	for (unsigned int i = 0; i < lookup->missing; i++) {
		const char *slash = memrchr(path, '/', end);
		size_t start = slash ? (size_t)(slash - path) + 1 : 0;
		struct node *node = node_new(tree->store, path + start, end - start,
					     top ? NULL : value, top ? 0 : value_len,
					     perms_ref(perms));

		if (!node) {
			perms_unref(&tree->store->perms, perms);
			goto no_memory;
		}
		tree->bytes += node_bytes(node);
		if (top) {
			if (children_prepare_insert(tree, node, top)) {
				node_unref(tree->store, node);
				goto no_memory;
			}
			children_insert(tree, node, top);
		}
		top = node;
		end = start - 1;
	}
	edit->fresh = top;
	edit->fresh_bytes = tree->bytes - bytes;
	tree->bytes = bytes;
	if (own_path(tree, path, lookup->nearest_len, &edit->parent, &edit->node) ||
	    children_prepare_insert(tree, edit->node, top)) {
		node_unref(tree->store, top);
		return ENOMEM;
	}
	edit->parent = edit->node;
	edit->node = NULL;
	return 0;

no_memory:
	node_unref(tree->store, top);
	tree->bytes = bytes;
	return ENOMEM;
}

int tree_prepare_perms(struct tree *tree, struct tree_edit *edit, const char *path, size_t len,
		       struct perms *perms)
{
	memset(edit, 0, sizeof(*edit));
	edit->change = TREE_PERMS;
	if (own_path(tree, path, len, &edit->parent, &edit->node))
		return ENOMEM;
	edit->perms = perms_ref(perms);
	return 0;
}

int tree_prepare_remove(struct tree *tree, struct tree_edit *edit, const char *path, size_t len)
{
	size_t parent_len = path_parent_len(path, len);
	size_t start = parent_len == 1 ? 1 : parent_len + 1;
	struct node *grandparent;

	memset(edit, 0, sizeof(*edit));
	edit->change = TREE_REMOVE;
	if (own_path(tree, path, parent_len, &grandparent, &edit->parent))
		return ENOMEM;
	edit->node = children_find(edit->parent, path + start, len - start);
	return children_prepare_replace(tree, edit->parent, edit->node);
}

void tree_abandon(struct tree *tree, struct tree_edit *edit)
{
	node_unref(tree->store, edit->fresh);
	perms_unref(&tree->store->perms, edit->perms);
	edit->fresh = NULL;
	edit->perms = NULL;
}

struct node *tree_apply(struct tree *tree, struct tree_edit *edit)
{
	struct node *node = edit->node;

	switch (edit->change) {
	case TREE_WRITE:
		if (edit->value_len)
			memcpy(node_value(node), edit->value, edit->value_len);
		node->value_len = (uint16_t)edit->value_len;
		node->generation = store_next_generation(tree->store);
		break;
	case TREE_CREATE:
		children_insert(tree, edit->parent, edit->fresh);
		edit->parent->generation = store_next_generation(tree->store);
		tree->bytes += edit->fresh_bytes;
		tree->allocated += edit->fresh_bytes;
		break;
	case TREE_PERMS:
		perms_unref(&tree->store->perms, node->perms);
		node->perms = edit->perms;
		node->generation = store_next_generation(tree->store);
		break;
	case TREE_REMOVE:
		children_remove(tree, edit->parent, node);
		edit->parent->generation = store_next_generation(tree->store);
		return node;
	}
	return NULL;
}
