/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The oldest of many files, in whatever order they are met. */
#include "ninepfsd/oldest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A prime, so that multiples of a step visit every file once. */
#define FILES 5003U

static void note(struct oldest *oldest, unsigned int age)
{
	struct stat file = {.st_ino = age, .st_mtim = {.tv_sec = age / 2, .tv_nsec = age % 2}};
	char path[32];

	snprintf(path, sizeof(path), "f%u and more", age);
	oldest_note(oldest, path, strcspn(path, " "), &file);
}

static void test_the_oldest_in_order(void **state)
{
	static const unsigned int steps[] = {1, FILES - 1, 1237};
	struct oldest oldest = {0};
	const struct oldest_file *file;
	char path[32];

	(void)state;
	for (size_t round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < FILES; i++)
			note(&oldest, i * steps[round] % FILES);
		oldest_sort(&oldest);
		for (unsigned int i = 0; i < OLDEST_MAX; i++) {
			file = oldest_take(&oldest);
			assert_non_null(file);
			assert_int_equal(file->inode, i);
			snprintf(path, sizeof(path), "f%u", i);
			assert_string_equal(file->path, path);
		}
		assert_null(oldest_take(&oldest));
		oldest_clear(&oldest);
	}
	oldest_deinit(&oldest);
}

static void test_few(void **state)
{
	struct oldest oldest = {0};

	(void)state;
	oldest_sort(&oldest);
	assert_null(oldest_take(&oldest));
	note(&oldest, 7);
	note(&oldest, 3);
	oldest_sort(&oldest);
	assert_int_equal(oldest_take(&oldest)->inode, 3);
	assert_int_equal(oldest_take(&oldest)->inode, 7);
	assert_null(oldest_take(&oldest));
	oldest_deinit(&oldest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_oldest_in_order),
		cmocka_unit_test(test_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
