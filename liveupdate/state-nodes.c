/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nodes: parents before children, children in order of creation. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "liveupdate/image.h"

/* More permission entries than a SET_PERMS can bring. */
#define PERMS_MAX (WIRE_PAYLOAD_MAX / 2)

uint16_t image_perms(const struct core *core, const struct perms *perms, struct stream_perm *out)
{
	uint16_t count = 0;

	for (uint32_t i = 0; i < perms->count; i++) {
		const struct perm *entry = &perms->entry[i];
		bool stale = entry->record == PERM_RECORD_STALE;

		if (i && entry->record >= DOMAIN_RECORD_FIRST &&
		    !domain_with_record(&core->state.domains, entry->domid, entry->record))
			continue;
		out[count++] = (struct stream_perm){.letter = perm_char(entry->letter),
						    .flags = stale ? STREAM_PERM_STALE : 0,
						    .domid = entry->domid};
	}
	return count;
}

int save_node(struct core *core, struct stream_writer *writer, const char *path, size_t len,
	      struct node *node)
{
	struct stream_perm perms[PERMS_MAX];
	struct stream_node out = {.path = path,
				  .path_len = (uint16_t)len,
				  .value = (const uint8_t *)node_value(node),
				  .value_len = node->value_len,
				  .perms = perms};

	out.perm_count = image_perms(core, node->perms, perms);
	return stream_put_node(writer, &out);
}

static int save_below(struct core *core, struct stream_writer *writer, const char *name)
{
	struct node *top = tree_find(&core->state.live, name, strlen(name)), *node;
	struct walk *walk;
	int error;

	if (!top)
		return 0;
	walk = malloc(sizeof(*walk));
	if (!walk)
		return ENOMEM;
	walk_init(walk, &core->state.store, node_ref(top), name, strlen(name));
	while (!(error = walk_next(walk, &node)) && node)
		if ((error = save_node(core, writer, walk->path, walk->path_len, node)))
			break;
	walk_deinit(walk);
	free(walk);
	return error;
}

int save_nodes(struct core *core, struct stream_writer *writer)
{
	static const char *const special[] = {"@releaseDomain", "@introduceDomain"};
	bool first = writer->dialect->specials_first;
	int error = first ? 0 : save_below(core, writer, "/");

	for (int i = 0; i < 2 && !error; i++)
		error = save_below(core, writer, special[i]);
	return !error && first ? save_below(core, writer, "/") : error;
}

static int letter_of(char c)
{
	return c == 'r' ? PERM_READ : c == 'w' ? PERM_WRITE : c == 'b' ? PERM_READ | PERM_WRITE : 0;
}

/* One entry as it is now; record 0 in @record: whoever has the domid. Returns false: a dead owner. */
static struct perm entry_now(struct restore *restore, unsigned int domid, int letter, bool stale,
			     uint64_t record)
{
	const struct domain *domain;

	if (domid == DOMID_ANY)
		return perm_make(domid, (unsigned int)letter, PERM_RECORD_ANY);
	domain = stale ? NULL : restore_know(restore, domid);
	if (!domain || (record && domain->record != record))
		return perm_make(domid, (unsigned int)letter, PERM_RECORD_STALE);
	return domain_perm(domain, (unsigned int)letter);
}

static struct perms *get(struct restore *restore, const struct perm *entry, uint32_t count,
			 int *error)
{
	struct perms *perms;

	if (!count || entry[0].record == PERM_RECORD_STALE) {
		*error = ENOENT;
		return NULL;
	}
	perms = perms_get(&restore->core->state.store.perms, entry, count);
	*error = perms ? 0 : ENOMEM;
	return perms;
}

struct perms *image_perms_get(struct restore *restore, const struct stream_perm *entry,
			      uint32_t count, int *error)
{
	struct perm list[PERMS_MAX];

	if (count > PERMS_MAX)
		count = PERMS_MAX;
	for (uint32_t i = 0; i < count; i++)
		list[i] = entry_now(restore, entry[i].domid, letter_of(entry[i].letter),
				    entry[i].flags & STREAM_PERM_STALE, 0);
	return get(restore, list, count, error);
}

struct perms *image_own_perms_get(struct restore *restore, const struct stream_own_perms *perms,
				  int *error)
{
	struct perm list[PERMS_MAX];
	uint32_t count = perms->count < PERMS_MAX ? perms->count : PERMS_MAX;

	for (uint32_t i = 0; i < count; i++) {
		const struct stream_own_perm *entry = &perms->data[i];

		list[i] = entry_now(restore, entry->domid, letter_of(entry->letter),
				    entry->flags & STREAM_PERM_STALE, entry->record);
	}
	return get(restore, list, count, error);
}

/* The parent of @path: mostly on the way to the node that came last. */
static struct node *parent_of(struct restore *restore, const char *path, size_t len)
{
	size_t parent_len = path_parent_len(path, len);

	while (restore->depth) {
		const struct restore_level *level = &restore->level[restore->depth - 1];

		if (level->len == parent_len && !memcmp(restore->last.text, path, parent_len))
			return level->node;
		restore->depth--;
	}
	return tree_find(&restore->core->state.live, path, parent_len);
}

static int remember(struct restore *restore, struct node *node, const char *path, size_t len)
{
	if (restore->depth == restore->room) {
		unsigned int room = restore->room ? 2 * restore->room : 32;
		struct restore_level *level = realloc(restore->level, room * sizeof(*level));

		if (!level)
			return ENOMEM;
		restore->level = level;
		restore->room = room;
	}
	restore->level[restore->depth++] = (struct restore_level){node, len};
	memcpy(restore->last.text, path, len);
	restore->last.len = len;
	return 0;
}

/* A node that a fresh tree has already: "/" and the special ones. */
static int restore_present(struct restore *restore, const struct stream_node *in,
			   struct perms *perms)
{
	struct state *state = &restore->core->state;
	struct change change;
	int error;

	change_init(&change, TREE_PERMS, in->path, in->path_len, NULL, 0, perms);
	error = change_prepare(state, &state->live, &change);
	if (!error) {
		change_make(state, &state->live, &change);
		change_settle(state, &change);
	}
	change_deinit(state, &change);
	if (error)
		return error;
	change_init(&change, TREE_WRITE, in->path, in->path_len, in->value, in->value_len, NULL);
	error = change_prepare(state, &state->live, &change);
	if (!error) {
		change_make(state, &state->live, &change);
		change_settle(state, &change);
	}
	change_deinit(state, &change);
	return error;
}

static int add_node(struct restore *restore, struct node *parent, const struct stream_node *in,
		    struct perms *perms)
{
	struct state *state = &restore->core->state;
	struct tree *tree = &state->live;
	size_t parent_len = path_parent_len(in->path, in->path_len);
	size_t start = parent_len == 1 ? 1 : parent_len + 1, name_len = in->path_len - start;
	struct domain *owner = domain_owner(&state->domains, perms);
	struct domain *above = domain_owner(&state->domains, parent->perms);
	struct ownership_root *root = NULL;
	struct node *node;

	node = node_new(&state->store, in->path + start, name_len, in->value, in->value_len,
			perms_ref(perms));
	if (!node) {
		perms_unref(&state->store.perms, perms);
		return ENOMEM;
	}
	if (owner && owner != above)
		root = ownership_reserve(in->path, in->path_len);
	if ((owner && owner != above && !root) || children_prepare_insert(tree, parent, node)) {
		ownership_unreserve(root);
		node_unref(&state->store, node);
		return ENOMEM;
	}
	children_insert(tree, parent, node);
	tree->bytes += node_bytes(node);
	if (root) {
		node->flags |= NODE_OWNERSHIP_ROOT;
		ownership_add(&state->ownership, owner, root);
	}
	if (owner) {
		account_add(&owner->account, QUOTA_NODES, 1);
		account_add(&owner->account, QUOTA_MEMORY,
			    (int64_t)(node_size(node) + in->path_len));
	}
	if (above)
		account_add(&above->account, QUOTA_MEMORY, (int64_t)name_len + 1);
	return remember(restore, node, in->path, in->path_len);
}

int restore_node(struct restore *restore, const struct stream_node *in)
{
	struct node *parent = NULL;
	struct perms *perms;
	int error;

	perms = image_perms_get(restore, in->perms, in->perm_count, &error);
	if (error == ENOENT) {
		/* Nobody owns it any more: as if its domain's death had removed it. */
		restore->report->dropped_nodes++;
		return 0;
	}
	if (error)
		return error;
	if (path_is_root(in->path, in->path_len) || in->path[0] == '@') {
		restore->depth = 0;
		if (tree_find(&restore->core->state.live, in->path, in->path_len))
			error = restore_present(restore, in, perms);
		else
			restore->report->dropped_nodes++;
		if (!error && in->path[0] == '/')
			error = remember(restore,
					 tree_find(&restore->core->state.live, "/", 1), "/", 1);
	} else {
		parent = parent_of(restore, in->path, in->path_len);
		if (parent)
			error = add_node(restore, parent, in, perms);
		else
			restore->report->dropped_nodes++;
	}
	perms_unref(&restore->core->state.store.perms, perms);
	return error;
}
