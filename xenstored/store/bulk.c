/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages from a stack of children. The header has the drawing. */
#include "store/bulk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Slots of an index page that are used at first: names to come fall anywhere. */
#define INDEX_FILL (PAGE_SLOTS * 3 / 4)

void bulk_init(struct bulk *bulk, struct tree *tree, bulk_duplicate *duplicate, void *data)
{
	memset(bulk, 0, offsetof(struct bulk, path));
	bulk->tree = tree;
	bulk->duplicate = duplicate;
	bulk->data = data;
}

void bulk_deinit(struct bulk *bulk)
{
	while (bulk->children)
		node_unref(bulk->tree->store, bulk->child[--bulk->children]);
	free(bulk->child);
	free(bulk->level);
}

static struct page *new_page(struct tree *tree, unsigned int level, unsigned int count)
{
	struct page *page = page_new(tree->store, level, count);

	if (page) {
		tree->bytes += page_bytes(page);
		page->count = (uint8_t)count;
	}
	return page;
}

static struct page *leaf(struct tree *tree, struct node *const *node, unsigned int count)
{
	struct page *page = new_page(tree, 0, count);

	if (!page)
		return NULL;
	for (unsigned int i = 0; i < count; i++) {
		page->slot[i] = node[i];
		page->bytes += node[i]->name_len + 1u;
	}
	page->items = count;
	page->first = node[0];
	return page;
}

static struct page *inner(struct tree *tree, struct page *const *below, unsigned int count)
{
	struct page *page = new_page(tree, below[0]->level + 1u, count);

	if (!page)
		return NULL;
	page->borrowed = below[0]->borrowed;
	for (unsigned int i = 0; i < count; i++) {
		page->slot[i] = below[i];
		page->items += below[i]->items;
		page->bytes += below[i]->bytes;
	}
	page->first = below[0]->first;
	return page;
}

/*
 * Pages that were made before memory ran out. Their nodes stay the caller's: a page without slots
 * gives no reference back.
 */
static void drop_pages(struct tree *tree, struct page **page, size_t count)
{
	while (count--) {
		tree->bytes -= page_bytes(page[count]);
		if (page[count]->level)
			drop_pages(tree, (struct page **)page[count]->slot, page[count]->count);
		page[count]->count = 0;
		page_unref(tree->store, page[count]);
	}
}

/* A tree of pages over @count nodes, up to @fill in each. Returns NULL without memory. */
static struct page *build(struct tree *tree, struct node *const *node, size_t count,
			  unsigned int fill, bool borrowed)
{
	struct page *few[PAGE_SLOTS], **page = few, *top = NULL;
	size_t pages = 0, above;

	if (count > PAGE_SLOTS * (size_t)fill)
		page = malloc((count / fill + 1) * sizeof(*page));
	if (!page)
		return NULL;
	for (size_t i = 0, n; i < count; i += n) {
		n = count - i < fill ? count - i : fill;
		page[pages] = leaf(tree, node + i, (unsigned int)n);
		if (!page[pages])
			goto no_memory;
		page[pages++]->borrowed = borrowed;
	}
	while (pages > 1) {
		above = 0;
		for (size_t i = 0, n; i < pages; i += n) {
			struct page *made;

			n = pages - i < fill ? pages - i : fill;
			made = inner(tree, page + i, (unsigned int)n);
			if (!made) {
				memmove(page + above, page + i, (pages - i) * sizeof(*page));
				pages = above + pages - i;
				goto no_memory;
			}
			page[above++] = made;
		}
		pages = above;
	}
	top = page[0];
	pages = 0;
no_memory:
	drop_pages(tree, page, pages);
	if (page != few)
		free(page);
	return top;
}

static int compare(const void *a, const void *b)
{
	const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;

	if (x->name_len != y->name_len)
		return x->name_len < y->name_len ? -1 : 1;
	return memcmp(x->data, y->data, x->name_len);
}

/* Equal names: the one that came first is kept. */
static int compare_or_earlier(const void *a, const void *b)
{
	const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;
	int order = compare(a, b);

	return order ? order : x->sequence < y->sequence ? -1 : 1;
}

/* Whether the later ones of equal names are among @node, in any order if there are few. */
static bool has_duplicate(struct node *const *node, size_t count, bool sorted)
{
	for (size_t i = 1; i < count; i++)
		for (size_t k = sorted ? i - 1 : 0; k < i; k++)
			if (!compare(&node[i], &node[k]))
				return true;
	return false;
}

/* Take the later ones of equal names out. Rare, so it may cost what it likes. */
static int drop_duplicates(struct bulk *bulk, const struct bulk_level *level)
{
	struct node **node = bulk->child + level->first;
	size_t count = bulk->children - level->first, kept = 0;
	int error = 0;

	for (size_t i = 0; i < count; i++) {
		bool again = false;

		for (size_t k = 0; k < kept && !again; k++)
			again = !compare(&node[i], &node[k]);
		if (!again) {
			node[kept++] = node[i];
			continue;
		}
		if (!error)
			error = bulk->duplicate(bulk->data, level->node, node[i], bulk->path,
						level->path_len);
		else
			node_unref(bulk->tree->store, node[i]);
	}
	bulk->children = level->first + kept;
	return error;
}

static int build_index(struct bulk *bulk, struct node *parent, struct node *const *node,
		       size_t count, bool *duplicates)
{
	struct node *few[PAGE_SLOTS * 4], **sorted = few;
	bool in_order = true;

	/* Mostly names are numbers that count up. */
	for (size_t i = 1; i < count && in_order; i++)
		in_order = compare(&node[i - 1], &node[i]) < 0;
	if (in_order) {
		parent->by_name = build(bulk->tree, node, count, INDEX_FILL, true);
		return parent->by_name ? 0 : ENOMEM;
	}
	if (count > sizeof(few) / sizeof(*few))
		sorted = malloc(count * sizeof(*sorted));
	if (!sorted)
		return ENOMEM;
	memcpy(sorted, node, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare_or_earlier);
	*duplicates = has_duplicate(sorted, count, true);
	if (!*duplicates)
		parent->by_name = build(bulk->tree, sorted, count, INDEX_FILL, true);
	if (sorted != few)
		free(sorted);
	return *duplicates || parent->by_name ? 0 : ENOMEM;
}

/* Leave the innermost directory. */
static int close_level(struct bulk *bulk)
{
	struct bulk_level *level = &bulk->level[bulk->depth - 1];
	struct node *parent = level->node, **node = bulk->child + level->first;
	size_t count = bulk->children - level->first;
	bool duplicates = false;
	int error = 0;

	if (count >= CHILDREN_INDEX_MIN)
		error = build_index(bulk, parent, node, count, &duplicates);
	else
		duplicates = has_duplicate(node, count, false);
	if (duplicates) {
		error = drop_duplicates(bulk, level);
		return error ? error : close_level(bulk);
	}
	if (count && !error) {
		parent->by_sequence = build(bulk->tree, node, count, PAGE_SLOTS, false);
		if (!parent->by_sequence)
			error = ENOMEM;
	}
	if (error)
		return error;
	bulk->children = level->first;
	bulk->depth--;
	return 0;
}

int bulk_parent(struct bulk *bulk, const char *path, size_t len, struct node **parent)
{
	size_t parent_len = path_parent_len(path, len);
	int error = 0;

	*parent = NULL;
	while (!error && bulk->depth) {
		const struct bulk_level *level = &bulk->level[bulk->depth - 1];

		if (level->path_len == parent_len && !memcmp(bulk->path, path, parent_len)) {
			*parent = level->node;
			return 0;
		}
		if (path_covers(bulk->path, level->path_len, path, len))
			break; /* between them there is nothing */
		if (bulk->children == level->first)
			bulk->depth--; /* a leaf, as most are */
		else
			error = close_level(bulk);
	}
	return error;
}

int bulk_add(struct bulk *bulk, struct node *node)
{
	if (bulk->children == bulk->child_room) {
		size_t room = bulk->child_room ? 2 * bulk->child_room : 256;
		struct node **child = realloc(bulk->child, room * sizeof(*child));

		if (!child)
			return ENOMEM;
		bulk->child = child;
		bulk->child_room = room;
	}
	node->sequence = bulk->tree->store->sequence += STORE_SEQUENCE_STEP;
	bulk->tree->bytes += node_bytes(node);
	bulk->child[bulk->children++] = node;
	return 0;
}

int bulk_open(struct bulk *bulk, struct node *node, const char *path, size_t len)
{
	if (bulk->depth == bulk->level_room) {
		unsigned int room = bulk->level_room ? 2 * bulk->level_room : 32;
		struct bulk_level *level = realloc(bulk->level, room * sizeof(*level));

		if (!level)
			return ENOMEM;
		bulk->level = level;
		bulk->level_room = room;
	}
	bulk->level[bulk->depth++] = (struct bulk_level){
		.node = node, .path_len = (uint32_t)len, .first = bulk->children};
	memcpy(bulk->path, path, len);
	return 0;
}

int bulk_close(struct bulk *bulk)
{
	int error = 0;

	while (!error && bulk->depth)
		error = close_level(bulk);
	return error;
}
