/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Children of a node against a plain array of names, with snapshots held and
 * dropped at random: order, sums, positions, the index by name.
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

#define NAMES	  400u
#define SNAPSHOTS 5u

/* What the children should be, in order of creation, and the value of each. */
struct list {
	unsigned int count;
	unsigned short name[NAMES];
	char value[NAMES]; /* by name; 0 = absent */
};

struct snapshot {
	struct tree tree;
	struct list list;
	bool held;
};

/* Names of different lengths, some the beginning of others. */
static void spell(unsigned int name, char *out)
{
	unsigned int len = name % 7;

	memset(out, 'a', len);
	sprintf(out + len, "%u", name);
}

static void path_of(unsigned int name, char *out)
{
	strcpy(out, "/d/");
	spell(name, out + 3);
}

static void list_add(struct list *list, unsigned int name, char value)
{
	list->name[list->count++] = (unsigned short)name;
	list->value[name] = value;
}

static void list_remove(struct list *list, unsigned int name)
{
	unsigned int at = 0;

	while (list->name[at] != name)
		at++;
	list->count--;
	memmove(&list->name[at], &list->name[at + 1], (list->count - at) * sizeof(list->name[0]));
	list->value[name] = 0;
}

/* The names as DIRECTORY gives them. */
static size_t flatten(const struct list *list, char *flat)
{
	size_t len = 0;

	for (unsigned int i = 0; i < list->count; i++) {
		spell(list->name[i], flat + len);
		len += strlen(flat + len) + 1;
	}
	return len;
}

static void check_order(const struct node *parent, const struct list *list)
{
	uint32_t index = 0, count;
	void *const *run;
	char name[32];

	assert_int_equal(node_child_count(parent), list->count);
	while ((run = children_run(parent, index, &count))) {
		assert_true(count > 0);
		for (uint32_t i = 0; i < count; i++) {
			struct node *child = run[i];

			spell(list->name[index + i], name);
			assert_string_equal(node_name(child), name);
			assert_int_equal(child->value_len, 1);
			assert_int_equal(*node_value(child), list->value[list->name[index + i]]);
			assert_ptr_equal(children_at(parent, index + i), child);
		}
		index += count;
	}
	assert_int_equal(index, list->count);
	assert_null(children_at(parent, index));
}

static void check_positions(const struct node *parent, const struct list *list)
{
	static char flat[NAMES * 16];
	size_t len = flatten(list, flat);
	uint64_t start;
	uint32_t index;

	assert_int_equal(node_child_bytes(parent), len);
	for (size_t offset = 0; offset < len; offset += 1 + (size_t)rand() % 40) {
		size_t expected = offset, before = 0;

		while (expected && flat[expected - 1])
			expected--;
		for (size_t i = 0; i < expected; i++)
			before += !flat[i];
		assert_true(children_seek(parent, offset, &index, &start));
		assert_int_equal(start, expected);
		assert_int_equal(index, before);
	}
	assert_false(children_seek(parent, len, &index, &start));
	assert_false(children_seek(parent, len + 1000, &index, &start));
	assert_false(children_seek(parent, UINT64_MAX, &index, &start));
}

static void check(const struct tree *tree, const struct list *list, bool all)
{
	const struct node *parent = small_tree_find(tree, "/d");
	char name[32];

	check_order(parent, list);
	check_positions(parent, list);
	for (unsigned int i = 0; i < NAMES; i += all ? 1 : 1 + (unsigned int)rand() % 60) {
		spell(i, name);
		assert_int_equal(children_find(parent, name, strlen(name)) != NULL,
				 list->value[i] != 0);
	}
	assert_null(children_find(parent, "", 0));
	if (list->count >= CHILDREN_INDEX_MIN)
		assert_non_null(parent->by_name);
	if (list->count < CHILDREN_INDEX_DROP)
		assert_null(parent->by_name);
	if (all)
		small_tree_check(tree);
}

/* Prepared and abandoned: nothing must be seen of it. */
static void prepare_only(struct small_tree *small, const struct list *list, unsigned int name,
			 const char *path)
{
	struct tree_edit edit;
	struct lookup lookup;
	size_t len = strlen(path);
	int error;

	tree_lookup(&small->live, path, len, &lookup);
	if (!list->value[name])
		error = tree_prepare_create(&small->live, &edit, &lookup, path, len, "x", 1,
					    small->perms);
	else if (rand() % 2)
		error = tree_prepare_remove(&small->live, &edit, path, len);
	else
		error = tree_prepare_write(&small->live, &edit, path, len, "long value", 10);
	assert_int_equal(error, 0);
	tree_abandon(&small->live, &edit);
}

static void change(struct small_tree *small, struct list *list, unsigned int grow)
{
	unsigned int name = (unsigned int)rand() % NAMES;
	char path[40], value[2] = {(char)('A' + rand() % 26), 0};

	path_of(name, path);
	if (rand() % 8 == 0) {
		prepare_only(small, list, name, path);
	} else if (!list->value[name]) {
		if ((unsigned int)rand() % 100 >= grow)
			return;
		small_tree_create(&small->live, path, value, small->perms);
		list_add(list, name, value[0]);
	} else if ((unsigned int)rand() % 100 >= grow) {
		small_tree_remove(&small->live, path);
		list_remove(list, name);
	} else {
		small_tree_write(&small->live, path, value);
		list->value[name] = value[0];
	}
}

static void change_snapshots(struct small_tree *small, const struct list *list,
			     struct snapshot *snapshots)
{
	struct snapshot *snapshot = &snapshots[(unsigned int)rand() % SNAPSHOTS];

	if (snapshot->held) {
		check(&snapshot->tree, &snapshot->list, true);
		tree_drop(&snapshot->tree);
		snapshot->held = false;
	} else {
		tree_branch(&snapshot->tree, &small->live);
		snapshot->list = *list;
		snapshot->held = true;
	}
	small_tree_sweep(small);
}

static void test_like_an_array(void **state)
{
	static struct snapshot snapshots[SNAPSHOTS];
	static struct list list;
	struct small_tree small;

	(void)state;
	srand(7);
	small_tree_init(&small);
	small_tree_create(&small.live, "/d", "", small.perms);
	for (unsigned int i = 0; i < 6000; i++) {
		/* It grows and shrinks in waves, through all numbers of pages and levels. */
		change(&small, &list, i / 750 % 2 ? 20 : 80);
		if (i % 31 == 0)
			change_snapshots(&small, &list, snapshots);
		check(&small.live, &list, i % 50 == 0);
		if (i % 50 == 0)
			for (unsigned int k = 0; k < SNAPSHOTS; k++)
				if (snapshots[k].held)
					check(&snapshots[k].tree, &snapshots[k].list, true);
	}
	for (unsigned int k = 0; k < SNAPSHOTS; k++)
		if (snapshots[k].held)
			tree_drop(&snapshots[k].tree);
	small_tree_sweep(&small);
	/* Nobody holds anything else any more: all memory is the live tree's. */
	assert_int_equal(small.store.bytes, small.live.bytes);
	small_tree_deinit(&small);
}

/* Many more than one page, and three levels: order and positions hold. */
static void test_a_large_directory(void **state)
{
	struct small_tree small;
	struct node *parent;
	char path[40];
	uint64_t start;
	uint32_t index;

	(void)state;
	small_tree_init(&small);
	small_tree_create(&small.live, "/d", "", small.perms);
	for (unsigned int i = 0; i < 5000; i++) {
		sprintf(path, "/d/%04u", i);
		small_tree_create(&small.live, path, "", small.perms);
	}
	parent = small_tree_find(&small.live, "/d");
	assert_true(parent->by_sequence->level >= 2);
	for (unsigned int i = 0; i < 5000; i += 37) {
		sprintf(path, "%04u", i);
		assert_string_equal(node_name(children_at(parent, i)), path);
		assert_ptr_equal(children_find(parent, path, 4), children_at(parent, i));
		assert_true(children_seek(parent, 5 * i + 3, &index, &start));
		assert_int_equal(index, i);
		assert_int_equal(start, 5 * i);
	}
	for (unsigned int i = 0; i < 5000; i++)
		if (i % 100) {
			sprintf(path, "/d/%04u", i);
			small_tree_remove(&small.live, path);
		}
	parent = small_tree_find(&small.live, "/d");
	assert_int_equal(node_child_count(parent), 50);
	for (unsigned int i = 0; i < 50; i++) {
		sprintf(path, "%04u", 100 * i);
		assert_string_equal(node_name(children_at(parent, i)), path);
	}
	small_tree_check(&small.live);
	small_tree_deinit(&small);
}

/* Created again, a child comes last. */
static void test_order_is_of_creation(void **state)
{
	struct small_tree small;
	const struct node *parent;

	(void)state;
	small_tree_init(&small);
	small_tree_create(&small.live, "/c", "", small.perms);
	small_tree_create(&small.live, "/a", "", small.perms);
	small_tree_create(&small.live, "/b", "", small.perms);
	small_tree_write(&small.live, "/c", "written");
	small_tree_remove(&small.live, "/a");
	small_tree_create(&small.live, "/a", "", small.perms);
	parent = small_tree_find(&small.live, "/");
	assert_string_equal(node_name(children_at(parent, 0)), "c");
	assert_string_equal(node_name(children_at(parent, 1)), "b");
	assert_string_equal(node_name(children_at(parent, 2)), "a");
	small_tree_deinit(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_like_an_array),
		cmocka_unit_test(test_a_large_directory),
		cmocka_unit_test(test_order_is_of_creation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
