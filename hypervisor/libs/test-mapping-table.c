/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of mappings against a plain array: pages that lie together, as those
 * of a process do, and are added and removed in any order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mapping-table.h"

#define PAGES 3000U
#define STEPS 200000U

static uintptr_t address_of(size_t page)
{
	return 0x7f0000000000U + page * 4096U;
}

static void test_an_empty_table_has_nothing(void **state)
{
	struct mapping_table table = {0};
	uint64_t id;

	(void)state;
	assert_false(mapping_table_take(&table, address_of(1), &id));
	mapping_table_deinit(&table);
}

static void test_any_order_of_changes(void **state)
{
	static uint64_t model[PAGES]; /* id + 1 of what is there, 0: nothing */
	struct mapping_table table = {0};
	uint32_t random = 12345;

	(void)state;
	for (uint32_t step = 0; step < STEPS; step++) {
		size_t page;
		uint64_t id = 0;

		random = random * 1664525U + 1013904223U;
		page = (random >> 8) % PAGES;
		if (!model[page] && (random >> 24) % 3) {
			assert_int_equal(mapping_table_add(&table, address_of(page), step), 0);
			model[page] = (uint64_t)step + 1;
			continue;
		}
		assert_int_equal(mapping_table_take(&table, address_of(page), &id),
				 model[page] != 0);
		if (model[page])
			assert_int_equal(id + 1, model[page]);
		model[page] = 0;
	}
	for (size_t page = 0; page < PAGES; page++) {
		uint64_t id = 0;

		assert_int_equal(mapping_table_take(&table, address_of(page), &id),
				 model[page] != 0);
	}
	assert_int_equal(table.used, 0);
	mapping_table_deinit(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_empty_table_has_nothing),
		cmocka_unit_test(test_any_order_of_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
