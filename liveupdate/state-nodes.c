/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nodes: parents before children, children in order of creation. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "liveupdate/image.h"

/* Whether an entry's domain lives, or lived when @record was made. */
static bool lives(const struct core *core, const uint64_t *record, const struct perm *entry)
{
	if (entry->record < DOMAIN_RECORD_FIRST)
		return true;
	if (record)
		return entry->domid < DOMID_FIRST_RESERVED && record[entry->domid] == entry->record;
	return domain_with_record(&core->state.domains, entry->domid, entry->record);
}

int save_node(const struct core *core, const uint64_t *record, struct stream_writer *writer,
	      const char *path, size_t len, struct node *node)
{
	const struct perms *list = node->perms;
	struct stream_perm perms[IMAGE_PERMS_MAX];
	struct stream_node out = {.path = path,
				  .path_len = (uint16_t)len,
				  .value = (const uint8_t *)node_value(node),
				  .value_len = node->value_len,
				  .perms = perms};

	for (uint32_t i = 0; i < list->count; i++) {
		const struct perm *entry = &list->entry[i];
		bool stale = entry->record == PERM_RECORD_STALE;

		if (i && !lives(core, record, entry))
			continue;
		perms[out.perm_count++] = (struct stream_perm){.letter = perm_char(entry->letter),
							       .flags = stale ? STREAM_PERM_STALE
									      : 0,
							       .domid = entry->domid};
	}
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
		if ((error = save_node(core, NULL, writer, walk->path, walk->path_len, node)))
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

/* One entry as it is now; record 0 in @record: whoever has the domid. Returns false: a dead owner.
 */
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

/* One entry as it was when the snapshot was taken. Its domain may be dead by now. */
static struct perm entry_then(struct restore *restore, unsigned int domid, int letter, bool stale)
{
	uint64_t record = PERM_RECORD_STALE;

	if (domid == DOMID_ANY)
		record = PERM_RECORD_ANY;
	else if (!stale && domid < DOMID_FIRST_RESERVED)
		record = restore->record[domid];
	return perm_make(domid, (unsigned int)letter, record);
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
	struct perm list[IMAGE_PERMS_MAX];

	if (count > IMAGE_PERMS_MAX)
		count = IMAGE_PERMS_MAX;
	for (uint32_t i = 0; i < count; i++) {
		int letter = letter_of(entry[i].letter);
		bool stale = entry[i].flags & STREAM_PERM_STALE;

		list[i] = restore->record ? entry_then(restore, entry[i].domid, letter, stale)
					  : entry_now(restore, entry[i].domid, letter, stale, 0);
	}
	return get(restore, list, count, error);
}

/* An entry that names its record is bound to that, be it of a domain that lives or of a dead one.
 */
static struct perm entry_of(struct restore *restore, const struct stream_own_perm *entry)
{
	int letter = letter_of(entry->letter);
	bool stale = entry->flags & STREAM_PERM_STALE;

	if (stale || entry->domid == DOMID_ANY || entry->record < DOMAIN_RECORD_FIRST ||
	    entry->record > restore->counters.last_record)
		return entry_now(restore, entry->domid, letter, stale, entry->record);
	return perm_make(entry->domid, (unsigned int)letter, entry->record);
}

struct perms *image_own_perms_get(struct restore *restore, const struct stream_own_perms *perms,
				  int *error)
{
	struct perm list[IMAGE_PERMS_MAX];
	uint32_t count = perms->count < IMAGE_PERMS_MAX ? perms->count : IMAGE_PERMS_MAX;

	for (uint32_t i = 0; i < count; i++)
		list[i] = entry_of(restore, &perms->data[i]);
	return get(restore, list, count, error);
}

/*
 * A node that a fresh tree has already: "/" and the special ones. One whose owner has died since
 * the snapshot stays the privileged domain's until a DELTA says more.
 */
static int restore_present(struct restore *restore, const struct stream_node *in,
			   struct perms *perms)
{
	struct state *state = &restore->core->state;
	int error = 0;

	if (domain_owner_lives(&state->domains, perms))
		error = image_change(state, TREE_PERMS, in->path, in->path_len, NULL, 0, perms);
	if (error)
		return error;
	return image_change(state, TREE_WRITE, in->path, in->path_len, in->value, in->value_len,
			    NULL);
}

/* Below @parent, as the last child: by way of the builder, or if it has closed that one already. */
static int put_below(struct restore *restore, struct node *parent, bool open, struct node *node)
{
	struct tree *tree = &restore->core->state.live;
	int error;

	if (open)
		return bulk_add(&restore->bulk, node);
	error = children_prepare_insert(tree, parent, node);
	if (error)
		return error;
	children_insert(tree, parent, node);
	tree->bytes += node_bytes(node);
	return 0;
}

/* Its domain has died since the snapshot: a DELTA has to remove it, or give it to somebody. */
static int note_orphan(struct restore *restore, const char *path, size_t len)
{
	if (restore->orphans == restore->orphan_room) {
		size_t room = restore->orphan_room ? 2 * restore->orphan_room : 64;
		struct restore_orphan *grown = realloc(restore->orphan, room * sizeof(*grown));

		if (!grown)
			return ENOMEM;
		restore->orphan = grown;
		restore->orphan_room = room;
	}
	restore->orphan[restore->orphans++] = (struct restore_orphan){path, len};
	return 0;
}

static int add_node(struct restore *restore, struct node *parent, bool open,
		    const struct stream_node *in, size_t start, struct perms *perms)
{
	struct state *state = &restore->core->state;
	size_t name_len = in->path_len - start;
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
	if ((owner && owner != above && !root) || put_below(restore, parent, open, node)) {
		ownership_unreserve(root);
		node_unref(&state->store, node);
		return ENOMEM;
	}
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
	if (!owner && !domain_owner_lives(&state->domains, perms) &&
	    perms->entry[0].record != parent->perms->entry[0].record &&
	    note_orphan(restore, in->path, in->path_len))
		return ENOMEM;
	return bulk_open(&restore->bulk, node, in->path, in->path_len);
}

/* A second child of one name, with all below it: it has been counted, and is released. */
static int release_duplicate(void *data, const struct node *parent, struct node *node,
			     const char *path, size_t len)
{
	struct restore *restore = data;
	struct state *state = &restore->core->state;
	struct domain *above = domain_owner(&state->domains, parent->perms);
	struct release_job *job = release_reserve();
	char full[PATH_SIZE];

	if (!job) {
		node_unref(&state->store, node);
		return ENOMEM;
	}
	len = (size_t)snprintf(full, sizeof(full), "%.*s%s%s", (int)len, path, len == 1 ? "" : "/",
			       node_name(node));
	restore_dropped(restore, &restore->report->dropped_nodes, "second node %s", full);
	if (above)
		account_add(&above->account, QUOTA_MEMORY, -(int64_t)node->name_len - 1);
	release_start(state, job, node, full, len);
	return 0;
}

int restore_snapshot(struct restore *restore, const struct stream_snapshot *in)
{
	if (restore->record)
		return EINVAL;
	restore->record = calloc(DOMID_FIRST_RESERVED, sizeof(*restore->record));
	if (!restore->record)
		return ENOMEM;
	restore->nodes_size = in->size;
	for (uint32_t i = 0; i < in->owners.count; i++) {
		const struct stream_owner *owner = &in->owners.data[i];

		if (owner->domid >= DOMID_FIRST_RESERVED || owner->record < DOMAIN_RECORD_FIRST)
			return EINVAL;
		restore->record[owner->domid] = owner->record;
	}
	return 0;
}

void restore_nodes_start(struct restore *restore)
{
	bulk_init(&restore->bulk, &restore->core->state.live, release_duplicate, restore);
}

int restore_nodes_end(struct restore *restore)
{
	return bulk_close(&restore->bulk);
}

void restore_nodes_free(struct restore *restore)
{
	bulk_deinit(&restore->bulk);
	free(restore->orphan);
	free(restore->record);
	for (size_t i = 0; i < RESTORE_PERMS; i++)
		perms_unref(&restore->core->state.store.perms, restore->perms[i].perms);
}

/* "/" or a special node, which a fresh tree has. */
static int restore_top(struct restore *restore, const struct stream_node *in, struct perms *perms)
{
	struct node *node;
	int error = bulk_close(&restore->bulk);

	if (error)
		return error;
	node = tree_find(&restore->core->state.live, in->path, in->path_len);
	if (!node) {
		restore_dropped(restore, &restore->report->dropped_nodes,
				"special node %s, which is not known", in->path);
		return 0;
	}
	error = restore_present(restore, in, perms);
	node = tree_find(&restore->core->state.live, in->path, in->path_len);
	if (!error && in->path[0] == '/' && !node->by_sequence)
		error = bulk_open(&restore->bulk, node, in->path, in->path_len);
	return error;
}

static int restore_below(struct restore *restore, const struct stream_node *in, struct perms *perms)
{
	size_t parent_len = path_parent_len(in->path, in->path_len);
	size_t start = parent_len == 1 ? 1 : parent_len + 1;
	struct node *parent;
	bool open;
	int error = bulk_parent(&restore->bulk, in->path, in->path_len, &parent);

	if (error)
		return error;
	open = parent;
	if (!open) {
		error = bulk_close(&restore->bulk);
		if (error)
			return error;
		parent = tree_find(&restore->core->state.live, in->path, parent_len);
		if (parent && children_find(parent, in->path + start, in->path_len - start))
			parent = NULL;
	}
	if (!parent || !path_name_is_legal(in->path + start, in->path_len - start)) {
		restore_dropped(restore, &restore->report->dropped_nodes,
				"node %s: it is there already, its parent is not, or its name is "
				"no name",
				in->path);
		return 0;
	}
	return add_node(restore, parent, open, in, start, perms);
}

/* Most nodes have the permissions of some other one that came just before. */
static struct perms *node_perms(struct restore *restore, const struct stream_node *in, int *error)
{
	const struct stream_perm *entry = in->perms;
	struct restore_perms *recent;
	struct perms *perms;

	if (in->perm_count > RESTORE_ENTRIES)
		return image_perms_get(restore, entry, in->perm_count, error);
	recent = &restore->perms[(entry[0].domid + in->perm_count +
				  entry[in->perm_count - 1].domid * 7u) %
				 RESTORE_PERMS];
	*error = 0;
	if (recent->count == in->perm_count &&
	    !memcmp(recent->entry, entry, in->perm_count * sizeof(*entry)))
		return perms_ref(recent->perms);
	perms = image_perms_get(restore, entry, in->perm_count, error);
	if (perms) {
		perms_unref(&restore->core->state.store.perms, recent->perms);
		recent->perms = perms_ref(perms);
		recent->count = in->perm_count;
		memcpy(recent->entry, entry, in->perm_count * sizeof(*entry));
	}
	return perms;
}

int restore_node(struct restore *restore, const struct stream_node *in)
{
	struct perms *perms;
	int error;

	perms = node_perms(restore, in, &error);
	if (error == ENOENT || in->path_len >= PATH_SIZE) {
		/* Nobody owns it any more: as if its domain's death had removed it. */
		restore_dropped(restore, &restore->report->dropped_nodes,
				"node %s: its owner, domain %u, does not exist", in->path,
				in->perms->domid);
		error = 0;
	} else if (!error && (path_is_root(in->path, in->path_len) || in->path[0] == '@')) {
		error = restore_top(restore, in, perms);
	} else if (!error && in->path[0] == '/') {
		error = restore_below(restore, in, perms);
	} else if (!error) {
		restore_dropped(restore, &restore->report->dropped_nodes,
				"node %s: that is no path", in->path);
	}
	perms_unref(&restore->core->state.store.perms, perms);
	return error;
}
