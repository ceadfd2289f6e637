/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The double of the old approach does what that did, and fails where that failed.
 */
#include "hypervisor/test-host.h"

#include "hypervisor/test-range-list.h"

/* A machine with so many pieces of memory in use, none next to another. */
static struct host *pieces(uint64_t count)
{
	struct hv_image_note note = host_note(4);
	struct host *host = host_new(FRAMES_OF(1 * GIB), 16 * MIB, &note);

	for (uint64_t i = 0; i < count; i++)
		assert_int_equal(
			hv_frames_set(&host->memory.table, 1000 + 4 * i, 2, 1, HV_FRAME_RAM), 0);
	return host;
}

static void test_list(void **state)
{
	struct host *host = pieces(3);
	struct range_list list;
	struct hv_frames frames;
	uint64_t regions;

	(void)state;
	/* Another owner's frames next to it are the same range. */
	assert_int_equal(hv_frames_set(&host->memory.table, 1002, 1, 2, HV_FRAME_P2M), 0);
	assert_int_equal(range_list_collect(&list, &host->memory.table), 0);
	assert_int_equal(list.count, 3);
	assert_int_equal(list.spans[0].first, 1000);
	assert_int_equal(list.spans[0].count, 3);
	assert_int_equal(range_list_boot(&list, host->ram, 2, &regions), 0);
	assert_int_equal(regions, 5); /* below 640 KiB, and four around three ranges */
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(hv_frames_set(&host->memory.table, list.spans[i].first,
					       list.spans[i].count, HV_DOMID_INVALID,
					       HV_FRAME_FREE),
				 0);
	assert_int_equal(range_list_reserve(&list, &host->memory.table), 0);
	assert_true(hv_frames_find(&host->memory.table, 1004, &frames));
	assert_int_equal(frames.type, HV_FRAME_BAD);
	range_list_deinit(&list);
	host_free(host);
}

/* Memory in more pieces than the table has room for: no boot. Boot memory does not mind. */
static void test_limit(void **state)
{
	struct hv_bootmem_plan plan;
	struct range_list list;
	uint64_t regions;

	(void)state;
	for (uint64_t count = 509; count <= 512; count++) {
		struct hv_image_memory next = host_note(4).memory;
		struct host *host = pieces(count);

		assert_int_equal(range_list_collect(&list, &host->memory.table), 0);
		assert_int_equal(range_list_boot(&list, host->ram, 2, &regions),
				 count <= 510 ? 0 : -XEN_ENOSPC);
		assert_int_equal(regions, count + 2);
		assert_int_equal(
			hv_bootmem_plan(&host->memory.bootmem, &host->memory.table, &next, &plan),
			0);
		range_list_deinit(&list);
		host_free(host);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
