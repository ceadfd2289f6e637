/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Payloads taken apart (spec: protocol.md section 3). */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bytes/args.h"

static void test_one(void **state)
{
	struct arg arg;

	(void)state;
	assert_false(args_one("", 0, &arg));
	assert_true(args_one("\0", 1, &arg));
	assert_int_equal(arg.len, 0);
	assert_true(args_one("abc\0", 4, &arg));
	assert_int_equal(arg.len, 3);
	assert_string_equal(arg.text, "abc");
	assert_false(args_one("abc", 3, &arg));
	assert_false(args_one("a\0b\0", 4, &arg));
	assert_false(args_one("a\0b", 3, &arg));
	assert_false(args_one("\0\0", 2, &arg));
}

static void test_split(void **state)
{
	struct arg args[2];

	(void)state;
	assert_int_equal(args_split("", 0, args, 2), 0);
	assert_int_equal(args_split("abc", 3, args, 2), 0);
	assert_int_equal(args_split("a\0bc\0", 5, args, 2), 2);
	assert_string_equal(args[0].text, "a");
	assert_string_equal(args[1].text, "bc");
	assert_int_equal(args[1].len, 2);
	/* what is not terminated does not count */
	assert_int_equal(args_split("a\0bc", 4, args, 2), 1);
	/* more than there is room for are counted all the same */
	args[1].text = "untouched";
	assert_int_equal(args_split("a\0b\0c\0\0", 7, args, 1), 4);
	assert_string_equal(args[0].text, "a");
	assert_string_equal(args[1].text, "untouched");
}

static int domid_of(const char *text, unsigned int *domid)
{
	struct arg arg = {text, strlen(text)};

	return args_domid(&arg, domid);
}

static void test_domid(void **state)
{
	static const char *const bad[] = {
		"65536", "-1", "1x", "x", "0x10", "1 ", "99999999999999999999", "4294967297"};
	unsigned int domid;

	(void)state;
	assert_int_equal(domid_of("0", &domid), 0);
	assert_int_equal(domid, 0);
	assert_int_equal(domid_of("65535", &domid), 0);
	assert_int_equal(domid, 65535);
	assert_int_equal(domid_of(" +7", &domid), 0);
	assert_int_equal(domid, 7);
	assert_int_equal(domid_of("007", &domid), 0);
	assert_int_equal(domid, 7);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(domid_of(bad[i], &domid), EINVAL);
}

static int int_of(const char *text)
{
	struct arg arg = {text, strlen(text)};

	return args_int(&arg);
}

static void test_int(void **state)
{
	(void)state;
	assert_int_equal(int_of("42"), 42);
	assert_int_equal(int_of(" -3x"), -3);
	assert_int_equal(int_of("+5"), 5);
	assert_int_equal(int_of("garbage"), 0);
	assert_int_equal(int_of(""), 0);
	assert_int_equal(int_of("2147483647"), INT_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_domid),
		cmocka_unit_test(test_int),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
