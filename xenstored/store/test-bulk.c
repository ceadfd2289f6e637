/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Trees built in one go are trees as any other: sums, order, index, and what is done to them later.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "small-tree.h"
#include "store/bulk.h"
#include "tests/unit/setting.h"

struct building {
	struct small_tree small;
	struct bulk bulk;
	unsigned int duplicates;
};

static int count_duplicate(void *data, const struct node *parent, struct node *node,
			   const char *path, size_t len)
{
	struct building *building = data;
	struct node *at = small_tree_find(&building->small.live, "/");

	assert_non_null(at);
	assert_non_null(parent);
	assert_true(len && path[0] == '/');
	building->duplicates++;
	/* Nothing but a leaf is made twice here. */
	building->small.live.bytes -= node_bytes(node);
	node_unref(&building->small.store, node);
	return 0;
}

static void start(struct building *building)
{
	struct node *root;

	small_tree_init(&building->small);
	building->duplicates = 0;
	bulk_init(&building->bulk, &building->small.live, count_duplicate, building);
	root = small_tree_find(&building->small.live, "/");
	assert_int_equal(bulk_open(&building->bulk, root, "/", 1), 0);
}

/* Put a node at @path. Returns false when its parent is not open. */
static bool put(struct building *building, const char *path, const char *value)
{
	size_t len = strlen(path), parent_len = path_parent_len(path, len);
	size_t name = parent_len == 1 ? 1 : parent_len + 1;
	struct node *parent, *node;

	assert_int_equal(bulk_parent(&building->bulk, path, len, &parent), 0);
	if (!parent)
		return false;
	node = node_new(&building->small.store, path + name, len - name, value, strlen(value),
			perms_ref(building->small.perms));
	assert_non_null(node);
	assert_int_equal(bulk_add(&building->bulk, node), 0);
	assert_int_equal(bulk_open(&building->bulk, node, path, len), 0);
	return true;
}

static void finish(struct building *building)
{
	assert_int_equal(bulk_close(&building->bulk), 0);
	bulk_deinit(&building->bulk);
	small_tree_sweep(&building->small);
	small_tree_check(&building->small.live);
}

static void test_few(void **state)
{
	struct building building;

	(void)state;
	start(&building);
	assert_true(put(&building, "/b", "1"));
	assert_true(put(&building, "/b/x", "2"));
	assert_true(put(&building, "/b/x/y", "3"));
	assert_true(put(&building, "/a", "4"));
	assert_true(put(&building, "/bx", "5"));
	finish(&building);
	assert_string_equal(node_name(children_at(small_tree_find(&building.small.live, "/"), 0)),
			    "b");
	assert_string_equal(node_name(children_at(small_tree_find(&building.small.live, "/"), 1)),
			    "a");
	assert_non_null(small_tree_find(&building.small.live, "/b/x/y"));
	small_tree_deinit(&building.small);
}

static void test_out_of_order(void **state)
{
	struct building building;

	(void)state;
	start(&building);
	assert_true(put(&building, "/a", ""));
	assert_true(put(&building, "/a/b", ""));
	assert_true(put(&building, "/c", ""));
	assert_false(put(&building, "/a/d", ""));
	assert_false(put(&building, "/none/d", ""));
	assert_true(put(&building, "/e", ""));
	assert_false(put(&building, "@special", ""));
	finish(&building);
	assert_null(small_tree_find(&building.small.live, "/a/d"));
	small_tree_deinit(&building.small);
}

/* Directories of every size around the places where something changes. */
static void test_sizes(void **state)
{
	static const unsigned int sizes[] = {0,	  1,	2,    3,    4,	  7,	 8,	22,   23,
					     24,  25,	31,   32,   33,	  64,	 65,	767,  768,
					     769, 1023, 1024, 1025, 3000, 18431, 18433, 33000};
	char path[64];

	(void)state;
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		for (unsigned int mixed = 0; mixed < 2; mixed++) {
			struct building building;

			start(&building);
			for (unsigned int k = 0; k < sizes[i]; k++) {
				/* In order of name, or not at all. */
				snprintf(path, sizeof(path), "/n%u", mixed ? k * 7919 % 65537 : k);
				assert_true(put(&building, path, path));
			}
			finish(&building);
			assert_int_equal(
				node_child_count(small_tree_find(&building.small.live, "/")),
				sizes[i]);
			/* It grows and shrinks as any other. */
			for (unsigned int k = 0; k < 40; k++) {
				snprintf(path, sizeof(path), "/later%u", k * 31 % 41);
				small_tree_create(&building.small.live, path, "",
						  building.small.perms);
			}
			small_tree_check(&building.small.live);
			for (unsigned int k = 0; k < sizes[i] && k < 100; k++) {
				snprintf(path, sizeof(path), "/n%u", mixed ? k * 7919 % 65537 : k);
				small_tree_remove(&building.small.live, path);
			}
			small_tree_check(&building.small.live);
			small_tree_deinit(&building.small);
		}
}

static void test_duplicates(void **state)
{
	static const unsigned int sizes[] = {2, 5, 23, 24, 40, 300};
	char path[64];

	(void)state;
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct building building;
		struct node *node;

		start(&building);
		put(&building, "/d", "");
		for (unsigned int k = 0; k < sizes[i]; k++) {
			snprintf(path, sizeof(path), "/d/%u", k % (sizes[i] / 2 + 1));
			assert_true(put(&building, path, k <= sizes[i] / 2 ? "first" : "second"));
		}
		finish(&building);
		assert_int_equal(building.duplicates, sizes[i] - (sizes[i] / 2 + 1));
		node = small_tree_find(&building.small.live, "/d");
		assert_int_equal(node_child_count(node), sizes[i] / 2 + 1);
		for (uint32_t k = 0; k < node_child_count(node); k++)
			assert_memory_equal(node_value(children_at(node, k)), "first", 5);
		small_tree_deinit(&building.small);
	}
}

/* A random tree, built in one go, and the same one by one. */
static void test_random(void **state)
{
	unsigned int seed = 7;

	(void)state;
	for (int round = 0; round < 20 * (int)setting("COUNT", 1); round++) {
		struct building building;
		struct small_tree other;
		char path[200] = "";
		unsigned int left = 400;

		start(&building);
		small_tree_init(&other);
		while (left--) {
			size_t len = strlen(path);
			unsigned int up = (unsigned int)rand_r(&seed) % 4;

			/* Up some levels, then one down. */
			while (up-- && len)
				len = path_parent_len(path, len) == 1 ? 0
								      : path_parent_len(path, len);
			if (len > 150)
				len = 0;
			snprintf(path + len, sizeof(path) - len, "/%u", left);
			assert_true(put(&building, path, path));
			small_tree_create(&other.live, path, path, other.perms);
		}
		finish(&building);
		for (uint32_t i = 0; i < node_child_count(small_tree_find(&other.live, "/")); i++)
			assert_string_equal(
				node_name(children_at(small_tree_find(&other.live, "/"), i)),
				node_name(children_at(small_tree_find(&building.small.live, "/"),
						      i)));
		small_tree_deinit(&other);
		small_tree_deinit(&building.small);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_few),    cmocka_unit_test(test_out_of_order),
		cmocka_unit_test(test_sizes),  cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
