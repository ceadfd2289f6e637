/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The index of watches. */
#include "state/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct watch_node *node_new_below(struct watches *watches, struct watch_node *parent,
					 const char *name, size_t len)
{
	struct watch_node *node = calloc(1, sizeof(*node) + len);

	if (!node)
		return NULL;
	LIST_INIT(&node->children);
	TAILQ_INIT(&node->watches);
	node->id = ++watches->last_node_id;
	node->parent = parent;
	node->name_len = (uint32_t)len;
	memcpy(node->name, name, len);
	watches->bytes += sizeof(*node) + len;
	if (!parent)
		return node;
	node->level = parent->parent ? parent->level + 1 : 0;
	LIST_INSERT_HEAD(&parent->children, node, sibling);
	hash_insert(&watches->nodes, &node->link,
		    hash_bytes(watches->secret, parent->id, name, len));
	return node;
}

/* Free @node and its ancestors as far as nothing needs them. */
static void prune(struct watches *watches, struct watch_node *node)
{
	while (node->parent && LIST_EMPTY(&node->children) && TAILQ_EMPTY(&node->watches)) {
		struct watch_node *parent = node->parent;

		LIST_REMOVE(node, sibling);
		hash_remove(&watches->nodes, &node->link);
		watches->bytes -= sizeof(*node) + node->name_len;
		free(node);
		node = parent;
	}
}

int watches_init(struct watches *watches, const struct hash_secret *secret)
{
	memset(watches, 0, sizeof(*watches));
	hash_init(&watches->nodes);
	hash_init(&watches->by_token);
	watches->secret = secret;
	watches->root = node_new_below(watches, NULL, "", 0);
	return watches->root ? 0 : ENOMEM;
}

void watches_deinit(struct watches *watches)
{
	free(watches->root);
	hash_deinit(&watches->nodes);
	hash_deinit(&watches->by_token);
}

struct watch_node *watch_node_child(const struct watches *watches, const struct watch_node *node,
				    const char *name, size_t len)
{
	uint64_t hash;
	struct hash_link *link = NULL;

	if (LIST_EMPTY(&node->children))
		return NULL;
	hash = hash_bytes(watches->secret, node->id, name, len);
	while ((link = hash_find(&watches->nodes, hash, link))) {
		struct watch_node *child = hash_entry(link, struct watch_node, link);

		if (child->parent == node && child->name_len == len &&
		    !memcmp(child->name, name, len))
			return child;
	}
	return NULL;
}

struct watch_node *watch_node_find(const struct watches *watches, const char *path, size_t len)
{
	const char *end = path + len, *rest, *name;
	struct watch_node *node = watches->root;
	size_t name_len;

	for (name = path_first(path, &rest, end, &name_len); name && node;
	     name = path_next(&rest, end, &name_len))
		node = watch_node_child(watches, node, name, name_len);
	return node;
}

static uint64_t token_hash(const struct watches *watches, uint64_t client_id, const char *path,
			   size_t path_len, const char *token, size_t token_len)
{
	uint64_t seed = hash_bytes(watches->secret, client_id, path, path_len);

	return hash_bytes(watches->secret, seed, token, token_len);
}

struct watch *watch_find(const struct watches *watches, uint64_t client_id, const char *path,
			 size_t path_len, const char *token, size_t token_len)
{
	uint64_t hash = token_hash(watches, client_id, path, path_len, token, token_len);
	struct hash_link *link = NULL;

	while ((link = hash_find(&watches->by_token, hash, link))) {
		struct watch *watch = hash_entry(link, struct watch, link);

		if (watch->client_id == client_id && watch->path_len == path_len &&
		    watch->token_len == token_len && !memcmp(watch->text, path, path_len) &&
		    !memcmp(watch_token(watch), token, token_len))
			return watch;
	}
	return NULL;
}

static size_t watch_bytes(const struct watch *watch)
{
	return sizeof(*watch) + watch->path_len + watch->token_len + 2;
}

struct watch *watch_add(struct watches *watches, struct client *client, uint64_t client_id,
			const struct path *path, const char *token, size_t token_len, int depth)
{
	const char *end = path->text + path->len, *rest, *name;
	struct watch_node *node = watches->root, *below;
	struct watch *watch = malloc(sizeof(*watch) + path->len + token_len + 2);
	size_t name_len;

	if (!watch)
		return NULL;
	for (name = path_first(path->text, &rest, end, &name_len); name;
	     name = path_next(&rest, end, &name_len)) {
		below = watch_node_child(watches, node, name, name_len);
		if (!below)
			below = node_new_below(watches, node, name, name_len);
		if (!below) {
			prune(watches, node);
			free(watch);
			return NULL;
		}
		node = below;
	}
	memset(watch, 0, sizeof(*watch));
	watch->client = client;
	watch->client_id = client_id;
	watch->node = node;
	watch->sequence = ++watches->last_sequence;
	watch->depth = depth;
	watch->prefix = (uint32_t)path->prefix;
	watch->path_len = (uint32_t)path->len;
	watch->token_len = (uint32_t)token_len;
	memcpy(watch->text, path->text, path->len);
	watch->text[path->len] = 0;
	memcpy(watch->text + path->len + 1, token, token_len);
	watch->text[path->len + 1 + token_len] = 0;
	TAILQ_INSERT_TAIL(&node->watches, watch, of_node);
	hash_insert(&watches->by_token, &watch->link,
		    token_hash(watches, client_id, path->text, path->len, token, token_len));
	watches->count++;
	watches->bytes += watch_bytes(watch);
	return watch;
}

void watch_place(struct watch *watch, uint64_t sequence)
{
	struct watch_list *list = &watch->node->watches;
	struct watch *other;

	TAILQ_REMOVE(list, watch, of_node);
	watch->sequence = sequence;
	TAILQ_FOREACH_REVERSE(other, list, watch_list, of_node)
		if (other->sequence < sequence)
			break;
	if (other)
		TAILQ_INSERT_AFTER(list, other, watch, of_node);
	else
		TAILQ_INSERT_HEAD(list, watch, of_node);
}

void watch_remove(struct watches *watches, struct watch *watch)
{
	struct watch_node *node = watch->node;

	TAILQ_REMOVE(&node->watches, watch, of_node);
	hash_remove(&watches->by_token, &watch->link);
	watches->count--;
	watches->bytes -= watch_bytes(watch);
	free(watch);
	prune(watches, node);
}

void watch_matches_deinit(struct watch_matches *matches)
{
	free(matches->watch);
	memset(matches, 0, sizeof(*matches));
}

static int add_match(struct watch_matches *matches, struct watch *watch)
{
	if (matches->count == matches->room) {
		size_t room = matches->room ? 2 * matches->room : 16;
		struct watch **array = realloc(matches->watch, room * sizeof(*array));

		if (!array)
			return ENOMEM;
		matches->watch = array;
		matches->room = room;
	}
	matches->watch[matches->count++] = watch;
	return 0;
}

static bool depth_matches(const struct watch *watch, enum watch_kind kind, int64_t below)
{
	switch (kind) {
	case WATCH_EXACT:
		return below == 0;
	case WATCH_NODEPTH:
		return below == 0 && watch->depth == WATCH_NO_DEPTH;
	case WATCH_DEPTH:
		return below == 0 || (watch->depth > 0 && below <= watch->depth);
	case WATCH_SUBTREE:
		return watch->depth == WATCH_NO_DEPTH || below <= watch->depth;
	}
	return false;
}

static int by_sequence(const void *a, const void *b)
{
	const struct watch *const *x = a, *const *y = b;

	return (*x)->sequence < (*y)->sequence ? -1 : (*x)->sequence > (*y)->sequence;
}

int watch_match(const struct watches *watches, const char *path, size_t len, enum watch_kind kind,
		struct watch_matches *matches)
{
	const char *end = path + len, *rest, *name, *at;
	const struct watch_node *node = watches->root;
	size_t first = matches->count, name_len;
	unsigned int lists = 0;
	int64_t levels = 0;

	/* Levels of the path: "/" and "@name" have 0. */
	for (at = path + 1; at < end; at++)
		levels += *at == '/';
	levels += path[0] == '/' && len > 1;

	for (name = path_first(path, &rest, end, &name_len); name;
	     name = path_next(&rest, end, &name_len)) {
		struct watch *watch;
		size_t before = matches->count;

		node = watch_node_child(watches, node, name, name_len);
		if (!node)
			break;
		TAILQ_FOREACH(watch, &node->watches, of_node)
			if (depth_matches(watch, kind, levels - node->level) &&
			    add_match(matches, watch))
				return ENOMEM;
		lists += matches->count > before;
	}
	/* Each list is in order already; only several of them have to be mixed. */
	if (lists > 1)
		qsort(matches->watch + first, matches->count - first, sizeof(*matches->watch),
		      by_sequence);
	return 0;
}
