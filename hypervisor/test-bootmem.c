/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boot memory: the rule, the plan for the next image, and the allocator that sees
 * nothing else.
 */
#include "hypervisor/test-host.h"

static void test_first_boot(void **state)
{
	struct hv_image_note note = host_note(5);
	struct host *host = host_new(FRAMES_OF(8 * GIB), 33 * MIB, &note);
	const struct hv_bootmem *bootmem = &host->memory.bootmem;
	struct hv_frames frames;

	(void)state;
	/* The image takes 6 MiB at the top of RAM below 4 GiB, boot memory 34 MiB below it. */
	assert_int_equal(bootmem->image.first, FRAMES_OF(3 * GIB - 6 * MIB));
	assert_int_equal(bootmem->image.count, FRAMES_OF(6 * MIB));
	assert_int_equal(bootmem->regions[0].first, FRAMES_OF(3 * GIB - 40 * MIB));
	assert_int_equal(bootmem->regions[0].count, FRAMES_OF(34 * MIB));
	/* What is directly below is ordinary memory: no hole. */
	assert_true(hv_frames_find(&host->memory.table, bootmem->regions[0].first - 1, &frames));
	assert_int_equal(frames.type, HV_FRAME_FREE);
	/* The frame table: 32 bytes for each frame, outside of the span. */
	assert_int_equal(bootmem->region_count, 2);
	assert_int_equal(bootmem->regions[1].count, FRAMES_OF(8 * GIB) * 32 / HV_PAGE_SIZE);
	/* Half a MiB of the image was for the boot only, and is used like boot memory. */
	assert_true(hv_frames_find(&host->memory.table,
				   bootmem->image.first + FRAMES_OF(5 * MIB / 2), &frames));
	assert_int_equal(frames.type, HV_FRAME_BOOTMEM);
	assert_int_equal(frames.count, FRAMES_OF(MIB / 2));
	host_free(host);
}

static void test_without_option(void **state)
{
	struct hv_image_note note = host_note(2);
	struct host *host = host_new(FRAMES_OF(1 * GIB), 0, &note);

	(void)state;
	assert_int_equal(host_range(host, HV_KEXEC_RANGE_MA_LIVEUPDATE).size, 0);
	assert_int_equal(host_load(host, &note, 1, 0), -XEN_ENOSPC);
	host_free(host);
}

/* Whatever the heap is asked for: what survives is outside, what does not comes from inside. */
static void test_rule(void **state)
{
	struct hv_image_note note = host_note(4);
	struct host *host = host_new(FRAMES_OF(1 * GIB), 16 * MIB, &note);
	const struct hv_bootmem *bootmem = &host->memory.bootmem;
	struct hv_frames offender;
	uint64_t first, inside = host_count(host, HV_FRAME_BOOTMEM);

	(void)state;
	for (unsigned int type = HV_FRAME_KEXEC; type < HV_FRAME_TYPES; type++) {
		while (hv_heap_allocate(&host->memory.heap, 20000, 1, type, &first) == 20000) {
			assert_false(hv_bootmem_overlaps(bootmem,
							 &(struct hv_frame_span){first, 20000}));
			if (type + 1 < HV_FRAME_TYPES)
				break;
		}
	}
	assert_int_equal(host_count(host, HV_FRAME_BOOTMEM), inside);
	assert_true(hv_bootmem_check(bootmem, &host->memory.table, &offender));
	/* The hypervisor's own comes from there, the freed part of the image included. */
	while (host_count(host, HV_FRAME_BOOTMEM)) {
		assert_true(hv_heap_allocate(&host->memory.heap, 64, HV_DOMID_XEN, HV_FRAME_XEN,
					     &first) > 0);
		assert_true(hv_bootmem_contains(bootmem, first));
	}
	assert_int_equal(hv_heap_free(&host->memory.heap, first, 1, HV_DOMID_XEN, HV_FRAME_XEN), 0);
	assert_int_equal(host_count(host, HV_FRAME_BOOTMEM), 1);
	/* And the check finds what breaks the rule, wherever that is. */
	for (unsigned int i = 0; i < 3; i++) {
		const struct hv_frame_span *span = i < 2 ? &bootmem->regions[i] : &bootmem->image;

		assert_int_equal(hv_frames_set(&host->memory.table, span->first + 5, 1, 3,
					       HV_FRAME_SHARED_INFO),
				 0);
		assert_false(hv_bootmem_check(bootmem, &host->memory.table, &offender));
		assert_int_equal(offender.first, span->first + 5);
		assert_int_equal(offender.owner, 3);
		assert_int_equal(hv_frames_set(&host->memory.table, span->first + 5, 1,
					       HV_DOMID_XEN, HV_FRAME_XEN),
				 0);
	}
	host_free(host);
}

static struct hv_bootmem_plan planned(struct host *host, const struct hv_image_memory *next)
{
	struct hv_bootmem_plan plan;

	assert_int_equal(hv_bootmem_plan(&host->memory.bootmem, &host->memory.table, next, &plan),
			 0);
	return plan;
}

/* Region and image are one span; the next image is at its top. */
static void test_growth_and_shrink(void **state)
{
	struct hv_image_note note = host_note(4);
	struct host *host = host_new(FRAMES_OF(1 * GIB), 16 * MIB, &note);
	const uint64_t base = FRAMES_OF(1 * GIB - 20 * MIB), top = FRAMES_OF(1 * GIB);

	(void)state;
	for (uint64_t mib = 1; mib <= 16; mib++) {
		struct hv_image_memory next = host_note(mib).memory;
		struct hv_bootmem_plan plan = planned(host, &next);

		assert_int_equal(plan.image.count, FRAMES_OF((mib + 1) / 2 * 2 * MIB));
		assert_int_equal(plan.image.first + plan.image.count, top);
		assert_int_equal(plan.region.first, base);
		assert_int_equal(plan.region.first + plan.region.count, plan.image.first);
		assert_false(plan.frame_table_is_new);
		/* 3 MiB for the boot and a frame for the breadcrumb. */
		assert_int_equal(plan.needed,
				 (mib + 1) / 2 * 2 > 0
					 ? ((mib + 1) / 2 * 2 + 3) * MIB + HV_PAGE_SIZE - 4 * MIB
					 : 0);
	}
	host_free(host);
}

/* The smallest size that is said to do is enough, and a frame less is not. */
static void test_needed_is_exact(void **state)
{
	struct hv_image_note note = host_note(2), next = host_note(7);
	struct hv_bootmem_plan plan;
	struct host *host;
	uint64_t needed;

	(void)state;
	host = host_new(FRAMES_OF(1 * GIB), 2 * MIB, &note);
	assert_int_equal(
		hv_bootmem_plan(&host->memory.bootmem, &host->memory.table, &next.memory, &plan),
		-XEN_ENOSPC);
	needed = plan.needed;
	assert_int_equal(needed, (8 + 3 - 2) * MIB + HV_PAGE_SIZE);
	/* The option is rounded up to 2 MiB, so take the size apart by hand. */
	host->memory.bootmem.regions[0].count = FRAMES_OF(needed);
	assert_int_equal(
		hv_bootmem_plan(&host->memory.bootmem, &host->memory.table, &next.memory, &plan),
		0);
	host->memory.bootmem.regions[0].count--;
	assert_int_equal(
		hv_bootmem_plan(&host->memory.bootmem, &host->memory.table, &next.memory, &plan),
		-XEN_ENOSPC);
	host_free(host);
}

/* A longer frame table than the present one, whose place is then too small. */
static void test_frame_table(void **state)
{
	struct hv_image_note note = host_note(4), next = host_note(4);
	struct host *host = host_new(FRAMES_OF(1 * GIB), 16 * MIB, &note);
	const struct hv_frame_span present = host->memory.bootmem.regions[1];
	struct hv_bootmem_plan plan;
	uint64_t first;

	(void)state;
	next.memory.frame_info_size = 16; /* shorter: the present one's place */
	plan = planned(host, &next.memory);
	assert_int_equal(plan.frame_table.first, present.first);
	assert_int_equal(plan.frame_table.count, present.count / 2);
	next.memory.frame_info_size = 40; /* longer: there is room in boot memory */
	plan = planned(host, &next.memory);
	assert_false(plan.frame_table_is_new);
	assert_true(plan.frame_table.first > plan.region.first + FRAMES_OF(3 * MIB));
	assert_true(plan.frame_table.first + plan.frame_table.count <= plan.image.first);
	next.memory.frame_info_size = 64; /* too long for that */
	plan = planned(host, &next.memory);
	assert_true(plan.frame_table_is_new);
	assert_int_equal(plan.frame_table.count, FRAMES_OF(1 * GIB) * 64 / HV_PAGE_SIZE);
	assert_false(hv_bootmem_overlaps(&host->memory.bootmem, &plan.frame_table));
	/* Memory is full of holes that are too small: refused, with what it would take. */
	hv_heap_scatter(&host->memory.heap, 512, 7);
	while (host_count(host, HV_FRAME_FREE) > FRAMES_OF(200 * MIB))
		assert_true(hv_heap_allocate(&host->memory.heap, 512, 1, HV_FRAME_RAM, &first) > 0);
	assert_int_equal(
		hv_bootmem_plan(&host->memory.bootmem, &host->memory.table, &next.memory, &plan),
		-XEN_ENOSPC);
	assert_int_equal(plan.needed, 19 * MIB + HV_PAGE_SIZE);
	host_free(host);
}

static void test_nonsense(void **state)
{
	struct hv_image_note note = host_note(4);
	struct host *host = host_new(FRAMES_OF(1 * GIB), 16 * MIB, &note);
	const struct hv_image_memory wrong[] = {
		{.image_size = 0, .frame_info_size = 32},
		{.image_size = UINT64_MAX, .frame_info_size = 32},
		{.image_size = MIB, .frame_info_size = 0},
		{.image_size = MIB, .frame_info_size = UINT32_MAX},
		{.image_size = MIB, .frame_info_size = 32, .boot_size = UINT64_MAX},
		{.image_size = MIB, .frame_info_size = 32, .init_offset = MIB, .init_size = 1},
		{.image_size = MIB,
		 .frame_info_size = 32,
		 .init_offset = 1,
		 .init_size = UINT64_MAX},
	};
	struct hv_bootmem_plan plan;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(hv_bootmem_plan(&host->memory.bootmem, &host->memory.table,
						 &wrong[i], &plan),
				 -XEN_EINVAL);
	host_free(host);
}

static void test_boot_allocator(void **state)
{
	struct hv_boot_allocator boot = {.count = 0};
	struct hv_frame_span span;

	(void)state;
	assert_int_equal(hv_boot_allocate(&boot, 1, &span), -XEN_ENOMEM);
	assert_int_equal(hv_boot_add_region(&boot, &(struct hv_frame_span){100, 0}), -XEN_EINVAL);
	assert_int_equal(hv_boot_add_region(&boot, &(struct hv_frame_span){100, 10}), 0);
	assert_int_equal(hv_boot_add_region(&boot, &(struct hv_frame_span){109, 1}), -XEN_EINVAL);
	assert_int_equal(hv_boot_add_region(&boot, &(struct hv_frame_span){UINT64_MAX, 2}),
			 -XEN_EINVAL);
	assert_int_equal(hv_boot_add_region(&boot, &(struct hv_frame_span){200, 50}), 0);
	assert_int_equal(hv_boot_largest(&boot), 50);
	/* The smallest that has room, so that the large one stays whole. */
	assert_int_equal(hv_boot_allocate(&boot, 8, &span), 0);
	assert_int_equal(span.first, 100);
	assert_int_equal(hv_boot_allocate(&boot, 50, &span), 0);
	assert_int_equal(span.first, 200);
	assert_int_equal(hv_boot_allocate(&boot, 3, &span), -XEN_ENOMEM);
	assert_int_equal(hv_boot_allocate(&boot, 2, &span), 0);
	assert_int_equal(span.first, 108);
	for (uint64_t i = 2; i < HV_BOOTMEM_REGIONS; i++)
		assert_int_equal(hv_boot_add_region(&boot, &(struct hv_frame_span){1000 * i, 1}),
				 0);
	assert_int_equal(hv_boot_add_region(&boot, &(struct hv_frame_span){1, 1}), -XEN_ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_boot),
		cmocka_unit_test(test_without_option),
		cmocka_unit_test(test_rule),
		cmocka_unit_test(test_growth_and_shrink),
		cmocka_unit_test(test_needed_is_exact),
		cmocka_unit_test(test_frame_table),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_boot_allocator),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
