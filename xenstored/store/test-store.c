/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Freeing in slices: how much at once, and that nothing is left or lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "small-tree.h"

static void plant(struct small_tree *small, int count)
{
	char path[64];

	for (int i = 0; i < count; i++) {
		sprintf(path, "/t/%d/%d", i % 20, i);
		small_tree_create(&small->live, path, "some value", small->perms);
	}
}

/* Removing costs nothing like freeing; freeing stops when its work is used up. */
static void test_freeing_in_slices(void **state)
{
	struct small_tree small;
	size_t nodes, bytes, left, slices = 0;

	(void)state;
	small_tree_init(&small);
	nodes = small.store.nodes;
	bytes = small.store.bytes;
	plant(&small, 2000);
	small_tree_sweep(&small);
	left = small.store.nodes;
	small_tree_remove(&small.live, "/t");
	assert_int_equal(small.store.nodes, left);
	while (store_has_dead(&small.store)) {
		store_free_some(&small.store, 50);
		assert_true(left - small.store.nodes <= 60);
		left = small.store.nodes;
		slices++;
	}
	assert_true(slices > 20);
	assert_int_equal(small.store.nodes, nodes);
	assert_int_equal(small.store.bytes, bytes);
	assert_int_equal(store_free_some(&small.store, 50), 50);
	small_tree_deinit(&small);
}

/* What a snapshot still holds is not freed with the live tree's part. */
static void test_snapshot_keeps_alive(void **state)
{
	struct small_tree small;
	struct tree snapshot;
	struct node *node;

	(void)state;
	small_tree_init(&small);
	plant(&small, 100);
	tree_branch(&snapshot, &small.live);
	small_tree_remove(&small.live, "/t");
	small_tree_sweep(&small);
	node = small_tree_find(&snapshot, "/t/7/27");
	assert_non_null(node);
	assert_memory_equal(node_value(node), "some value", 10);
	small_tree_check(&snapshot);
	tree_drop(&snapshot);
	small_tree_sweep(&small);
	assert_int_equal(small.store.bytes, small.live.bytes);
	small_tree_deinit(&small);
}

/* A value that grows within the room of its node moves nothing. */
static void test_room_in_a_node(void **state)
{
	struct small_tree small;
	const struct node *node;

	(void)state;
	small_tree_init(&small);
	small_tree_create(&small.live, "/n", "", small.perms);
	node = small_tree_find(&small.live, "/n");
	for (char value[32] = ""; node_has_room(node, strlen(value)); strcat(value, "x")) {
		small_tree_write(&small.live, "/n", value);
		assert_ptr_equal(small_tree_find(&small.live, "/n"), node);
	}
	small_tree_write(&small.live, "/n", "0123456789012345678901234567890123456789");
	assert_ptr_not_equal(small_tree_find(&small.live, "/n"), node);
	small_tree_sweep(&small);
	small_tree_check(&small.live);
	small_tree_deinit(&small);
}

static void test_node_size(void **state)
{
	struct perm entry[3] = {perm_make(0, 0, 100), perm_make(1, 1, 101), perm_make(2, 1, 102)};
	struct small_tree small;
	struct perms *perms;

	(void)state;
	small_tree_init(&small);
	perms = perms_get(&small.store.perms, entry, 3);
	small_tree_create(&small.live, "/n", "12345", perms);
	assert_int_equal(node_size(small_tree_find(&small.live, "/n")), 16 + 3 * 8 + 5);
	small_tree_create(&small.live, "/n/abc", "", small.perms);
	small_tree_create(&small.live, "/n/d", "", small.perms);
	assert_int_equal(node_size(small_tree_find(&small.live, "/n")), 16 + 3 * 8 + 5 + 4 + 2);
	perms_unref(&small.store.perms, perms);
	small_tree_deinit(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_freeing_in_slices),
		cmocka_unit_test(test_snapshot_keeps_alive),
		cmocka_unit_test(test_room_in_a_node),
		cmocka_unit_test(test_node_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
