/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The index of ownership roots, by path and by domain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state/ownership.h"

#define PATHS	300u
#define DOMAINS 3u

static const struct hash_secret secret = {5, 6};

static void add(struct ownership *ownership, struct domain *domain, const char *path)
{
	struct ownership_root *root = ownership_reserve(path, strlen(path));

	assert_non_null(root);
	ownership_add(ownership, domain, root);
}

static struct ownership_root *find(const struct ownership *ownership, const struct domain *domain,
				   const char *path)
{
	return ownership_find(ownership, domain, path, strlen(path));
}

static void test_two_owners_of_a_path(void **state)
{
	struct ownership ownership;
	struct domain one = {0}, two = {0};
	struct ownership_root *root = NULL;
	unsigned int found = 0;

	(void)state;
	LIST_INIT(&one.roots);
	LIST_INIT(&two.roots);
	ownership_init(&ownership, &secret);
	add(&ownership, &one, "/a");
	add(&ownership, &two, "/a");
	add(&ownership, &one, "/a/b");
	/* an entry that is there already makes another one superfluous */
	add(&ownership, &one, "/a");
	assert_int_equal(ownership.roots.count, 3);
	assert_ptr_equal(find(&ownership, &one, "/a")->domain, &one);
	assert_ptr_equal(find(&ownership, &two, "/a")->domain, &two);
	assert_null(find(&ownership, &two, "/a/b"));
	assert_null(find(&ownership, &one, "/"));
	while ((root = ownership_find_any(&ownership, "/a", 2, root)))
		found++;
	assert_int_equal(found, 2);
	ownership_remove(&ownership, find(&ownership, &one, "/a"));
	assert_null(find(&ownership, &one, "/a"));
	assert_non_null(find(&ownership, &two, "/a"));
	ownership_remove(&ownership, find(&ownership, &two, "/a"));
	ownership_remove(&ownership, find(&ownership, &one, "/a/b"));
	assert_true(LIST_EMPTY(&one.roots));
	assert_int_equal(ownership.bytes, 0);
	ownership_unreserve(ownership_reserve("/x", 2));
	ownership_unreserve(NULL);
	ownership_deinit(&ownership);
}

static void test_like_a_table(void **state)
{
	static bool in[DOMAINS][PATHS];
	struct domain domain[DOMAINS] = {0};
	struct ownership ownership;
	unsigned int count = 0;
	char path[32];

	(void)state;
	srand(3);
	ownership_init(&ownership, &secret);
	for (unsigned int i = 0; i < DOMAINS; i++)
		LIST_INIT(&domain[i].roots);
	for (unsigned int i = 0; i < 20000; i++) {
		unsigned int who = (unsigned int)rand() % DOMAINS,
			     what = (unsigned int)rand() % PATHS;
		struct ownership_root *root;

		sprintf(path, "/local/domain/%u", what);
		root = find(&ownership, &domain[who], path);
		assert_int_equal(root != NULL, in[who][what]);
		if (root) {
			assert_string_equal(root->path, path);
			ownership_remove(&ownership, root);
			count--;
		} else {
			add(&ownership, &domain[who], path);
			count++;
		}
		in[who][what] = !root;
		assert_int_equal(ownership.roots.count, count);
	}
	for (unsigned int who = 0; who < DOMAINS; who++)
		while (!LIST_EMPTY(&domain[who].roots))
			ownership_remove(&ownership, LIST_FIRST(&domain[who].roots));
	assert_int_equal(ownership.roots.count, 0);
	assert_int_equal(ownership.bytes, 0);
	ownership_deinit(&ownership);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_owners_of_a_path),
		cmocka_unit_test(test_like_a_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
