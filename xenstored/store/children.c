/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages of children: search, preparation, change. The header has the drawing. */
#include "store/children.h"

#include <errno.h>
#include <string.h>

#include "store/store.h"

/* 32-slot pages that split in halves: 16^8 children are more than memory holds. */
#define LEVELS_MAX 10

enum order { BY_SEQUENCE, BY_NAME };

struct key {
	uint64_t sequence;
	const char *name;
	size_t len;
};

static struct key key_of(const struct node *node)
{
	struct key key = {node->sequence, node->data, node->name_len};

	return key;
}

static int compare(enum order order, const struct key *key, const struct node *node)
{
	if (order == BY_SEQUENCE)
		return key->sequence < node->sequence ? -1 : key->sequence > node->sequence;
	if (key->len != node->name_len)
		return key->len < node->name_len ? -1 : 1;
	return memcmp(key->name, node->data, key->len);
}

static struct node *first_of(const struct page *page, unsigned int slot)
{
	return page->level ? ((struct page *)page->slot[slot])->first : page->slot[slot];
}

/* The number of slots that begin at or before @key. */
static unsigned int slots_before(const struct page *page, enum order order, const struct key *key)
{
	unsigned int low = 0, high = page->count;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (compare(order, key, first_of(page, middle)) < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* The slot of an inner page in which @key is or would be. */
static unsigned int slot_for(const struct page *page, enum order order, const struct key *key)
{
	unsigned int before = slots_before(page, order, key);

	return before ? before - 1 : 0;
}

size_t node_size(const struct node *node)
{
	return 16 + 8 * (size_t)node->perms->count + node->value_len + node_child_bytes(node);
}

uint32_t node_child_count(const struct node *node)
{
	return node->by_sequence ? node->by_sequence->items : 0;
}

uint64_t node_child_bytes(const struct node *node)
{
	return node->by_sequence ? node->by_sequence->bytes : 0;
}

void *const *children_run(const struct node *parent, uint32_t index, uint32_t *count)
{
	const struct page *page = parent->by_sequence;

	*count = 0;
	if (!page || index >= page->items)
		return NULL;
	while (page->level) {
		unsigned int i = 0;
		const struct page *below = page->slot[0];

		while (index >= below->items) {
			index -= below->items;
			below = page->slot[++i];
		}
		page = below;
	}
	*count = page->count - index;
	return &page->slot[index];
}

struct node *children_at(const struct node *parent, uint32_t index)
{
	uint32_t count;
	void *const *run = children_run(parent, index, &count);

	return run ? *run : NULL;
}

bool children_seek(const struct node *parent, uint64_t offset, uint32_t *index, uint64_t *start)
{
	const struct page *page = parent->by_sequence;

	*index = 0;
	*start = 0;
	if (!page || offset >= page->bytes)
		return false;
	for (unsigned int i = 0;; i++) {
		uint64_t bytes;

		if (page->level)
			bytes = ((const struct page *)page->slot[i])->bytes;
		else
			bytes = ((const struct node *)page->slot[i])->name_len + 1u;
		if (*start + bytes <= offset) {
			*start += bytes;
			*index += page->level ? ((const struct page *)page->slot[i])->items : 1;
		} else if (page->level) {
			page = page->slot[i];
			i = UINT32_MAX; /* from the start of the page below */
		} else {
			return true;
		}
	}
}

/* The leaf slot that holds exactly @key, or NULL. */
static void **find_slot(struct page *page, enum order order, const struct key *key, bool *shared)
{
	unsigned int before;

	if (!page)
		return NULL;
	for (;;) {
		*shared |= page->refs > 1;
		if (!page->level)
			break;
		page = page->slot[slot_for(page, order, key)];
	}
	before = slots_before(page, order, key);
	if (!before || compare(order, key, page->slot[before - 1]))
		return NULL;
	return &page->slot[before - 1];
}

struct node *children_find(const struct node *parent, const char *name, size_t len)
{
	uint32_t count, index = 0;
	void *const *run;

	if (parent->by_name) {
		struct key key = {0, name, len};
		bool shared = false;
		void **slot = find_slot(parent->by_name, BY_NAME, &key, &shared);

		return slot ? *slot : NULL;
	}
	while ((run = children_run(parent, index, &count))) {
		for (uint32_t i = 0; i < count; i++) {
			struct node *child = run[i];

			if (child->name_len == len && !memcmp(child->data, name, len))
				return child;
		}
		index += count;
	}
	return NULL;
}

struct node *children_find_shared(const struct node *parent, const char *name, size_t len,
				  bool *shared)
{
	struct node *child = children_find(parent, name, len);

	if (child && !*shared) {
		struct key key = key_of(child);

		find_slot(parent->by_sequence, BY_SEQUENCE, &key, shared);
		*shared |= child->refs > 1;
	}
	return child;
}

/* A new page that belongs to @tree. */
static struct page *new_page(struct tree *tree, unsigned int level, unsigned int room)
{
	struct page *page = page_new(tree->store, level, room);

	if (page) {
		tree->bytes += page_bytes(page);
		tree->allocated += page_bytes(page);
	}
	return page;
}

/* @tree does without @page from now on; others may still hold it. */
static void drop_page(struct tree *tree, struct page *page)
{
	tree->bytes -= page_bytes(page);
	page_unref(tree->store, page);
}

/*
 * Make a page the caller's own with room for @room slots. Takes over the caller's reference and
 * returns the page to be put in its place, or NULL without memory, when nothing has changed.
 */
static struct page *own_page(struct tree *tree, struct page *page, unsigned int room)
{
	struct page *copy;

	if (room > PAGE_SLOTS)
		room = PAGE_SLOTS;
	if (page->refs == 1 && page->room >= room)
		return page;
	copy = new_page(tree, page->level, room > page->count ? room : page->count);
	if (!copy)
		return NULL;
	copy->count = page->count;
	copy->borrowed = page->borrowed;
	copy->items = page->items;
	copy->bytes = page->bytes;
	copy->first = page->first;
	memcpy(copy->slot, page->slot, page->count * sizeof(void *));
	if (page->refs == 1) {
		page->count = 0; /* its references have moved */
	} else {
		for (unsigned int i = 0; i < copy->count; i++) {
			if (copy->level)
				page_ref(copy->slot[i]);
			else if (!copy->borrowed)
				node_ref(copy->slot[i]);
		}
	}
	drop_page(tree, page);
	return copy;
}

/* Own all pages on the way to @key. */
static int own_way(struct tree *tree, struct page **root, enum order order, const struct key *key)
{
	struct page *page = own_page(tree, *root, 0);

	if (!page)
		return ENOMEM;
	*root = page;
	while (page->level) {
		unsigned int i = slot_for(page, order, key);
		struct page *below = own_page(tree, page->slot[i], 0);

		if (!below)
			return ENOMEM;
		page->slot[i] = below;
		page = below;
	}
	return 0;
}

static void sum_up(struct page *page)
{
	page->items = 0;
	page->bytes = 0;
	for (unsigned int i = 0; i < page->count; i++) {
		if (page->level) {
			const struct page *below = page->slot[i];

			page->items += below->items;
			page->bytes += below->bytes;
		} else {
			page->items++;
			page->bytes += ((const struct node *)page->slot[i])->name_len + 1u;
		}
	}
	page->first = page->count ? first_of(page, 0) : NULL;
}

static void open_slot(struct page *page, unsigned int at, void *content)
{
	memmove(&page->slot[at + 1], &page->slot[at], (page->count - at) * sizeof(void *));
	page->slot[at] = content;
	page->count++;
}

static void close_slot(struct page *page, unsigned int at)
{
	page->count--;
	memmove(&page->slot[at], &page->slot[at + 1], (page->count - at) * sizeof(void *));
}

/*
 * Split the full page in slot @at of @parent, which has room. In order of sequence all growth is at
 * the end, so the left page stays full there; by name the halves are equal.
 */
static int split(struct tree *tree, struct page *parent, unsigned int at, enum order order)
{
	struct page *left = parent->slot[at];
	unsigned int keep = order == BY_SEQUENCE ? PAGE_SLOTS - 1 : PAGE_SLOTS / 2;
	unsigned int move = PAGE_SLOTS - keep;
	struct page *right = new_page(tree, left->level, move + 1);

	if (!right)
		return ENOMEM;
	right->borrowed = left->borrowed;
	right->count = (uint8_t)move;
	memcpy(right->slot, &left->slot[keep], move * sizeof(void *));
	left->count = (uint8_t)keep;
	sum_up(left);
	sum_up(right);
	open_slot(parent, at + 1, right);
	return 0;
}

/* Own all pages on the way to where @key belongs, none of them full. */
static int open_way(struct tree *tree, struct page **root, bool borrowed, enum order order,
		    const struct key *key)
{
	struct page *page;

	if (!*root) {
		*root = new_page(tree, 0, 1);
		if (!*root)
			return ENOMEM;
		(*root)->borrowed = borrowed;
	}
	page = own_page(tree, *root, (*root)->count + 1u);
	if (!page)
		return ENOMEM;
	*root = page;
	if (page->count == PAGE_SLOTS) {
		struct page *top = new_page(tree, page->level + 1u, 3);

		if (!top)
			return ENOMEM;
		top->borrowed = borrowed;
		top->slot[0] = page;
		top->count = 1;
		sum_up(top);
		*root = page = top;
	}
	while (page->level) {
		unsigned int i = slot_for(page, order, key);
		struct page *below = page->slot[i];

		below = own_page(tree, below, below->count + 1u);
		if (!below)
			return ENOMEM;
		page->slot[i] = below;
		if (below->count == PAGE_SLOTS) {
			if (split(tree, page, i, order))
				return ENOMEM;
			i = slot_for(page, order, key);
			below = page->slot[i];
			below = own_page(tree, below, below->count + 1u);
			if (!below)
				return ENOMEM;
			page->slot[i] = below;
		}
		page = below;
	}
	return 0;
}

/* Put @node in; the way is open. The slot takes over a reference unless its pages borrow. */
static void put(struct page *page, enum order order, struct node *node)
{
	struct key key = key_of(node);

	for (;;) {
		page->items++;
		page->bytes += node->name_len + 1u;
		if (!page->first || compare(order, &key, page->first) < 0)
			page->first = node;
		if (!page->level)
			break;
		page = page->slot[slot_for(page, order, &key)];
	}
	open_slot(page, slots_before(page, order, &key), node);
}

/* Take the node with @key out; the way is owned. */
static void take(struct tree *tree, struct page **root, enum order order, const struct key *key,
		 size_t bytes)
{
	struct page *way[LEVELS_MAX], *page = *root;
	unsigned int slot[LEVELS_MAX], depth = 0;

	for (; page->level; page = page->slot[slot[depth++]]) {
		way[depth] = page;
		slot[depth] = slot_for(page, order, key);
	}
	way[depth] = page;
	slot[depth] = slots_before(page, order, key) - 1;
	for (;;) {
		page = way[depth];
		if (!page->level) {
			close_slot(page, slot[depth]);
		} else {
			struct page *below = page->slot[slot[depth]];

			if (!below->count) {
				close_slot(page, slot[depth]);
				drop_page(tree, below);
			}
		}
		page->items--;
		page->bytes -= bytes;
		page->first = page->count ? first_of(page, 0) : NULL;
		if (!depth--)
			break;
	}
	for (page = *root; page->level && page->count == 1; page = *root) {
		*root = page->slot[0];
		page->count = 0;
		drop_page(tree, page);
	}
	if (!(*root)->count) {
		drop_page(tree, *root);
		*root = NULL;
	}
}

/* Build the index by name of all present children. */
static int build_index(struct tree *tree, struct node *parent)
{
	struct page *root = NULL;
	size_t bytes = tree->bytes;
	uint32_t count, index = 0;
	void *const *run;

	while ((run = children_run(parent, index, &count))) {
		for (uint32_t i = 0; i < count; i++) {
			struct key key = key_of(run[i]);

			if (open_way(tree, &root, true, BY_NAME, &key)) {
				page_unref(tree->store, root);
				tree->bytes = bytes;
				return ENOMEM;
			}
			put(root, BY_NAME, run[i]);
		}
		index += count;
	}
	parent->by_name = root;
	return 0;
}

int children_prepare_insert(struct tree *tree, struct node *parent, const struct node *child)
{
	struct key key = key_of(child);

	if (!key.sequence)
		key.sequence = tree->store->sequence + STORE_SEQUENCE_STEP;

	if (open_way(tree, &parent->by_sequence, false, BY_SEQUENCE, &key))
		return ENOMEM;
	if (!parent->by_name && node_child_count(parent) + 1 < CHILDREN_INDEX_MIN)
		return 0;
	if (!parent->by_name && build_index(tree, parent))
		return ENOMEM;
	return open_way(tree, &parent->by_name, true, BY_NAME, &key);
}

void children_insert(struct tree *tree, struct node *parent, struct node *child)
{
	if (!child->sequence)
		child->sequence = tree->store->sequence += STORE_SEQUENCE_STEP;
	put(parent->by_sequence, BY_SEQUENCE, child);
	if (parent->by_name)
		put(parent->by_name, BY_NAME, child);
}

int children_prepare_replace(struct tree *tree, struct node *parent, const struct node *child)
{
	struct key key = key_of(child);

	if (own_way(tree, &parent->by_sequence, BY_SEQUENCE, &key))
		return ENOMEM;
	if (!parent->by_name)
		return 0;
	return own_way(tree, &parent->by_name, BY_NAME, &key);
}

static void put_instead(struct page *page, enum order order, const struct node *from,
			struct node *to)
{
	struct key key = key_of(from);

	for (; page->level; page = page->slot[slot_for(page, order, &key)])
		if (page->first == from)
			page->first = to;
	if (page->first == from)
		page->first = to;
	page->slot[slots_before(page, order, &key) - 1] = to;
}

void children_replace(struct node *parent, const struct node *from, struct node *to)
{
	put_instead(parent->by_sequence, BY_SEQUENCE, from, to);
	if (parent->by_name)
		put_instead(parent->by_name, BY_NAME, from, to);
}

static void drop_index(struct tree *tree, struct node *parent)
{
	size_t with = children_bytes(parent);

	page_unref(tree->store, parent->by_name);
	parent->by_name = NULL;
	tree->bytes -= with - children_bytes(parent);
}

void children_remove(struct tree *tree, struct node *parent, const struct node *child)
{
	struct key key = key_of(child);
	size_t bytes = child->name_len + 1u;

	take(tree, &parent->by_sequence, BY_SEQUENCE, &key, bytes);
	if (!parent->by_name)
		return;
	take(tree, &parent->by_name, BY_NAME, &key, bytes);
	if (node_child_count(parent) < CHILDREN_INDEX_DROP) {
		drop_index(tree, parent);
	}
}
