/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Permission lists: one object for equal lists, and what SET_PERMS may say. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/perms.h"

static const struct hash_secret secret = {3, 4};

static void test_equal_lists_are_one(void **state)
{
	struct perm entry[2] = {perm_make(1, PERM_NONE, 20), perm_make(2, PERM_READ, 21)};
	struct perm other[2] = {perm_make(1, PERM_NONE, 20), perm_make(2, PERM_READ, 22)};
	struct perms_table table;
	struct perms *a, *b, *shorter, *bound;

	(void)state;
	perms_table_init(&table, &secret);
	a = perms_get(&table, entry, 2);
	b = perms_get(&table, entry, 2);
	shorter = perms_get(&table, entry, 1);
	bound = perms_get(&table, other, 2); /* same domid, another life */
	assert_ptr_equal(a, b);
	assert_int_equal(a->refs, 2);
	assert_ptr_not_equal(a, shorter);
	assert_ptr_not_equal(a, bound);
	assert_int_equal(table.lists.count, 3);
	perms_unref(&table, a);
	assert_int_equal(table.lists.count, 3);
	assert_int_equal(b->entry[1].domid, 2);
	perms_unref(&table, b);
	assert_int_equal(table.lists.count, 2);
	perms_unref(&table, shorter);
	perms_unref(&table, perms_ref(bound));
	assert_int_equal(table.lists.count, 1);
	perms_unref(&table, bound);
	perms_unref(&table, NULL);
	assert_int_equal(table.lists.count, 0);
	assert_int_equal(table.bytes, 0);
	perms_table_deinit(&table);
}

/* A list that went is made anew, and found. */
static void test_many_lists(void **state)
{
	struct perms *lists[500];
	struct perms_table table;

	(void)state;
	perms_table_init(&table, &secret);
	for (int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < 500; i++) {
			struct perm entry = perm_make(i, PERM_READ, 100 + i);

			lists[i] = perms_get(&table, &entry, 1);
			assert_int_equal(lists[i]->refs, 1);
			assert_int_equal(lists[i]->entry[0].domid, i);
		}
		for (unsigned int i = 0; i < 500; i++) {
			struct perm entry = perm_make(i, PERM_READ, 100 + i);

			assert_ptr_equal(perms_get(&table, &entry, 1), lists[i]);
			perms_unref(&table, lists[i]);
			perms_unref(&table, lists[i]);
		}
		assert_int_equal(table.bytes, 0);
	}
	perms_table_deinit(&table);
}

static int parse(const char *text, unsigned int *letter, unsigned int *domid)
{
	return perm_parse(text, strlen(text), letter, domid);
}

static void test_parse(void **state)
{
	static const char *const bad[] = {"",
					  "n",
					  "x1",
					  "N1",
					  "n1 ",
					  "n1x",
					  "nx",
					  "n-1",
					  "n65536",
					  "nn1",
					  "n99999999999999999999",
					  "1"};
	static const char letters[] = "nrwb";
	unsigned int letter, domid;

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		char text[] = {letters[i], '7', 0};

		assert_int_equal(parse(text, &letter, &domid), 0);
		assert_int_equal(domid, 7);
		assert_int_equal(perm_char(letter), letters[i]);
	}
	assert_int_equal(letter, PERM_READ | PERM_WRITE);
	assert_int_equal(parse("r0x10", &letter, &domid), 0);
	assert_int_equal(domid, 16);
	assert_int_equal(parse("r010", &letter, &domid), 0);
	assert_int_equal(domid, 8);
	assert_int_equal(parse("r65535", &letter, &domid), 0);
	assert_int_equal(domid, 65535);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse(bad[i], &letter, &domid), EINVAL);
	/* a NUL inside is not the end */
	assert_int_equal(perm_parse("n1\0"
				    "2",
				    4, &letter, &domid),
			 EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_lists_are_one),
		cmocka_unit_test(test_many_lists),
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
