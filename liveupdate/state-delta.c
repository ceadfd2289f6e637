/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What has changed in the store since a snapshot, and changes of trees that are told as "this node
 * has this value and these permissions", "this one is gone", "the children's order is this".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "liveupdate/image.h"
#include "store/difference.h"

uint32_t image_own_perms(const struct core *core, const struct perms *perms,
			 struct stream_own_perm *out)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < perms->count; i++) {
		const struct perm *entry = &perms->entry[i];

		if (i && entry->record >= DOMAIN_RECORD_FIRST &&
		    !domain_with_record(&core->state.domains, entry->domid, entry->record))
			continue;
		memset(&out[count], 0, sizeof(*out));
		out[count].letter = perm_char(entry->letter);
		out[count].flags = entry->record == PERM_RECORD_STALE ? STREAM_PERM_STALE : 0;
		out[count].domid = entry->domid;
		out[count].record = entry->record >= DOMAIN_RECORD_FIRST ? entry->record : 0;
		count++;
	}
	return count;
}

struct save {
	const struct core *core;
	struct stream_writer *writer;
};

static int put_set(void *data, const char *path, size_t len, struct node *node)
{
	struct save *save = data;
	struct stream_own_perm perms[IMAGE_PERMS_MAX];
	struct stream_delta out = {
		.operation = STREAM_SET,
		.perms = {perms, image_own_perms(save->core, node->perms, perms)},
		.path = {path, (uint32_t)len},
		.value = {(const uint8_t *)node_value(node), node->value_len},
	};

	return stream_put_own(save->writer, STREAM_DELTA, &out);
}

static int put_removed(void *data, const char *path, size_t len)
{
	struct save *save = data;
	struct stream_delta out = {.operation = STREAM_REMOVE, .path = {path, (uint32_t)len}};

	return stream_put_own(save->writer, STREAM_DELTA, &out);
}

/*
 * Children that are new since the snapshot have places behind all that are kept, in the live tree
 * as in the restored one, so their order need not be told.
 */
int save_delta(struct core *core, const struct tree *base, struct stream_writer *writer)
{
	static const struct difference_ops ops = {.set = put_set, .removed = put_removed};
	struct save save = {.core = core, .writer = writer};

	return difference(base, &core->state.live, &ops, &save);
}

/* The checker knows all that can be wrong; here is what must not be done in any case. */
bool image_path_is_possible(const struct stream_text *path, bool remove)
{
	if (!path->count || path->count >= PATH_SIZE)
		return false;
	return path->data[0] == '/' ? !remove || path->count > 1 : path->data[0] == '@' && !remove;
}

int image_set_node(struct tree *tree, const struct stream_text *path,
		   const struct stream_bytes *value, struct perms *perms)
{
	struct tree_edit edit;
	struct lookup lookup;
	int error;

	tree_lookup(tree, path->data, path->count, &lookup);
	if (!lookup.node) {
		error = tree_prepare_create(tree, &edit, &lookup, path->data, path->count,
					    value->data, value->count, perms);
		if (!error)
			tree_apply(tree, &edit);
		return error;
	}
	error = tree_prepare_write(tree, &edit, path->data, path->count, value->data, value->count);
	if (error)
		return error;
	tree_apply(tree, &edit);
	error = tree_prepare_perms(tree, &edit, path->data, path->count, perms);
	if (!error)
		tree_apply(tree, &edit);
	return error;
}

/* Give @child another place in @parent, which is the tree's own. Returns 0 or ENOMEM. */
static int move(struct tree *tree, struct node *parent, struct node *child, uint64_t sequence)
{
	struct node *moved;
	int error = children_prepare_replace(tree, parent, child);

	/* A copy: its place is part of the node, and another tree may have it in another. */
	moved = error ? NULL : node_copy(tree->store, child, 0);
	if (!moved)
		return ENOMEM;
	moved->sequence = sequence;
	tree->bytes += node_bytes(moved) - node_bytes(child);
	children_remove(tree, parent, child);
	node_unref(tree->store, child);
	error = children_prepare_insert(tree, parent, moved);
	if (error) {
		node_unref(tree->store, moved);
		return error;
	}
	children_insert(tree, parent, moved);
	return 0;
}

/* A list of names; children that are not there are passed over. */
struct name_list {
	const struct node *parent;
	const char *at, *end;
};

static struct node *next_child(struct name_list *names)
{
	while (names->at < names->end) {
		const char *name = names->at;
		size_t len = strnlen(name, (size_t)(names->end - name));
		struct node *child = children_find(names->parent, name, len);

		names->at += len + 1;
		if (child)
			return child;
	}
	return NULL;
}

/*
 * Those children that were made just now, above @kept, are put between the ones that they are
 * listed with; all others stay, so that they are the same nodes as in other trees. Returns 0,
 * ENOMEM, or EAGAIN: there is no room between two of them.
 */
static int place_new(struct tree *tree, struct node *parent, struct name_list names, uint64_t kept)
{
	uint64_t before = 0;
	int error = 0;

	for (;;) {
		struct name_list run = names;
		struct node *child;
		uint64_t behind, count = 0;

		while ((child = next_child(&names)) && child->sequence > kept)
			count++;
		if (!child)
			return 0; /* the last ones stand at the end already */
		behind = child->sequence;
		if (behind <= before || behind - before <= count)
			return EAGAIN;
		for (uint64_t i = 1; i <= count && !error; i++)
			error = move(tree, parent, next_child(&run),
				     before + i * ((behind - before) / (count + 1)));
		if (error)
			return error;
		before = behind;
	}
}

int image_set_order(struct tree *tree, const struct stream_text *path,
		    const struct stream_bytes *value, uint64_t kept)
{
	struct name_list names = {.at = (const char *)value->data};
	struct tree_edit edit;
	struct node *parent = tree_find(tree, path->data, path->count), *child;
	int error;

	if (!parent)
		return 0;
	names.end = names.at + value->count;
	/* Preparing permissions that stay as they are makes the directory this tree's own. */
	error = tree_prepare_perms(tree, &edit, path->data, path->count, parent->perms);
	if (error)
		return error;
	names.parent = parent = edit.node;
	tree_abandon(tree, &edit);
	error = kept == UINT64_MAX ? EAGAIN : place_new(tree, parent, names, kept);
	if (error != EAGAIN)
		return error;
	error = 0;
	kept = tree->store->sequence;
	while (!error && (child = next_child(&names)))
		error = move(tree, parent, child, 0);
	/* Those that are not listed stand in front now. */
	while (!error && (child = children_at(parent, 0)) && child->sequence <= kept)
		error = move(tree, parent, child, 0);
	return error;
}

int image_change(struct state *state, enum tree_change kind, const char *path, size_t len,
		 const void *value, size_t value_len, struct perms *perms)
{
	struct change change;
	int error;

	change_init(&change, kind, path, len, value, value_len, perms);
	error = change_prepare(state, &state->live, &change);
	if (!error) {
		change_make(state, &state->live, &change);
		change_settle(state, &change);
	}
	change_deinit(state, &change);
	return error;
}

static int set_live(struct restore *restore, const struct stream_delta *in, struct perms *perms)
{
	struct state *state = &restore->core->state;
	struct lookup lookup;
	int error = 0;

	tree_lookup(&state->live, in->path.data, in->path.count, &lookup);
	if (lookup.missing > 1 || (lookup.missing && in->path.data[0] == '@'))
		return EINVAL;
	if (lookup.missing)
		return image_change(state, TREE_CREATE, in->path.data, in->path.count,
				    in->value.data, in->value.count, perms);
	if (lookup.node->perms != perms)
		error = image_change(state, TREE_PERMS, in->path.data, in->path.count, NULL, 0,
				     perms);
	return error ? error
		     : image_change(state, TREE_WRITE, in->path.data, in->path.count,
				    in->value.data, in->value.count, NULL);
}

static int remove_live(struct restore *restore, const char *path, size_t len)
{
	struct state *state = &restore->core->state;

	if (!tree_find(&state->live, path, len))
		return EINVAL;
	return image_change(state, TREE_REMOVE, path, len, NULL, 0, NULL);
}

int restore_delta(struct restore *restore, const struct stream_delta *in)
{
	struct state *state = &restore->core->state;
	struct perms *perms;
	int error;

	if (in->value.count > UINT16_MAX ||
	    !image_path_is_possible(&in->path, in->operation == STREAM_REMOVE))
		return EINVAL;
	switch (in->operation) {
	case STREAM_REMOVE:
		return remove_live(restore, in->path.data, in->path.count);
	case STREAM_ORDER:
		return image_set_order(&state->live, &in->path, &in->value, UINT64_MAX);
	case STREAM_SET:
		break;
	default:
		return EINVAL;
	}
	perms = image_own_perms_get(restore, &in->perms, &error);
	if (!error)
		error = domain_owner_lives(&state->domains, perms) ? set_live(restore, in, perms)
								   : EINVAL;
	perms_unref(&state->store.perms, perms);
	return error;
}

int restore_orphans(struct restore *restore)
{
	struct state *state = &restore->core->state;
	int error = 0;

	for (size_t i = 0; i < restore->orphans && !error; i++) {
		const struct restore_orphan *orphan = &restore->orphan[i];
		const struct node *node = tree_find(&state->live, orphan->path, orphan->len);

		if (!node || domain_owner_lives(&state->domains, node->perms))
			continue;
		restore_dropped(restore, &restore->report->dropped_nodes,
				"node %s of a domain that has died", orphan->path);
		error = remove_live(restore, orphan->path, orphan->len);
	}
	restore->orphans = 0;
	return error;
}
