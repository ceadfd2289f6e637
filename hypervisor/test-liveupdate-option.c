/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The option as administrators and kexec-tools write it, and everything that only looks like it. */
#include "hypervisor/test-machine.h"

#include "hypervisor/liveupdate-option.h"

static struct hv_liveupdate_option parsed(const char *command_line)
{
	struct hv_liveupdate_option option;

	assert_int_equal(hv_liveupdate_option_parse(command_line, strlen(command_line), &option),
			 0);
	return option;
}

static void refused(const char *command_line)
{
	struct hv_liveupdate_option option;

	assert_int_equal(hv_liveupdate_option_parse(command_line, strlen(command_line), &option),
			 -XEN_EINVAL);
}

static void test_units(void **state)
{
	(void)state;
	assert_int_equal(parsed("").size, 0);
	assert_int_equal(parsed("console=com1 noliveupdate=1M").size, 0);
	assert_int_equal(parsed("liveupdate=64").size, 64 << 10);
	assert_int_equal(parsed("liveupdate=64K").size, 64 << 10);
	assert_int_equal(parsed("liveupdate=4096b").size, 4096);
	assert_int_equal(parsed("a liveupdate=64M b").size, 64 << 20);
	assert_int_equal(parsed("liveupdate=0x40m").size, 64 << 20);
	assert_true(parsed("liveupdate=2g").size == UINT64_C(2) << 30);
	assert_true(parsed("liveupdate=1T").size == UINT64_C(1) << 40);
	assert_false(parsed("liveupdate=64M").has_base);
}

/* What kexec-tools appends; the last option counts. */
static void test_base(void **state)
{
	struct hv_liveupdate_option option = parsed("liveupdate=32M x=1 liveupdate=64M@0x7c000000");

	(void)state;
	assert_int_equal(option.size, 64 << 20);
	assert_true(option.has_base);
	assert_int_equal(option.base, 0x7c000000);
	assert_int_equal(parsed("liveupdate=64M@1G").base, 1 << 30);
	assert_false(parsed("liveupdate=64M@0x7c000000 liveupdate=1M").has_base);
}

static void test_malformed(void **state)
{
	(void)state;
	refused("liveupdate=");
	refused("liveupdate=0");
	refused("liveupdate=M");
	refused("liveupdate=0x");
	refused("liveupdate=64X");
	refused("liveupdate=64MB");
	refused("liveupdate=-64M");
	refused("liveupdate=64M@");
	refused("liveupdate=64M@0x");
	refused("liveupdate=64M@1G,");
	refused("liveupdate=18446744073709551616");
	refused("liveupdate=18446744073709551615");
	refused("liveupdate=16777216T");
	refused("liveupdate=1M@0xffffffffffffffff");
}

/* A command line ends where its length says, not at a NUL. */
static void test_length(void **state)
{
	struct hv_liveupdate_option option;

	(void)state;
	assert_int_equal(hv_liveupdate_option_parse("liveupdate=64M", 13, &option), 0);
	assert_int_equal(option.size, 64 << 10);
	assert_int_equal(hv_liveupdate_option_parse("liveupdate=64M", 11, &option), -XEN_EINVAL);
}

static void test_format(void **state)
{
	struct hv_liveupdate_option option;
	char text[64];
	int length = hv_liveupdate_option_format(64 << 20, 0x7bc00000, text, sizeof(text));

	(void)state;
	assert_string_equal(text, "liveupdate=65536K@0x7bc00000");
	assert_int_equal(length, strlen(text));
	option = parsed(text);
	assert_int_equal(option.size, 64 << 20);
	assert_int_equal(option.base, 0x7bc00000);
	assert_int_equal(hv_liveupdate_option_format(1, 0, text, sizeof(text)), 17);
	assert_string_equal(text, "liveupdate=1K@0x0");
}

static void test_format_room(void **state)
{
	char text[32];

	(void)state;
	for (size_t room = 0; room < 29; room++)
		assert_int_equal(hv_liveupdate_option_format(64 << 20, 0x7bc00000, text, room),
				 -XEN_ENOSPC);
	assert_int_equal(hv_liveupdate_option_format(64 << 20, 0x7bc00000, text, 29), 28);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_units),	  cmocka_unit_test(test_base),
		cmocka_unit_test(test_malformed), cmocka_unit_test(test_length),
		cmocka_unit_test(test_format),	  cmocka_unit_test(test_format_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
