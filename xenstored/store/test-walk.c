/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walks: order, paths, depth, and independence from later changes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "small-tree.h"
#include "store/walk.h"

/* All paths of a walk below @path, a blank behind each. @skip: what lies below it is left out. */
static void collect(struct small_tree *small, const struct tree *tree, const char *path,
		    const char *skip, char *out)
{
	static struct walk walk;
	struct node *node, *parent;

	*out = 0;
	walk_init(&walk, &small->store, node_ref(small_tree_find(tree, path)), path, strlen(path));
	while (!walk_next(&walk, &node) && node) {
		parent = walk_parent(&walk);
		if (parent)
			assert_ptr_equal(children_find(parent, node->data, node->name_len), node);
		else
			assert_string_equal(walk.path, path);
		assert_int_equal(walk.path_len, strlen(walk.path));
		assert_ptr_equal(small_tree_find(tree, walk.path), node);
		strcat(out, walk.path);
		strcat(out, " ");
		if (!strcmp(walk.path, skip))
			walk_skip(&walk);
	}
	/* The end stays the end. */
	assert_int_equal(walk_next(&walk, &node), 0);
	assert_null(node);
	walk_deinit(&walk);
}

static void plant(struct small_tree *small)
{
	small_tree_init(small);
	small_tree_create(&small->live, "/b/y", "", small->perms);
	small_tree_create(&small->live, "/a/z", "", small->perms);
	small_tree_create(&small->live, "/b/x/1", "", small->perms);
	small_tree_create(&small->live, "/b/x/0", "", small->perms);
}

static void test_order_and_paths(void **state)
{
	struct small_tree small;
	char all[256];

	(void)state;
	plant(&small);
	collect(&small, &small.live, "/", "", all);
	assert_string_equal(all, "/ /b /b/y /b/x /b/x/1 /b/x/0 /a /a/z ");
	collect(&small, &small.live, "/b/x", "", all);
	assert_string_equal(all, "/b/x /b/x/1 /b/x/0 ");
	collect(&small, &small.live, "/a/z", "", all);
	assert_string_equal(all, "/a/z ");
	small_tree_deinit(&small);
}

static void test_skip(void **state)
{
	struct small_tree small;
	char all[256];

	(void)state;
	plant(&small);
	collect(&small, &small.live, "/", "/b/x", all);
	assert_string_equal(all, "/ /b /b/y /b/x /a /a/z ");
	collect(&small, &small.live, "/", "/", all);
	assert_string_equal(all, "/ ");
	collect(&small, &small.live, "/", "/b/y", all);
	assert_string_equal(all, "/ /b /b/y /b/x /b/x/1 /b/x/0 /a /a/z ");
	small_tree_deinit(&small);
}

/* From the nameless root: the special nodes stand beside the tree. */
static void test_whole_store(void **state)
{
	static struct walk walk;
	struct small_tree small;
	struct node *node;
	static char all[2 * PATH_SIZE];

	(void)state;
	plant(&small);
	walk_init(&walk, &small.store, node_ref(small.live.root), "", 0);
	while (!walk_next(&walk, &node) && node) {
		strcat(all, walk.path);
		strcat(all, " ");
	}
	walk_deinit(&walk);
	assert_string_equal(all, " / /b /b/y /b/x /b/x/1 /b/x/0 /a /a/z @introduceDomain "
				 "@releaseDomain ");
	small_tree_deinit(&small);
}

/* What happens to the live tree during a walk is not seen by it. */
static void test_holds_what_it_walks(void **state)
{
	static struct walk walk;
	struct small_tree small;
	struct node *node;
	unsigned int seen = 0;

	(void)state;
	plant(&small);
	walk_init(&walk, &small.store, node_ref(small_tree_find(&small.live, "/b")), "/b", 2);
	while (!walk_next(&walk, &node) && node) {
		if (!seen++)
			small_tree_create(&small.live, "/b/new", "", small.perms);
		if (seen == 2)
			small_tree_remove(&small.live, "/b");
		small_tree_sweep(&small);
		assert_string_not_equal(walk.path, "/b/new");
	}
	assert_int_equal(seen, 5);
	walk_deinit(&walk);
	small_tree_check(&small.live);
	small_tree_deinit(&small);
}

/* As deep as a path can be: nothing recurses. */
static void test_depth(void **state)
{
	static struct walk walk;
	static char path[4097];
	struct small_tree small;
	struct node *node;
	size_t count = 0;

	(void)state;
	small_tree_init(&small);
	for (size_t i = 0; i < 4096; i += 2)
		memcpy(path + i, "/d", 2);
	small_tree_create(&small.live, path, "bottom", small.perms);
	walk_init(&walk, &small.store, node_ref(small_tree_find(&small.live, "/d")), "/d", 2);
	while (!walk_next(&walk, &node) && node) {
		count++;
		assert_int_equal(walk.path_len, 2 * count);
	}
	assert_int_equal(count, 2048);
	assert_memory_equal(walk.path, path, 2);
	walk_deinit(&walk);
	small_tree_remove(&small.live, "/d");
	small_tree_deinit(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_paths), cmocka_unit_test(test_skip),
		cmocka_unit_test(test_whole_store),	cmocka_unit_test(test_holds_what_it_walks),
		cmocka_unit_test(test_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
