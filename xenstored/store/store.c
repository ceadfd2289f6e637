/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Allocation of nodes and pages, and freeing in slices. */
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

void store_init(struct store *store, const struct hash_secret *secret, uint64_t generation)
{
	memset(store, 0, sizeof(*store));
	perms_table_init(&store->perms, secret);
	store->generation = generation;
}

void store_deinit(struct store *store)
{
	while (store_has_dead(store))
		store_free_some(store, 1000);
	perms_table_deinit(&store->perms);
}

/*
 * The allocator hands out multiples of 16 bytes less 8. What it would waste at the end of a node
 * is room for the value to grow in place.
 */
static size_t round_up(size_t size)
{
	return ((size + 8 + 15) & ~(size_t)15) - 8;
}

static struct node *node_alloc(struct store *store, size_t data)
{
	size_t size = round_up(sizeof(struct node) + data);
	struct node *node = malloc(size);

	if (!node)
		return NULL;
	memset(node, 0, sizeof(*node));
	node->refs = 1;
	node->room = (uint32_t)(size - sizeof(*node));
	store->bytes += size;
	store->nodes++;
	return node;
}

struct node *node_new(struct store *store, const char *name, size_t name_len, const void *value,
		      size_t value_len, struct perms *perms)
{
	struct node *node = node_alloc(store, name_len + 1 + value_len);

	if (!node)
		return NULL;
	node->name_len = (uint16_t)name_len;
	node->value_len = (uint16_t)value_len;
	node->perms = perms;
	memcpy(node->data, name, name_len);
	node->data[name_len] = 0;
	if (value_len)
		memcpy(node_value(node), value, value_len);
	node->generation = store_next_generation(store);
	return node;
}

struct node *node_copy(struct store *store, const struct node *node, size_t value_len)
{
	size_t need = value_len > node->value_len ? value_len : node->value_len;
	struct node *copy = node_alloc(store, node->name_len + 1u + need);

	if (!copy)
		return NULL;
	copy->name_len = node->name_len;
	copy->value_len = node->value_len;
	copy->perms = perms_ref(node->perms);
	copy->generation = node->generation;
	copy->sequence = node->sequence;
	copy->flags = node->flags;
	copy->by_sequence = node->by_sequence ? page_ref(node->by_sequence) : NULL;
	copy->by_name = node->by_name ? page_ref(node->by_name) : NULL;
	memcpy(copy->data, node->data, node->name_len + 1u + node->value_len);
	return copy;
}

/* A dead object is linked through its first pointer-sized member that is not needed any more. */
void node_unref(struct store *store, struct node *node)
{
	if (!node || --node->refs)
		return;
	perms_unref(&store->perms, node->perms);
	node->perms = (struct perms *)(void *)store->dead_nodes;
	store->dead_nodes = node;
}

void page_unref(struct store *store, struct page *page)
{
	if (!page || --page->refs)
		return;
	page->first = (struct node *)(void *)store->dead_pages;
	store->dead_pages = page;
}

struct page *page_new(struct store *store, unsigned int level, unsigned int room)
{
	unsigned int slots = room <= 1	  ? 1
			     : room <= 3  ? 3
			     : room <= 7  ? 7
			     : room <= 15 ? 15
					  : PAGE_SLOTS;
	size_t size = sizeof(struct page) + slots * sizeof(void *);
	struct page *page = malloc(size);

	if (!page)
		return NULL;
	memset(page, 0, sizeof(*page));
	page->refs = 1;
	page->level = (uint8_t)level;
	page->room = (uint8_t)slots;
	store->bytes += size;
	return page;
}

static size_t pages_bytes(const struct page *page)
{
	size_t bytes = page_bytes(page);

	/* As deep as the page tree is high, which is the logarithm of the number of children. */
	for (unsigned int i = 0; page->level && i < page->count; i++)
		bytes += pages_bytes(page->slot[i]);
	return bytes;
}

size_t children_bytes(const struct node *node)
{
	return (node->by_sequence ? pages_bytes(node->by_sequence) : 0) +
	       (node->by_name ? pages_bytes(node->by_name) : 0);
}

static long free_page(struct store *store, struct page *page)
{
	for (unsigned int i = 0; i < page->count; i++) {
		if (page->level)
			page_unref(store, page->slot[i]);
		else if (!page->borrowed)
			node_unref(store, page->slot[i]);
	}
	store->bytes -= page_bytes(page);
	long work = 1 + page->count / 4;
	free(page);
	return work;
}

static long free_node(struct store *store, struct node *node)
{
	page_unref(store, node->by_sequence);
	page_unref(store, node->by_name);
	store->bytes -= node_bytes(node);
	store->nodes--;
	free(node);
	return 1;
}

long store_free_some(struct store *store, long work)
{
	while (work > 0) {
		if (store->dead_pages) {
			struct page *page = store->dead_pages;

			store->dead_pages = (struct page *)(void *)page->first;
			work -= free_page(store, page);
		} else if (store->dead_nodes) {
			struct node *node = store->dead_nodes;

			store->dead_nodes = (struct node *)(void *)node->perms;
			work -= free_node(store, node);
		} else {
			break;
		}
	}
	return work;
}
