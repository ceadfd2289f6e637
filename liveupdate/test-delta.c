/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order of children, told by a list of names. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "liveupdate/image.h"
#include "small-tree.h"

static void set_order(struct small_tree *small, const char *names, size_t size, uint64_t kept)
{
	const struct stream_text path = {"/", 1};
	const struct stream_bytes list = {(const uint8_t *)names, (uint32_t)size};

	assert_int_equal(image_set_order(&small->live, &path, &list, kept), 0);
	small_tree_sweep(small);
	small_tree_check(&small->live);
}

#define ORDER(small, names, kept) set_order(small, names, sizeof(names), kept)

/* The names of the children in their order, each with a blank behind. */
static const char *order(const struct small_tree *small)
{
	static char text[256];
	const struct node *root = small_tree_find(&small->live, "/");
	const struct node *child;

	text[0] = 0;
	for (uint32_t i = 0; (child = children_at(root, i)); i++) {
		strcat(text, node_name(child));
		strcat(text, " ");
	}
	return text;
}

static void create(struct small_tree *small, const char *path)
{
	small_tree_create(&small->live, path, "", small->perms);
}

static uint64_t place(const struct small_tree *small, const char *path)
{
	return small_tree_find(&small->live, path)->sequence;
}

static void test_all(void **state)
{
	struct small_tree small;

	(void)state;
	small_tree_init(&small);
	create(&small, "/a");
	create(&small, "/b");
	create(&small, "/c");
	ORDER(&small, "c\0a\0b", UINT64_MAX);
	assert_string_equal(order(&small), "c a b ");
	/* What is not listed stays behind, what is not there is passed over. */
	ORDER(&small, "x\0b\0y\0c", UINT64_MAX);
	assert_string_equal(order(&small), "b c a ");
	ORDER(&small, "b\0a", UINT64_MAX);
	assert_string_equal(order(&small), "b a c ");
	small_tree_deinit(&small);
}

/* New ones find their places between the old ones, which are not touched. */
static void test_new_ones(void **state)
{
	struct small_tree small;
	uint64_t kept, a, b;

	(void)state;
	small_tree_init(&small);
	create(&small, "/a");
	create(&small, "/b");
	kept = small.store.sequence;
	a = place(&small, "/a");
	b = place(&small, "/b");
	create(&small, "/n1");
	create(&small, "/n2");
	create(&small, "/n3");
	create(&small, "/n4");
	ORDER(&small, "n1\0a\0n3\0n2\0b\0n4", kept);
	assert_string_equal(order(&small), "n1 a n3 n2 b n4 ");
	assert_int_equal(place(&small, "/a"), a);
	assert_int_equal(place(&small, "/b"), b);
	small_tree_deinit(&small);
}

/* More of them than there is room for. */
static void test_no_room(void **state)
{
	enum { COUNT = STORE_SEQUENCE_STEP + 10 };
	struct small_tree small;
	char *names = malloc(COUNT * 8), *at = names, path[16];
	uint64_t kept;

	(void)state;
	assert_non_null(names);
	small_tree_init(&small);
	create(&small, "/a");
	create(&small, "/b");
	kept = small.store.sequence;
	at += sprintf(at, "a") + 1;
	for (unsigned int i = 0; i < COUNT; i++) {
		snprintf(path, sizeof(path), "/%u", i);
		create(&small, path);
		at += sprintf(at, "%u", i) + 1;
	}
	at += sprintf(at, "b") + 1;
	set_order(&small, names, (size_t)(at - names), kept);
	assert_string_equal(node_name(children_at(small_tree_find(&small.live, "/"), 0)), "a");
	assert_string_equal(node_name(children_at(small_tree_find(&small.live, "/"), 1)), "0");
	assert_string_equal(node_name(children_at(small_tree_find(&small.live, "/"), COUNT + 1)),
			    "b");
	small_tree_deinit(&small);
	free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_new_ones),
		cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
