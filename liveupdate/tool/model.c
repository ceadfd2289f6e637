/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loading an image, changes included, and writing it again. */
#include "liveupdate/tool/model.h"

#include <stdlib.h>
#include <string.h>

#include "bytes/path.h"

void pointers_add(struct pointers *pointers, void *item)
{
	if (pointers->count == pointers->room) {
		size_t room = pointers->room ? pointers->room * 2 : 64;
		void **grown = tool_alloc(room * sizeof(*grown));

		if (pointers->count)
			memcpy(grown, pointers->item, pointers->count * sizeof(*grown));
		pointers->item = grown;
		pointers->room = room;
	}
	pointers->item[pointers->count++] = item;
}

void model_init(struct model *model)
{
	memset(model, 0, sizeof(*model));
	hash_init(&model->nodes);
}

void model_deinit(struct model *model)
{
	hash_deinit(&model->nodes);
}

struct tree_node *model_find(const struct model *model, const char *path, size_t len)
{
	uint64_t hash = hash_bytes(tool_secret(), 0, path, len);
	struct hash_link *link = NULL;

	while ((link = hash_find(&model->nodes, hash, link))) {
		struct tree_node *node = hash_entry(link, struct tree_node, link);

		if (node->path_len == len && !memcmp(node->path, path, len))
			return node;
	}
	return NULL;
}

static void append(struct tree_node *parent, struct tree_node *node)
{
	node->parent = parent;
	node->previous = parent->last;
	node->next = NULL;
	if (parent->last)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
}

static void detach(struct tree_node *node)
{
	if (node->previous)
		node->previous->next = node->next;
	else
		node->parent->first = node->next;
	if (node->next)
		node->next->previous = node->previous;
	else
		node->parent->last = node->previous;
}

static struct tree_node *find_parent(const struct model *model, const char *path, size_t len)
{
	size_t parent = path_parent_len(path, len);

	return parent && parent < len ? model_find(model, path, parent) : NULL;
}

struct tree_node *model_set(struct model *model, const char *path, size_t len, const uint8_t *value,
			    size_t value_len, const struct stream_perm *perms, size_t perm_count)
{
	struct tree_node *node = model_find(model, path, len);

	if (!node) {
		struct tree_node *parent = find_parent(model, path, len);

		node = tool_alloc(sizeof(*node));
		node->path = path;
		node->path_len = len;
		append(parent ? parent : &model->tops, node);
		hash_insert(&model->nodes, &node->link, hash_bytes(tool_secret(), 0, path, len));
	}
	node->value = value;
	node->value_len = (uint16_t)value_len;
	node->perms = perms;
	node->perm_count = (uint16_t)perm_count;
	return node;
}

unsigned int model_owner(const struct tree_node *node)
{
	return node->perms[0].domid;
}

struct tree_node *model_next(const struct tree_node *top, const struct tree_node *node)
{
	if (node->first)
		return node->first;
	while (node != top && !node->next)
		node = node->parent;
	return node == top ? NULL : node->next;
}

static void remove_subtree(struct model *model, struct tree_node *top)
{
	detach(top);
	for (struct tree_node *node = top; node; node = model_next(top, node))
		hash_remove(&model->nodes, &node->link);
}

/* Listed children come first, in the order of the list; others stay behind. */
static void reorder(struct model *model, struct tree_node *parent, const struct stream_bytes *names)
{
	struct tree_node *rest_first = parent->first;
	struct tree_node ordered = {0};

	for (uint32_t at = 0; at < names->count;) {
		const char *name = (const char *)names->data + at;
		size_t len = strlen(name);
		bool root = path_is_root(parent->path, parent->path_len);
		size_t path_len = (root ? 0 : parent->path_len) + 1 + len;
		char *path = tool_alloc(path_len + 1);
		struct tree_node *child;

		memcpy(path, parent->path, parent->path_len);
		path[path_len - len - 1] = '/';
		memcpy(path + path_len - len, name, len);
		child = model_find(model, path, path_len);
		if (child && child->parent == parent) {
			detach(child);
			append(&ordered, child);
		}
		at += (uint32_t)len + 1;
	}
	while ((rest_first = parent->first)) {
		detach(rest_first);
		append(&ordered, rest_first);
	}
	while (ordered.first) {
		struct tree_node *child = ordered.first;

		detach(child);
		append(parent, child);
	}
}

static void load_delta(struct model *model, const struct stream_delta *delta)
{
	struct tree_node *node = model_find(model, delta->path.data, delta->path.count);
	struct stream_perm *perms;

	if (delta->operation == STREAM_REMOVE && node)
		remove_subtree(model, node);
	else if (delta->operation == STREAM_ORDER && node)
		reorder(model, node, &delta->value);
	if (delta->operation != STREAM_SET)
		return;
	perms = tool_alloc(delta->perms.count * sizeof(*perms));
	for (uint32_t i = 0; i < delta->perms.count; i++) {
		perms[i].letter = delta->perms.data[i].letter;
		perms[i].flags = delta->perms.data[i].flags;
		perms[i].domid = delta->perms.data[i].domid;
	}
	model_set(model, delta->path.data, delta->path.count, delta->value.data, delta->value.count,
		  perms, delta->perms.count);
}

static void *keep(const void *data, size_t size)
{
	void *copy = tool_alloc(size);

	memcpy(copy, data, size);
	return copy;
}

void model_add_watch(struct model *model, const struct stream_watch *watch)
{
	struct model_watch *entry = tool_alloc(sizeof(*entry));

	entry->watch = *watch;
	entry->index = model->watches.count;
	pointers_add(&model->watches, entry);
}

static void load_record(struct model *model, const struct stream_record *record)
{
	const struct stream_node *node = &record->node;

	switch (record->type) {
	case STREAM_GLOBAL:
		model->has_global = true;
		model->global = record->global;
		break;
	case STREAM_CONNECTION:
		pointers_add(&model->connections,
			     keep(&record->connection, sizeof(record->connection)));
		break;
	case STREAM_WATCH:
	case STREAM_WATCH_EXTENDED:
		model_add_watch(model, &record->watch);
		break;
	case STREAM_NODE:
		model_set(model, node->path, node->path_len, node->value, node->value_len,
			  node->perms, node->perm_count);
		break;
	case STREAM_GLOBAL_QUOTA:
		model->quotas = keep(&record->quotas, sizeof(record->quotas));
		break;
	case STREAM_DOMAIN:
		pointers_add(&model->domains, keep(&record->domain, sizeof(record->domain)));
		break;
	case STREAM_DELTA:
		load_delta(model, &record->own.delta);
		break;
	case STREAM_IMAGE:
		model->own_domid = record->own.image.own_domid;
		model->priv_domid = record->own.image.priv_domid;
		break;
	case STREAM_PERMS:
		break;
	default:
		if (stream_is_own(record->type) && record->understood)
			pointers_add(&model->own, keep(record, sizeof(*record)));
	}
}

void model_load(struct model *model, const struct tool_file *file)
{
	struct stream_reader reader;
	struct stream_record record;
	struct stream_error error;

	model_init(model);
	if (stream_reader_init(&reader, file->data, file->size, &error))
		tool_fail("%s: %s", file->name, error.text);
	while (stream_next(&reader, &record, &error) == STREAM_RECORD)
		load_record(model, &record);
	if (!reader.ended)
		tool_fail("%s: %s", file->name, error.text);
	model_sort_watches(model);
}

void model_writer_check(const struct stream_writer *writer)
{
	if (writer->error)
		tool_fail("cannot write the image: %s", strerror(writer->error));
}

void model_write_node(struct stream_writer *writer, const struct tree_node *node)
{
	struct stream_node out = {.path = node->path,
				  .path_len = (uint16_t)node->path_len,
				  .value = node->value,
				  .value_len = node->value_len,
				  .perms = node->perms,
				  .perm_count = node->perm_count};

	stream_put_node(writer, &out);
}

static void write_nodes(const struct model *model, struct stream_writer *writer, bool special)
{
	const struct tree_node *node = &model->tops;

	while ((node = model_next(&model->tops, node)))
		if ((node->path[0] == '@') == special)
			model_write_node(writer, node);
}

/* By connection; those of one stay in their order. */
static int compare_watches(const void *a, const void *b)
{
	const struct model_watch *x = *(void *const *)a, *y = *(void *const *)b;

	if (x->watch.conn_id != y->watch.conn_id)
		return x->watch.conn_id < y->watch.conn_id ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

void model_write_watches(const struct model *model, struct stream_writer *writer, uint32_t id)
{
	size_t low = 0, high = model->watches.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct stream_watch *watch = model->watches.item[middle];

		if (watch->conn_id < id)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < model->watches.count; low++) {
		const struct stream_watch *watch = model->watches.item[low];

		if (watch->conn_id != id)
			break;
		stream_put_watch(writer, watch);
	}
}

void model_sort_watches(struct model *model)
{
	if (model->watches.count)
		qsort(model->watches.item, model->watches.count, sizeof(*model->watches.item),
		      compare_watches);
}

/* Whether a ring's target is among those that are still to be written. */
static bool waits(const struct model *model, const bool *done, size_t index)
{
	const struct stream_connection *connection = model->connections.item[index];

	if (connection->type != STREAM_RING || connection->target == STREAM_NO_TARGET)
		return false;
	for (size_t i = 0; i < model->connections.count; i++) {
		const struct stream_connection *other = model->connections.item[i];

		if (!done[i] && i != index && other->type == STREAM_RING &&
		    other->domid == connection->target)
			return true;
	}
	return false;
}

/*
 * Readers look a target up when its user comes, so a user moves behind its target; otherwise the
 * order, in which events fan out, stays. Two that are each other's target stay as they are.
 */
static void write_connections(const struct model *model, struct stream_writer *writer)
{
	size_t count = model->connections.count, left = count, before = count + 1;
	bool *done = tool_alloc(count + 1);

	while (left) {
		bool circle = left == before;

		before = left;
		for (size_t i = 0; i < count; i++) {
			const struct stream_connection *connection = model->connections.item[i];

			if (done[i] || (!circle && waits(model, done, i)))
				continue;
			done[i] = true;
			left--;
			stream_put_connection(writer, connection);
			model_write_watches(model, writer, connection->id);
		}
	}
}

void model_write(const struct model *model, struct stream_writer *writer)
{
	if (model->has_global)
		stream_put_global(writer, &model->global);
	if (model->quotas)
		stream_put_global_quota(writer, model->quotas);
	write_connections(model, writer);
	if (writer->dialect->specials_first)
		write_nodes(model, writer, true);
	write_nodes(model, writer, false);
	if (!writer->dialect->specials_first)
		write_nodes(model, writer, true);
	for (size_t i = 0; i < model->domains.count; i++)
		stream_put_domain(writer, model->domains.item[i]);
	stream_put_end(writer);
	model_writer_check(writer);
}
