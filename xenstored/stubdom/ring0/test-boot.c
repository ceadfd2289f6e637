/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is read at boot: the memory map, the command line, the clock's scale. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stubdom/layout.h"
#include "stubdom/ring0/arguments.h"
#include "stubdom/ring0/clock.h"
#include "stubdom/ring0/memory-map.h"

#define MB	  (1ull << 20)
#define IMAGE_END (5 * MB)
#define PAGES(mb) ((mb)*MB / LAYOUT_PAGE + 8) /* as the reservation counts them */

static void test_memory_of_a_good_map(void **state)
{
	const struct memory_map_entry map[] = {
		{0, 16 * MB, MEMORY_MAP_RAM},
		{LAYOUT_SPECIAL, 0x8000, 2},
	};

	(void)state;
	assert_int_equal(memory_map_end(map, 2, IMAGE_END, PAGES(8)), 8 * MB);
	assert_int_equal(memory_map_end(map, 2, IMAGE_END, PAGES(16)), 16 * MB);
	/* The map knows of less than the count: some pages are elsewhere. */
	assert_int_equal(memory_map_end(map, 2, IMAGE_END, PAGES(24)), 16 * MB);
}

static void test_megabytes_taken_for_bytes(void **state)
{
	const struct memory_map_entry map[] = {{0, 16, MEMORY_MAP_RAM}};

	(void)state;
	assert_int_equal(memory_map_end(map, 1, IMAGE_END, PAGES(8)), 8 * MB);
}

static void test_no_map_or_a_mad_one(void **state)
{
	const struct memory_map_entry map[] = {
		{0, UINT64_MAX, 2},
		{UINT64_MAX - 5, 100, MEMORY_MAP_RAM},
		{1, UINT64_MAX, MEMORY_MAP_RAM},
		{100 * MB, 1 * MB, MEMORY_MAP_RAM},
	};

	(void)state;
	assert_int_equal(memory_map_end(NULL, 0, IMAGE_END, PAGES(8)), 8 * MB);
	assert_int_equal(memory_map_end(map, 4, IMAGE_END, PAGES(8)), 8 * MB);
	assert_int_equal(memory_map_end(NULL, 0, IMAGE_END, 0), 0);
	assert_int_equal(memory_map_end(NULL, 0, IMAGE_END, 3), 0);
}

static void test_more_memory_than_is_used(void **state)
{
	const struct memory_map_entry map[] = {
		{0, 0xfee00000, MEMORY_MAP_RAM},
		{1ull << 32, 8ull << 32, MEMORY_MAP_RAM},
	};

	(void)state;
	assert_int_equal(memory_map_end(map, 2, IMAGE_END, PAGES(32768)), LAYOUT_RAM_END);
	assert_int_equal(memory_map_end(map, 2, IMAGE_END, UINT64_MAX), LAYOUT_RAM_END);
}

static void test_words_of_a_command_line(void **state)
{
	char text[] = "  --event 14\t-E  5000 --param=\"a b\" ";
	char *word[8];

	(void)state;
	assert_int_equal(arguments_split(text, word, 8), 6);
	assert_string_equal(word[0], "--event");
	assert_string_equal(word[1], "14");
	assert_string_equal(word[3], "5000");
	/* No quoting. */
	assert_string_equal(word[4], "--param=\"a");
	assert_string_equal(word[5], "b\"");
	assert_null(word[6]);
}

static void test_no_words_and_too_many(void **state)
{
	char none[] = " \t ", empty[] = "", many[] = "a b c d e";
	char *word[4];

	(void)state;
	assert_int_equal(arguments_split(none, word, 4), 0);
	assert_null(word[0]);
	assert_int_equal(arguments_split(empty, word, 4), 0);
	assert_int_equal(arguments_split(many, word, 4), 3);
	assert_string_equal(word[2], "c");
	assert_null(word[3]);
}

static void test_time_by_a_scale(void **state)
{
	/* 2 GHz: half a nanosecond a tick. */
	struct clock_scale scale = {
		.tsc_stamp = 1000,
		.time = 5000,
		.multiplier = 1u << 31,
		.shift = 0,
	};

	(void)state;
	assert_int_equal(clock_scale_ns(&scale, 1000), 5000);
	assert_int_equal(clock_scale_ns(&scale, 3000), 6000);
	/* A counter that is a little behind its stamp does not make time jump. */
	assert_int_equal(clock_scale_ns(&scale, 900), 5000);
	scale.shift = 1;
	assert_int_equal(clock_scale_ns(&scale, 3000), 7000);
	scale.shift = -2;
	assert_int_equal(clock_scale_ns(&scale, 3000), 5250);
	/* A year without a new stamp. */
	scale.shift = 0;
	assert_int_equal(clock_scale_ns(&scale, 1000 + 2 * 31536000000000000ull),
			 5000 + 31536000000000000ull);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_of_a_good_map),
		cmocka_unit_test(test_megabytes_taken_for_bytes),
		cmocka_unit_test(test_no_map_or_a_mad_one),
		cmocka_unit_test(test_more_memory_than_is_used),
		cmocka_unit_test(test_words_of_a_command_line),
		cmocka_unit_test(test_no_words_and_too_many),
		cmocka_unit_test(test_time_by_a_scale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
