/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Preparing, making and settling changes. */
#include "state/change.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void change_init(struct change *change, enum tree_change kind, const char *path, size_t len,
		 const void *value, size_t value_len, struct perms *perms)
{
	memset(change, 0, sizeof(*change));
	change->kind = kind;
	change->path = path;
	change->len = len;
	change->value = value;
	change->value_len = value_len;
	change->perms = perms ? perms_ref(perms) : NULL;
}

struct change *change_new(enum tree_change kind, const char *path, size_t len, const void *value,
			  size_t value_len, struct perms *perms)
{
	struct change *change = malloc(sizeof(*change) + len + 1 + value_len);
	char *own;

	if (!change)
		return NULL;
	own = (char *)(change + 1);
	memcpy(own, path, len);
	own[len] = 0;
	if (value_len)
		memcpy(own + len + 1, value, value_len);
	change_init(change, kind, own, len, own + len + 1, value_len, perms);
	return change;
}

size_t change_bytes(const struct change *change)
{
	return sizeof(*change) + change->len + 1 + change->value_len;
}

void change_deinit(struct state *state, struct change *change)
{
	perms_unref(&state->store.perms, change->perms);
	perms_unref(&state->store.perms, change->old_perms);
	ownership_unreserve(change->root);
	free(change->job);
	free(change->own_value);
	node_unref(&state->store, change->removed);
	change->perms = change->old_perms = NULL;
	change->root = NULL;
	change->job = NULL;
	change->own_value = NULL;
	change->removed = NULL;
}

void change_free(struct state *state, struct change *change)
{
	change_deinit(state, change);
	free(change);
}

/* The owner of the parent of @path; what stands beside the tree counts as the root's. */
static struct domain *parent_owner(const struct state *state, const struct tree *tree,
				   const char *path, size_t len)
{
	size_t parent_len = path_is_root(path, len) ? 0 : path_parent_len(path, len);
	struct node *parent = parent_len ? tree_find(tree, path, parent_len) : NULL;

	if (!parent)
		return domain_find(&state->domains, state->domains.priv_domid);
	return domain_owner(&state->domains, parent->perms);
}

static int reserve_root(struct change *change, size_t len)
{
	ownership_unreserve(change->root);
	change->root = ownership_reserve(change->path, len);
	return change->root ? 0 : ENOMEM;
}

static int prepare_write(struct state *state, struct tree *tree, struct change *change)
{
	int error = tree_prepare_write(tree, &change->edit, change->path, change->len,
				       change->value, change->value_len);
	const struct node *node = change->edit.node;

	if (error)
		return error;
	change->effect[0].domain = domain_owner(&state->domains, node->perms);
	change->effect[0].memory = (int64_t)change->value_len - node->value_len;
	return 0;
}

/* A transaction of an earlier process made the change when its owner lived; it can be seen on. */
static bool may_own(const struct state *state, const struct change *change)
{
	return change->again || domain_owner_lives(&state->domains, change->perms);
}

static int prepare_create(struct state *state, struct tree *tree, struct change *change)
{
	struct effect *own = &change->effect[0], *parent = &change->effect[1];
	const char *rest = change->path, *end = change->path + change->len;
	struct lookup lookup;
	size_t name_len;

	tree_lookup(tree, change->path, change->len, &lookup);
	own->domain = domain_owner(&state->domains, change->perms);
	if (lookup.node || !may_own(state, change))
		return EAGAIN;
	parent->domain = domain_owner(&state->domains, lookup.nearest->perms);
	own->nodes = lookup.missing;
	rest += lookup.nearest_len;
	for (unsigned int i = 0; i < lookup.missing; i++) {
		path_next(&rest, end, &name_len);
		if (i == 0) {
			change->created_len = (size_t)(rest - change->path);
			parent->memory = (int64_t)name_len + 1;
		} else {
			own->memory += (int64_t)name_len + 1; /* in its parent's list */
		}
		own->memory += (int64_t)(16 + 8 * (size_t)change->perms->count) +
			       (int64_t)(rest - change->path);
	}
	own->memory += (int64_t)change->value_len;
	if (own->domain && own->domain != parent->domain &&
	    reserve_root(change, change->created_len))
		return ENOMEM;
	if (tree_prepare_create(tree, &change->edit, &lookup, change->path, change->len,
				change->value, change->value_len, change->perms))
		return ENOMEM;
	if (change->root)
		change->edit.fresh->flags |= NODE_OWNERSHIP_ROOT;
	return 0;
}

static int prepare_perms(struct state *state, struct tree *tree, struct change *change)
{
	struct effect *from = &change->effect[0], *to = &change->effect[1];
	struct node *node = tree_find(tree, change->path, change->len);
	int64_t size;

	to->domain = domain_owner(&state->domains, change->perms);
	if (!node || !may_own(state, change))
		return EAGAIN;
	from->domain = domain_owner(&state->domains, node->perms);
	size = (int64_t)(node_size(node) + change->len);
	from->nodes = -1;
	from->memory = -size;
	to->nodes = 1;
	to->memory = size + 8 * ((int64_t)change->perms->count - (int64_t)node->perms->count);
	if (to->domain && to->domain != from->domain &&
	    to->domain != parent_owner(state, tree, change->path, change->len) &&
	    reserve_root(change, change->len))
		return ENOMEM;
	return tree_prepare_perms(tree, &change->edit, change->path, change->len, change->perms);
}

static int prepare_remove(struct state *state, struct tree *tree, struct change *change)
{
	size_t parent_len = path_parent_len(change->path, change->len);
	struct node *parent = tree_find(tree, change->path, parent_len);

	if (!tree_find(tree, change->path, change->len))
		return EAGAIN;
	if (!change->job && !(change->job = release_reserve()))
		return ENOMEM;
	change->effect[0].domain = domain_owner(&state->domains, parent->perms);
	change->effect[0].memory = -(int64_t)(change->len - (parent_len == 1 ? 0 : parent_len));
	return tree_prepare_remove(tree, &change->edit, change->path, change->len);
}

int change_prepare(struct state *state, struct tree *tree, struct change *change)
{
	memset(change->effect, 0, sizeof(change->effect));
	/* Whether an entry is needed, and for which path, is another question in another tree. */
	ownership_unreserve(change->root);
	change->root = NULL;
	switch (change->kind) {
	case TREE_WRITE:
		return prepare_write(state, tree, change);
	case TREE_CREATE:
		return prepare_create(state, tree, change);
	case TREE_PERMS:
		return prepare_perms(state, tree, change);
	case TREE_REMOVE:
		return prepare_remove(state, tree, change);
	}
	return EINVAL;
}

void change_make(struct state *state, struct tree *tree, struct change *change)
{
	struct node *removed;

	if (change->kind == TREE_PERMS) {
		perms_unref(&state->store.perms, change->old_perms);
		change->old_perms = perms_ref(change->edit.node->perms);
		if (change->root)
			change->edit.node->flags |= NODE_OWNERSHIP_ROOT;
	}
	removed = tree_apply(tree, &change->edit);
	if (change->kind == TREE_REMOVE) {
		node_unref(&state->store, change->removed);
		change->removed = removed;
	}
}

/* A node went from one owner to another: what becomes of the old owner's entry? */
static void settle_old_root(struct state *state, const struct change *change)
{
	const struct domain *from = change->effect[0].domain;
	struct ownership_root *root;
	const struct node *node;

	if (!from || from == change->effect[1].domain)
		return;
	root = ownership_find(&state->ownership, from, change->path, change->len);
	if (!root)
		return;
	node = tree_find(&state->live, change->path, change->len);
	if (node && node_child_count(node))
		root->cover = true;
	else
		ownership_remove(&state->ownership, root);
}

void change_settle(struct state *state, struct change *change)
{
	struct domain *owner = NULL;

	for (int i = 0; i < 2; i++) {
		struct effect *effect = &change->effect[i];

		if (!effect->domain)
			continue;
		account_add(&effect->domain->account, QUOTA_NODES, effect->nodes);
		account_add(&effect->domain->account, QUOTA_MEMORY, effect->memory);
	}
	switch (change->kind) {
	case TREE_WRITE:
		break;
	case TREE_CREATE:
		owner = change->effect[0].domain;
		break;
	case TREE_PERMS:
		owner = change->effect[1].domain;
		settle_old_root(state, change);
		break;
	case TREE_REMOVE:
		release_start(state, change->job, change->removed, change->path, change->len);
		change->job = NULL;
		change->removed = NULL;
		break;
	}
	if (change->root && owner) {
		ownership_add(&state->ownership, owner, change->root);
		change->root = NULL;
	}
	state->version++;
}
