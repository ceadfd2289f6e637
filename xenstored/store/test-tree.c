/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Trees as values: isolation of snapshots, copying only what is shared, exact sums. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compare.h"
#include "small-tree.h"

static void assert_value(const struct tree *tree, const char *path, const char *value)
{
	struct node *node = small_tree_find(tree, path);

	assert_non_null(node);
	assert_int_equal(node->value_len, strlen(value));
	assert_memory_equal(node_value(node), value, strlen(value));
}

static void test_initial(void **state)
{
	struct small_tree small;

	(void)state;
	small_tree_init(&small);
	assert_non_null(small_tree_find(&small.live, "/"));
	assert_non_null(small_tree_find(&small.live, "@introduceDomain"));
	assert_non_null(small_tree_find(&small.live, "@releaseDomain"));
	assert_null(small_tree_find(&small.live, "@other"));
	assert_null(small_tree_find(&small.live, "/a"));
	assert_int_equal(node_child_count(small_tree_find(&small.live, "/")), 0);
	small_tree_deinit(&small);
}

static void test_lookup(void **state)
{
	static const struct {
		const char *path;
		size_t nearest_len;
		unsigned int missing;
	} cases[] = {{"/a/b", 4, 0}, {"/a/b/c", 4, 1},		{"/a/x/y/z", 2, 3},
		     {"/x", 1, 1},   {"@releaseDomain", 14, 0}, {"@releaseDomain/3", 14, 1},
		     {"@no", 1, 1},  {"@no/3/4", 1, 3},		{"/", 1, 0}};
	struct small_tree small;
	struct lookup lookup;

	(void)state;
	small_tree_init(&small);
	small_tree_create(&small.live, "/a/b", "", small.perms);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		tree_lookup(&small.live, cases[i].path, strlen(cases[i].path), &lookup);
		assert_int_equal(lookup.missing, cases[i].missing);
		assert_int_equal(lookup.nearest_len, cases[i].nearest_len);
		assert_ptr_equal(lookup.node, cases[i].missing ? NULL : lookup.nearest);
	}
	/* beside the tree, the root is the nearest */
	tree_lookup(&small.live, "@no", 3, &lookup);
	assert_ptr_equal(lookup.nearest, small_tree_find(&small.live, "/"));
	small_tree_deinit(&small);
}

static void test_snapshot_isolation(void **state)
{
	struct perm entry = perm_make(5, PERM_READ, 50);
	struct small_tree small;
	struct tree snapshot;
	struct perms *other;

	(void)state;
	small_tree_init(&small);
	other = perms_get(&small.store.perms, &entry, 1);
	small_tree_create(&small.live, "/a/b/c", "old", small.perms);
	small_tree_create(&small.live, "/a/gone", "here", small.perms);
	tree_branch(&snapshot, &small.live);
	small_tree_write(&small.live, "/a/b/c", "new and longer than before");
	small_tree_set_perms(&small.live, "/a/b", other);
	small_tree_remove(&small.live, "/a/gone");
	small_tree_create(&small.live, "/a/fresh", "", small.perms);
	assert_value(&snapshot, "/a/b/c", "old");
	assert_value(&snapshot, "/a/gone", "here");
	assert_ptr_equal(small_tree_find(&snapshot, "/a/b")->perms, small.perms);
	assert_null(small_tree_find(&snapshot, "/a/fresh"));
	assert_value(&small.live, "/a/b/c", "new and longer than before");
	assert_ptr_equal(small_tree_find(&small.live, "/a/b")->perms, other);
	assert_null(small_tree_find(&small.live, "/a/gone"));
	/* and the other way round */
	small_tree_write(&snapshot, "/a/gone", "written");
	small_tree_remove(&snapshot, "/a/b");
	assert_value(&small.live, "/a/b/c", "new and longer than before");
	assert_null(small_tree_find(&small.live, "/a/gone"));
	small_tree_sweep(&small);
	small_tree_check(&small.live);
	small_tree_check(&snapshot);
	tree_drop(&snapshot);
	small_tree_sweep(&small);
	assert_int_equal(small.store.bytes, small.live.bytes);
	perms_unref(&small.store.perms, other);
	small_tree_deinit(&small);
}

/* While nobody holds a snapshot, a change copies nothing. */
static void test_unshared_is_changed_in_place(void **state)
{
	struct small_tree small;
	const struct node *before;
	size_t nodes, allocated;

	(void)state;
	small_tree_init(&small);
	small_tree_create(&small.live, "/a/b/c", "12345", small.perms);
	small_tree_sweep(&small);
	before = small_tree_find(&small.live, "/a/b/c");
	nodes = small.store.nodes;
	allocated = small.live.allocated;
	small_tree_write(&small.live, "/a/b/c", "54321");
	small_tree_write(&small.live, "/a/b/c", "");
	small_tree_set_perms(&small.live, "/a/b", small.perms);
	assert_ptr_equal(small_tree_find(&small.live, "/a/b/c"), before);
	assert_int_equal(small.store.nodes, nodes);
	assert_int_equal(small.live.allocated, allocated);
	assert_false(store_has_dead(&small.store));
	small_tree_deinit(&small);
}

/* With a snapshot, the way to the changed node is copied once, and nothing beside it. */
static void test_shared_way_is_copied_once(void **state)
{
	struct small_tree small;
	struct tree snapshot;
	struct node *beside;
	char path[32];
	size_t nodes, bytes, allocated;

	(void)state;
	small_tree_init(&small);
	small_tree_create(&small.live, "/a/b/c", "12345", small.perms);
	for (int i = 0; i < 200; i++) {
		sprintf(path, "/a/many/%d", i);
		small_tree_create(&small.live, path, "x", small.perms);
	}
	small_tree_sweep(&small);
	nodes = small.store.nodes;
	bytes = small.store.bytes;
	allocated = small.live.allocated;
	tree_branch(&snapshot, &small.live);
	assert_int_equal(small.store.nodes, nodes);
	assert_int_equal(small.store.bytes, bytes);
	beside = small_tree_find(&small.live, "/a/many");
	small_tree_write(&small.live, "/a/b/c", "54321");
	/* nameless root, "/", "a", "b", "c" */
	assert_int_equal(small.store.nodes, nodes + 5);
	assert_ptr_equal(small_tree_find(&small.live, "/a/many"), beside);
	assert_int_equal(small.live.allocated - allocated, small.store.bytes - bytes);
	small_tree_write(&small.live, "/a/b/c", "99999");
	small_tree_write(&small.live, "/a/b", "x");
	assert_int_equal(small.store.nodes, nodes + 5);
	/* a sibling needs itself only */
	small_tree_write(&small.live, "/a/many/77", "y");
	assert_int_equal(small.store.nodes, nodes + 7);
	tree_drop(&snapshot);
	small_tree_sweep(&small);
	assert_int_equal(small.store.nodes, nodes);
	assert_int_equal(small.store.bytes, small.live.bytes);
	small_tree_check(&small.live);
	small_tree_deinit(&small);
}

/* Preparing and thinking better of it: the same content, the same sums, also for a snapshot. */
static void test_preparing_is_invisible(void **state)
{
	struct small_tree small;
	struct tree snapshot;
	struct tree_edit edit;
	struct lookup lookup;
	uint64_t generation;

	(void)state;
	small_tree_init(&small);
	small_tree_create(&small.live, "/a/b", "value", small.perms);
	generation = small_tree_find(&small.live, "/a/b")->generation;
	for (int shared = 0; shared < 2; shared++) {
		if (shared)
			tree_branch(&snapshot, &small.live);
		assert_int_equal(tree_prepare_write(&small.live, &edit, "/a/b", 4,
						    "a much longer value than before", 31),
				 0);
		tree_abandon(&small.live, &edit);
		tree_lookup(&small.live, "/a/c/d/e", 8, &lookup);
		assert_int_equal(tree_prepare_create(&small.live, &edit, &lookup, "/a/c/d/e", 8,
						     "v", 1, small.perms),
				 0);
		tree_abandon(&small.live, &edit);
		assert_int_equal(tree_prepare_remove(&small.live, &edit, "/a/b", 4), 0);
		tree_abandon(&small.live, &edit);
		assert_int_equal(tree_prepare_perms(&small.live, &edit, "/a/b", 4, small.perms), 0);
		tree_abandon(&small.live, &edit);
		small_tree_sweep(&small);
		assert_value(&small.live, "/a/b", "value");
		assert_int_equal(small_tree_find(&small.live, "/a/b")->generation, generation);
		assert_null(small_tree_find(&small.live, "/a/c"));
		assert_int_equal(node_child_count(small_tree_find(&small.live, "/a")), 1);
		small_tree_check(&small.live);
	}
	assert_value(&snapshot, "/a/b", "value");
	tree_drop(&snapshot);
	small_tree_deinit(&small);
}

/* Generations: a node's with its value, permissions and list of children, and nobody else's. */
static void test_generations(void **state)
{
	struct small_tree small;
	uint64_t top, middle, leaf;

	(void)state;
	small_tree_init(&small);
	small_tree_create(&small.live, "/a/b/c", "", small.perms);
	top = small_tree_find(&small.live, "/a")->generation;
	middle = small_tree_find(&small.live, "/a/b")->generation;
	leaf = small_tree_find(&small.live, "/a/b/c")->generation;
	small_tree_write(&small.live, "/a/b/c", "");
	assert_true(small_tree_find(&small.live, "/a/b/c")->generation > leaf);
	assert_int_equal(small_tree_find(&small.live, "/a/b")->generation, middle);
	small_tree_create(&small.live, "/a/b/d", "", small.perms);
	assert_true(small_tree_find(&small.live, "/a/b")->generation > middle);
	assert_int_equal(small_tree_find(&small.live, "/a")->generation, top);
	middle = small_tree_find(&small.live, "/a/b")->generation;
	small_tree_remove(&small.live, "/a/b/d");
	assert_true(small_tree_find(&small.live, "/a/b")->generation > middle);
	assert_int_equal(small_tree_find(&small.live, "/a")->generation, top);
	middle = small_tree_find(&small.live, "/a/b")->generation;
	small_tree_set_perms(&small.live, "/a/b", small.perms);
	assert_true(small_tree_find(&small.live, "/a/b")->generation > middle);
	small_tree_deinit(&small);
}

/* Random changes in several trees that share most of their nodes: every sum stays exact. */
static void test_sums_after_anything(void **state)
{
	struct small_tree small;
	struct tree tree[4];
	char path[64], value[64];

	(void)state;
	srand(11);
	small_tree_init(&small);
	for (int i = 0; i < 4; i++)
		tree_branch(&tree[i], &small.live);
	for (int i = 0; i < 8000; i++) {
		struct tree *at = &tree[rand() % 4];
		struct lookup lookup;

		sprintf(path, "/%c/%c%d/%c", 'a' + rand() % 3, 'k' + rand() % 3, rand() % 30,
			'x' + rand() % 3);
		path[rand() % 5 ? strlen(path) : 2] = 0;
		memset(value, 'v', sizeof(value));
		value[rand() % 60] = 0;
		tree_lookup(at, path, strlen(path), &lookup);
		if (!lookup.node)
			small_tree_create(at, path, value, small.perms);
		else if (rand() % 3 == 0)
			small_tree_remove(at, path);
		else
			small_tree_write(at, path, value);
		if (rand() % 100 == 0) {
			tree_drop(at);
			tree_branch(at, &tree[(at - tree + 1) % 4]);
		}
		if (i % 40 == 0) {
			small_tree_sweep(&small);
			for (int k = 0; k < 4; k++)
				small_tree_check(&tree[k]);
		}
	}
	for (int i = 1; i < 4; i++)
		tree_drop(&tree[i]);
	small_tree_sweep(&small);
	tree_drop(&small.live);
	small.live = tree[0];
	small_tree_sweep(&small);
	assert_int_equal(small.store.bytes, small.live.bytes);
	small_tree_deinit(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_initial),
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_snapshot_isolation),
		cmocka_unit_test(test_unshared_is_changed_in_place),
		cmocka_unit_test(test_shared_way_is_copied_once),
		cmocka_unit_test(test_preparing_is_invisible),
		cmocka_unit_test(test_generations),
		cmocka_unit_test(test_sums_after_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
