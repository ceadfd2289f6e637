/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pages that are exchanged with upstream's stub domain: what one of its kernels would leave is
 * found, what we leave it would find, and nothing else is believed.
 *
 * COUNT= how many times the usual number of modules damaged at random.
 */
#include "stubdom/update/kexec-module.h"
#include "tests/unit/setting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ninep/ring.h"

#define PAGE	LAYOUT_PAGE
#define ADDRESS 0x7ee000u
#define BACKEND 3u
#define REF(n)	(40u - (n)) /* of page n: in no special order */

/* Pages of the module below those of the device. */
static unsigned int below;

static uint8_t *module;
static uint64_t size;

/* A grant table in which one entry may be wrong. */
struct grants {
	uint32_t spoilt;
	unsigned int domid;
	uint64_t address;
	bool missing;
};

static bool find(void *data, uint32_t ref, unsigned int *domid, uint64_t *address)
{
	const struct grants *grants = data;

	if (ref < REF(LAYOUT_FILES_PAGES - 2) || ref > REF(0))
		return false;
	*domid = BACKEND;
	*address = ADDRESS + (below + (uint64_t)(REF(0) - ref)) * PAGE;
	if (ref != grants->spoilt)
		return true;
	*domid = grants->domid;
	*address += grants->address;
	return !grants->missing;
}

static struct p9_interface *interface_page(void)
{
	return (struct p9_interface *)(void *)(module + below * PAGE);
}

static uint8_t *last_page(void)
{
	return module + size - PAGE;
}

static void put16(size_t offset, uint16_t value)
{
	memcpy(last_page() + offset, &value, sizeof(value));
}

/* As upstream's kernel has it, byte by byte: spec: stubdom.md section 6. */
static void as_upstream(uint32_t order)
{
	const uint32_t record[4] = {REF(0), 9, 0x12345, 0x54321};
	uint8_t *last = last_page();
	size_t pages = below + LAYOUT_FILES_PAGES - 1;
	size_t table = (14 + pages + 1) & ~(size_t)1;

	memset(module, 0, size);
	memcpy(last, "KexecMem", 8);
	put16(8, (uint16_t)pages);
	put16(10, 16);
	put16(12, (uint16_t)table);
	memset(last + 14, 0xff, pages);
	memset(last + 14 + below, 0, 1 + (1u << order));
	put16(table, (uint16_t)(table + 64));
	last[table + 2] = 1;
	last[table + 3] = sizeof(record);
	memcpy(last + table + 64, record, sizeof(record));
	interface_page()->ring_order = order;
	for (uint32_t i = 0; i < 1u << order; i++)
		interface_page()->ref[i] = REF(1 + i);
}

static void make(unsigned int pages_below)
{
	below = pages_below;
	size = (below + LAYOUT_FILES_PAGES) * (uint64_t)PAGE;
	free(module);
	module = aligned_alloc(PAGE, size);
	assert_non_null(module);
	as_upstream(LAYOUT_FILES_ORDER);
}

static const char *read_with(struct grants *grants, struct ninep_saved *saved, uint64_t *interface)
{
	const struct kexec_module_grants lookup = {find, grants};
	const char *why = NULL;

	if (kexec_module_read(module, size, ADDRESS, &lookup, saved, interface, &why))
		return NULL;
	assert_non_null(why);
	return why;
}

static const char *read_it(void)
{
	struct grants grants = {0};
	struct ninep_saved saved;
	uint64_t interface;

	return read_with(&grants, &saved, &interface);
}

static void expect_device(uint32_t order)
{
	struct grants grants = {0};
	struct ninep_saved saved;
	uint64_t interface = 0;

	assert_null(read_with(&grants, &saved, &interface));
	assert_int_equal(interface, ADDRESS + below * PAGE);
	assert_int_equal(saved.version, NINEP_SAVED_VERSION);
	assert_int_equal(saved.connected, 1);
	assert_int_equal(saved.backend_id, BACKEND);
	assert_int_equal(saved.order, order);
	assert_int_equal(saved.port, 9);
	assert_int_equal(saved.granted, 1 + (1u << order));
	for (uint32_t i = 0; i < saved.granted; i++)
		assert_int_equal(saved.refs[i], REF(i));
	assert_int_equal(saved.out_prod, 0x12345);
	assert_int_equal(saved.in_cons, 0x54321);
	assert_int_equal(saved.awaited, 0);
	/* What another front-end may have left open, the root among it, is to be given up. */
	assert_int_equal(saved.fids & 0xf, 0xf);
}

static void test_what_upstream_leaves_is_found(void **state)
{
	(void)state;
	make(0);
	expect_device(LAYOUT_FILES_ORDER);
	for (uint32_t order = 1; order <= LAYOUT_FILES_ORDER; order++) {
		as_upstream(order);
		expect_device(order);
	}
	/* A module that was extended downwards, and records of others before ours. */
	make(5);
	expect_device(LAYOUT_FILES_ORDER);
	make(0);
	memset(last_page() + 14, 2, 17);
	memcpy(last_page() + 32 + 8, last_page() + 32, 4);
	memcpy(last_page() + 32, "\x80\x00\x07\x10\x00\x00\x00\x00", 8);
	expect_device(LAYOUT_FILES_ORDER);
}

static void test_what_we_leave_is_what_upstream_would(void **state)
{
	const struct kexec_module_files files = {REF(0), 9, 0x12345, 0x54321};
	uint8_t ours[PAGE];

	(void)state;
	make(0);
	kexec_module_write(ours, &files);
	assert_memory_equal(ours, last_page(), PAGE);
	assert_int_equal(KEXEC_MODULE_SIZE, size);
}

static void test_other_modules_are_none(void **state)
{
	static uint8_t page[2 * PAGE];

	(void)state;
	assert_false(kexec_module_is(page, sizeof(page)));
	memcpy(page + PAGE, KEXEC_MODULE_MAGIC, 8);
	assert_true(kexec_module_is(page, sizeof(page)));
	assert_false(kexec_module_is(page, sizeof(page) - 1));
	assert_false(kexec_module_is(page + PAGE, PAGE));
	assert_false(kexec_module_is(page, 0));
	assert_false(kexec_module_is(page, 1ull << 40));
}

static void expect_refused(const char *text)
{
	const char *why = read_it();

	if (!why)
		fail_msg("believed, in spite of: %s", text);
	assert_string_equal(why, text);
	as_upstream(LAYOUT_FILES_ORDER);
}

static void test_each_number_out_of_range(void **state)
{
	static const char size_text[] = "its size is another one",
			  table_text[] = "its table of records is somewhere else",
			  none_text[] = "it has no 9pfs device",
			  order_text[] = "its pages are in another order",
			  ring_text[] = "the size of its ring is impossible",
			  grant_text[] = "a page of its ring is not granted",
			  interface_text[] = "its interface page is not granted";

	(void)state;
	make(0);
	for (unsigned int pages = 0; pages < 300; pages++) {
		put16(8, (uint16_t)pages);
		if (pages != 17)
			expect_refused(size_text);
	}
	put16(8, 0xffff);
	expect_refused(size_text);
	for (unsigned int table = 0; table < 14 + 17; table++) {
		put16(12, (uint16_t)table);
		expect_refused(table_text);
	}
	put16(12, PAGE - 16 * 4 + 1);
	expect_refused(table_text);
	put16(12, 0xffff);
	expect_refused(table_text);
	put16(10, 0xffff);
	expect_refused(table_text);
	put16(10, (PAGE - 32) / 4 + 1);
	expect_refused(table_text);
	put16(10, 0);
	expect_refused(none_text);
	last_page()[34] = 2; /* another kind */
	expect_refused(none_text);
	for (unsigned int length = 0; length < 256; length++) {
		last_page()[35] = (uint8_t)length;
		if (length != 16)
			expect_refused(none_text);
	}
	for (unsigned int offset = 0; offset < 96; offset++) { /* over the table */
		put16(32, (uint16_t)offset);
		expect_refused(none_text);
	}
	put16(32, PAGE - 15);
	expect_refused(none_text);
	put16(32, 0xffff);
	expect_refused(none_text);
	last_page()[14] = 255; /* the device begins a page later, and its ring ends outside */
	expect_refused(order_text);
	memset(last_page() + 14, 255, 17);
	expect_refused(order_text);
	last_page()[96 + 4] = 0; /* no port */
	expect_refused(interface_text);
	last_page()[96] = 1; /* another grant reference */
	expect_refused(interface_text);
	last_page()[96] = REF(1);
	expect_refused(interface_text);
	for (unsigned int i = 0; i < 3; i++) {
		interface_page()->ring_order = (const uint32_t[]){0, 5, UINT32_MAX}[i];
		expect_refused(ring_text);
	}
	for (unsigned int i = 0; i < 16; i++) {
		interface_page()->ref[i] = REF(0);
		expect_refused(grant_text);
		interface_page()->ref[i] = UINT32_MAX;
		expect_refused(grant_text);
	}
}

static void test_grants_that_say_something_else(void **state)
{
	(void)state;
	make(0);
	for (unsigned int i = 0; i < 17; i++) {
		struct grants other_page = {REF(i), BACKEND, PAGE, false};
		struct grants other_domain = {REF(i), BACKEND + 1, 0, false};
		struct grants none = {REF(i), BACKEND, 0, true};
		struct ninep_saved saved;
		uint64_t interface;

		assert_non_null(read_with(&other_page, &saved, &interface));
		assert_non_null(read_with(&other_domain, &saved, &interface));
		assert_non_null(read_with(&none, &saved, &interface));
	}
}

/* In allocations of exactly their size: what is believed makes sense, and nothing behind is read.
 */
static void test_damaged_at_random(void **state)
{
	unsigned long rounds = 20000 * setting("COUNT", 1);
	unsigned int believed = 0;

	(void)state;
	make(2);
	srandom(7);
	for (unsigned long round = 0; round < rounds; round++) {
		struct grants grants = {0};
		struct ninep_saved saved;
		uint64_t interface = 0;
		unsigned int changes = 1 + (unsigned int)random() % 3;

		as_upstream(1 + (uint32_t)random() % LAYOUT_FILES_ORDER);
		for (unsigned int i = 0; i < changes; i++) {
			uint8_t *page = random() % 4 ? last_page() : (uint8_t *)interface_page();

			page[random() % 220] = (uint8_t)random();
		}
		if (read_with(&grants, &saved, &interface))
			continue;
		believed++;
		assert_int_equal(interface, ADDRESS + below * PAGE);
		assert_true(saved.order >= 1 && saved.order <= LAYOUT_FILES_ORDER);
		assert_int_equal(saved.granted, 1 + (1u << saved.order));
		assert_int_equal(saved.backend_id, BACKEND);
		for (uint32_t i = 0; i < saved.granted; i++)
			assert_int_equal(saved.refs[i], REF(i));
	}
	/* Most of the page means nothing. */
	assert_true(believed > rounds / 100);
	free(module);
	module = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_upstream_leaves_is_found),
		cmocka_unit_test(test_what_we_leave_is_what_upstream_would),
		cmocka_unit_test(test_other_modules_are_none),
		cmocka_unit_test(test_each_number_out_of_range),
		cmocka_unit_test(test_grants_that_say_something_else),
		cmocka_unit_test(test_damaged_at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
