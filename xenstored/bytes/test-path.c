/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paths: what is accepted, what it becomes, and its parts (spec: protocol.md section 4). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bytes/path.h"

static int make(struct path *path, const char *text, bool special, size_t max)
{
	return path_make(path, text, strlen(text), 7, special, max);
}

static void test_absolute_and_relative(void **state)
{
	struct path path;

	(void)state;
	assert_int_equal(make(&path, "/a/b-c_D@9", false, 0), 0);
	assert_string_equal(path.text, "/a/b-c_D@9");
	assert_int_equal(path.prefix, 0);
	assert_int_equal(path.len, strlen(path.text));
	assert_int_equal(make(&path, "data/x", false, 0), 0);
	assert_string_equal(path.text, "/local/domain/7/data/x");
	assert_int_equal(path.prefix, strlen("/local/domain/7/"));
	assert_int_equal(make(&path, "/", false, 0), 0);
	assert_true(path_is_root(path.text, path.len));
	/* Only the given bytes count, whatever stands behind them. */
	assert_int_equal(path_make(&path, "/ab//", 3, 7, false, 0), 0);
	assert_string_equal(path.text, "/ab");
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"",	"//",	"/a/",	"/a//b",     "a/",  "a//b", "/local/domain/",
		"/a b", "/a.b", "/a\n", "/\xc3\xa4", "/a*", "@x",   "local/domain/"};
	struct path path;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(make(&path, bad[i], false, 0), EINVAL);
	assert_int_equal(path_make(&path, "/a\0b", 4, 7, false, 0), EINVAL);
}

static void test_special_names(void **state)
{
	struct path path;

	(void)state;
	assert_int_equal(make(&path, "@releaseDomain", true, 0), 0);
	assert_string_equal(path.text, "@releaseDomain");
	assert_int_equal(make(&path, "@releaseDomain/3", true, 0), 0);
	assert_int_equal(make(&path, "@foo//bar", true, 0), EINVAL);
	assert_int_equal(make(&path, "@foo/", true, 0), EINVAL);
	assert_int_equal(make(&path, "/@foo", false, 0), 0);
}

/* Exactly as many bytes as the limit says, counted below the home. */
static void test_length_limit(void **state)
{
	char text[4096];
	struct path path;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[0] = '/';
	assert_int_equal(path_make(&path, text, 2048, 7, false, 2048), 0);
	assert_int_equal(path_make(&path, text, 2049, 7, false, 2048), EINVAL);
	/* relative: the prefix does not count, and is complete */
	text[0] = 'x';
	assert_int_equal(path_make(&path, text, 2048, 7, false, 2048), 0);
	assert_int_equal(path.len, 2048 + strlen("/local/domain/7/"));
	assert_int_equal(path_make(&path, text, 2049, 7, false, 2048), EINVAL);
	/* the same path spelled absolutely */
	memcpy(text, "/local/domain/12345/", 20);
	assert_int_equal(path_make(&path, text, 20 + 2048, 7, false, 2048), 0);
	assert_int_equal(path_make(&path, text, 20 + 2049, 7, false, 2048), EINVAL);
	/* six digits are no home */
	memcpy(text, "/local/domain/123456/", 21);
	assert_int_equal(path_make(&path, text, 2049, 7, false, 2048), EINVAL);
	/* without a limit a whole payload's worth below the longest home */
	memset(text, 'y', sizeof(text));
	assert_int_equal(path_make(&path, text, 4096, 65535, false, 0), 0);
	assert_int_equal(path.len, 4096 + strlen("/local/domain/65535/"));
	assert_int_equal(path.text[path.len], 0);
}

static void test_limited_len(void **state)
{
	static const struct {
		const char *path;
		size_t len;
	} cases[] = {{"/local/domain/1/a", 1},
		     {"/local/domain/1/", 0},
		     {"/local/domain/1", 15},
		     {"/local/domain//a", 16},
		     {"/local/domain/1a/b", 18},
		     {"/a/b", 4},
		     {"/", 1}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(path_limited_len(cases[i].path, strlen(cases[i].path)),
				 cases[i].len);
}

static void test_parent(void **state)
{
	(void)state;
	assert_int_equal(path_parent_len("/a/b", 4), 2);
	assert_int_equal(path_parent_len("/a", 2), 1);
	assert_int_equal(path_parent_len("/", 1), 1);
	assert_int_equal(path_parent_len("@releaseDomain/3", 16), 14);
	assert_int_equal(path_parent_len("@releaseDomain", 14), 0);
	/* bytes behind the path are not looked at */
	assert_int_equal(path_parent_len("/a/b/c", 4), 2);
}

static void components(const char *path, const char *expected)
{
	const char *end = path + strlen(path), *rest, *name;
	char all[128] = "";
	size_t len;

	for (name = path_first(path, &rest, end, &len); name; name = path_next(&rest, end, &len)) {
		strncat(all, name, len);
		strcat(all, " ");
	}
	assert_string_equal(all, expected);
}

static void test_components(void **state)
{
	(void)state;
	components("/", "/ ");
	components("/a", "/ a ");
	components("/a/bc/d", "/ a bc d ");
	components("@x", "@x ");
	components("@x/5", "@x 5 ");
}

static bool covers(const char *a, const char *b)
{
	return path_covers(a, strlen(a), b, strlen(b));
}

static void test_covers(void **state)
{
	(void)state;
	assert_true(covers("/a", "/a"));
	assert_true(covers("/a", "/a/b"));
	assert_false(covers("/a", "/ab"));
	assert_false(covers("/a/b", "/a"));
	assert_true(covers("/", "/"));
	assert_true(covers("/", "/a"));
	assert_false(covers("/", "@x"));
	assert_true(covers("@x", "@x/5"));
	assert_false(covers("@x", "/"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_absolute_and_relative),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_special_names),
		cmocka_unit_test(test_length_limit),
		cmocka_unit_test(test_limited_len),
		cmocka_unit_test(test_parent),
		cmocka_unit_test(test_components),
		cmocka_unit_test(test_covers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
