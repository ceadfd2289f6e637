/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one image leaves for the next: the page is believed as it was sealed and not otherwise, the
 * start information is as a builder would make it, the trampoline moves what the file says.
 */
#include "stubdom/update/handover.h"
#include "stubdom/update/start-info.h"
#include "stubdom/update/trampoline-page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define __XEN_INTERFACE_VERSION__ __XEN_LATEST_INTERFACE_VERSION__
#include <xen/xen-compat.h>
#include <xen/xen.h>
#include <xen/arch-x86/hvm/start_info.h>

static struct handover good_handover(void)
{
	struct handover handover = {
		.kind = HANDOVER_MEMORY,
		.state_size = 100,
		.state = {0x800000, 4096},
		.virq_port = 3,
	};

	handover_seal(&handover);
	return handover;
}

static void test_handover(void **state)
{
	struct handover handover = good_handover();

	(void)state;
	assert_true(handover_is_good(&handover));
	handover.kind = HANDOVER_FILE;
	handover_seal(&handover);
	assert_true(handover_is_good(&handover));
	handover.state = (struct handover_range){0, 0};
	handover_seal(&handover);
	assert_true(handover_is_good(&handover));
}

static void test_each_damaged_bit_is_noticed(void **state)
{
	(void)state;
	for (size_t bit = 0; bit < 8 * sizeof(struct handover); bit += 5) {
		struct handover handover = good_handover();

		((unsigned char *)&handover)[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_false(handover_is_good(&handover));
	}
}

static void test_sealed_nonsense_is_not_believed(void **state)
{
	struct handover handover = good_handover();

	(void)state;
	handover.kind = 3;
	handover_seal(&handover);
	assert_false(handover_is_good(&handover));
	handover = good_handover();
	handover.state_size = 4097;
	handover_seal(&handover);
	assert_false(handover_is_good(&handover));
	handover.kind = HANDOVER_FILE;
	handover_seal(&handover);
	assert_false(handover_is_good(&handover));
	handover = good_handover();
	handover.state_size = 0;
	handover_seal(&handover);
	assert_false(handover_is_good(&handover));
	handover = good_handover();
	handover.files_size = sizeof(handover.files) + 1;
	handover_seal(&handover);
	assert_false(handover_is_good(&handover));
}

static const struct handover_key key = {1, 2};

static void test_sum_depends_on_every_byte_the_length_and_the_key(void **state)
{
	unsigned char bytes[29] = {0}, *long_one = calloc(2, 4096);
	uint64_t sum = handover_sum(&key, bytes, sizeof(bytes));

	(void)state;
	assert_true(sum != handover_sum(&key, bytes, sizeof(bytes) - 1));
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = 1;
		assert_true(sum != handover_sum(&key, bytes, sizeof(bytes)));
		bytes[i] = 0;
	}
	assert_true(sum == handover_sum(&key, bytes, sizeof(bytes)));
	assert_true(sum != handover_sum(&(struct handover_key){1, 3}, bytes, sizeof(bytes)));
	assert_true(sum != handover_sum(&(struct handover_key){0, 2}, bytes, sizeof(bytes)));
	/* Lengths that are the same modulo 256. */
	assert_non_null(long_one);
	assert_true(handover_sum(&key, long_one, 256) != handover_sum(&key, long_one, 512));
	free(long_one);
	/* And not on the pieces in which they come. */
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 31);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		struct siphash pieces;

		handover_sum_begin(&pieces, &key);
		siphash_add(&pieces, bytes, i);
		siphash_add(&pieces, bytes + i, sizeof(bytes) - i);
		assert_true(handover_sum_end(&pieces) == handover_sum(&key, bytes, sizeof(bytes)));
	}
}

static void test_ranges(void **state)
{
	(void)state;
	assert_true(handover_range_fits(&(struct handover_range){0, 0}, 10, 20));
	assert_true(handover_range_fits(&(struct handover_range){10, 10}, 10, 20));
	assert_false(handover_range_fits(&(struct handover_range){9, 10}, 10, 20));
	assert_false(handover_range_fits(&(struct handover_range){10, 11}, 10, 20));
	assert_false(handover_range_fits(&(struct handover_range){20, 1}, 10, 20));
	assert_false(handover_range_fits(&(struct handover_range){15, UINT64_MAX}, 10, 20));
}

#define ADDRESS 0x9000u

/* What is at an address of the place that was filled. */
static const void *at(const char *place, uint64_t address)
{
	return place + (address - ADDRESS);
}

static void test_start_info(void **state)
{
	const struct start_module module[] = {{0x800000, 5000, "first"}, {0x900000, 1, ""}};
	char place[4096];
	const struct hvm_start_info *info = (const void *)place;
	const struct hvm_modlist_entry *list;

	(void)state;
	memset(place, 0xff, sizeof(place));
	assert_true(start_info_make(place, sizeof(place), ADDRESS, module, 2, "--event 5 -U"));
	assert_int_equal(info->magic, XEN_HVM_START_MAGIC_VALUE);
	assert_int_equal(info->version, 1);
	assert_int_equal(info->nr_modules, 2);
	assert_int_equal(info->rsdp_paddr, 0);
	assert_int_equal(info->memmap_entries, 0);
	assert_string_equal(at(place, info->cmdline_paddr), "--event 5 -U");
	list = at(place, info->modlist_paddr);
	assert_int_equal(list[0].paddr, 0x800000);
	assert_int_equal(list[0].size, 5000);
	assert_string_equal(at(place, list[0].cmdline_paddr), "first");
	assert_int_equal(list[1].paddr, 0x900000);
	assert_string_equal(at(place, list[1].cmdline_paddr), "");
}

/* In allocations of all sizes, so that a sanitizer sees a byte too many. */
static void test_start_info_without_room(void **state)
{
	const struct start_module module = {0x800000, 5000, "first"};
	bool fits = false;

	(void)state;
	for (size_t room = 0; room < 256; room++) {
		char *place = malloc(room ? room : 1);
		bool made;

		assert_non_null(place);
		made = start_info_make(place, room, ADDRESS, &module, 1, "a command line");
		assert_true(made || !fits);
		fits |= made;
		free(place);
	}
	assert_true(fits);
}

static void test_trampoline(void **state)
{
	const struct kernel_image image = {
		.entry = 0x400100,
		.count = 2,
		.segment =
			{{.offset = 0, .file_size = 0x1000, .address = 0x400000, .size = 0x1000},
			 {.offset = 0x1000, .file_size = 8, .address = 0x402000, .size = 0x3000}},
	};
	const unsigned char code[] = {1, 2, 3};
	struct trampoline page;

	(void)state;
	assert_true(trampoline_fill(&page, code, sizeof(code), &image, 0x900000, ADDRESS));
	assert_memory_equal(page.code, code, sizeof(code));
	assert_int_equal(page.entry, 0x400100);
	assert_int_equal(page.start_info, ADDRESS);
	assert_int_equal(page.move[0].to, 0x400000);
	assert_int_equal(page.move[0].from, 0x900000);
	assert_int_equal(page.move[0].size, 0x1000);
	assert_int_equal(page.move[0].zeros, 0);
	assert_int_equal(page.move[1].to, 0x402000);
	assert_int_equal(page.move[1].from, 0x901000);
	assert_int_equal(page.move[1].size, 8);
	assert_int_equal(page.move[1].zeros, 0x3000 - 8);
	assert_int_equal(page.move[2].to, 0);
	/* The table of segments is in the page itself. */
	assert_int_equal(page.gdt_limit, TRAMPOLINE_GDT_SIZE - 1);
	assert_int_equal(page.far_segment, 8);
	/* A kernel may begin at 0. */
	trampoline_add(&page, 0, 0x5000, 100);
	assert_int_equal(page.move[2].to, 0);
	assert_int_equal(page.move[2].from, 0x5000);
	assert_int_equal(page.move[2].size, 100);
	assert_int_equal(page.move[3].size + page.move[3].zeros, 0);
	assert_false(trampoline_fill(&page, code, sizeof(page.code) + 1, &image, 0, ADDRESS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handover),
		cmocka_unit_test(test_each_damaged_bit_is_noticed),
		cmocka_unit_test(test_sealed_nonsense_is_not_believed),
		cmocka_unit_test(test_sum_depends_on_every_byte_the_length_and_the_key),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_start_info),
		cmocka_unit_test(test_start_info_without_room),
		cmocka_unit_test(test_trampoline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
