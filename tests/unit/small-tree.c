/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A store with one tree. */
#include "small-tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compare.h"

void small_tree_init(struct small_tree *small)
{
	struct perm entry = perm_make(0, PERM_NONE, 100);

	small->secret.k0 = 1;
	small->secret.k1 = 2;
	store_init(&small->store, &small->secret, 1000);
	small->perms = perms_get(&small->store.perms, &entry, 1);
	assert_non_null(small->perms);
	assert_int_equal(tree_init(&small->live, &small->store, small->perms, small->perms), 0);
	small_tree_sweep(small);
	small_tree_check(&small->live);
}

void small_tree_sweep(struct small_tree *small)
{
	while (store_has_dead(&small->store))
		store_free_some(&small->store, 100);
}

void small_tree_deinit(struct small_tree *small)
{
	tree_drop(&small->live);
	small_tree_sweep(small);
	assert_int_equal(small->store.nodes, 0);
	assert_int_equal(small->store.bytes, 0);
	perms_unref(&small->store.perms, small->perms);
	assert_int_equal(small->store.perms.lists.count, 0);
	assert_int_equal(small->store.perms.bytes, 0);
	store_deinit(&small->store);
}

struct node *small_tree_find(const struct tree *tree, const char *path)
{
	return tree_find(tree, path, strlen(path));
}

void small_tree_create(struct tree *tree, const char *path, const char *value, struct perms *perms)
{
	struct tree_edit edit;
	struct lookup lookup;

	tree_lookup(tree, path, strlen(path), &lookup);
	assert_int_equal(tree_prepare_create(tree, &edit, &lookup, path, strlen(path), value,
					     strlen(value), perms),
			 0);
	assert_null(tree_apply(tree, &edit));
}

void small_tree_write(struct tree *tree, const char *path, const char *value)
{
	struct tree_edit edit;

	assert_int_equal(tree_prepare_write(tree, &edit, path, strlen(path), value, strlen(value)),
			 0);
	assert_null(tree_apply(tree, &edit));
}

void small_tree_set_perms(struct tree *tree, const char *path, struct perms *perms)
{
	struct tree_edit edit;

	assert_int_equal(tree_prepare_perms(tree, &edit, path, strlen(path), perms), 0);
	assert_null(tree_apply(tree, &edit));
}

void small_tree_remove(struct tree *tree, const char *path)
{
	struct tree_edit edit;
	struct node *removed;

	assert_int_equal(tree_prepare_remove(tree, &edit, path, strlen(path)), 0);
	removed = tree_apply(tree, &edit);
	assert_non_null(removed);
	tree->bytes -= compare_recount(removed);
	node_unref(tree->store, removed);
}

/* Sums of a page are those of its parts; the first node is the leftmost. */
static void check_page(const struct page *page, bool borrowed)
{
	uint64_t bytes = 0;
	uint32_t items = 0;

	assert_true(page->refs > 0 && page->count > 0 && page->count <= page->room);
	assert_int_equal(page->borrowed, borrowed);
	for (unsigned int i = 0; i < page->count; i++) {
		if (page->level) {
			const struct page *below = page->slot[i];

			assert_int_equal(below->level, page->level - 1);
			check_page(below, borrowed);
			bytes += below->bytes;
			items += below->items;
			if (!i)
				assert_ptr_equal(page->first, below->first);
		} else {
			const struct node *node = page->slot[i];

			bytes += node->name_len + 1u;
			items++;
			if (!i)
				assert_ptr_equal(page->first, node);
		}
	}
	assert_int_equal(page->items, items);
	assert_int_equal(page->bytes, bytes);
}

static void check_node(struct node *node)
{
	uint64_t before = 0;
	struct node *child;

	if (node->by_sequence)
		check_page(node->by_sequence, false);
	if (node->by_name) {
		check_page(node->by_name, true);
		assert_int_equal(node->by_name->items, node->by_sequence->items);
		assert_int_equal(node->by_name->bytes, node->by_sequence->bytes);
	}
	for (uint32_t i = 0; (child = children_at(node, i)); i++) {
		assert_true(child->sequence > before);
		before = child->sequence;
		assert_ptr_equal(children_find(node, child->data, child->name_len), child);
		check_node(child);
	}
}

void small_tree_check(const struct tree *tree)
{
	assert_int_equal(tree->bytes, compare_recount(tree->root));
	check_node(tree->root);
}
