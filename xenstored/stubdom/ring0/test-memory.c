/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory handed out: nothing twice, nothing that is not there, always clear. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stubdom/ring0/memory.h"
#include "tests/unit/setting.h"

#define MB	  ((uintptr_t)1 << 20)
#define PAGE	  ((uintptr_t)LAYOUT_PAGE)
#define IMAGE_END (LAYOUT_IMAGE + MB)

/* A machine whose pages know whether they are there, clear, and somebody's. */
enum { DIRTY, CLEAR };

static struct memory memory;
static unsigned char content[MEMORY_PAGES]; /* DIRTY until it is cleared */
static unsigned char owner[MEMORY_PAGES];   /* 0: nobody's */
static size_t host_pages;		    /* that the host still gives */
static uintptr_t allowed;		    /* limit that an administrator has set */

static size_t populate(struct memory *m, uintptr_t address, size_t pages)
{
	assert_int_equal(address, m->end);
	assert_true(address + pages * PAGE <= m->limit);
	if (pages > host_pages)
		pages = host_pages;
	host_pages -= pages;
	memset(content + address / PAGE, DIRTY, pages);
	return pages;
}

static int depopulate(struct memory *m, uintptr_t address, size_t pages)
{
	assert_int_equal(address + pages * PAGE, m->end);
	for (size_t i = 0; i < pages; i++)
		assert_int_equal(owner[address / PAGE + i], 0);
	host_pages += pages;
	return 0;
}

static void clear(struct memory *m, uintptr_t address, size_t size)
{
	(void)m;
	assert_int_equal(address % PAGE, 0);
	assert_int_equal(size % PAGE, 0);
	memset(content + address / PAGE, CLEAR, size / PAGE);
}

static uintptr_t current_limit(struct memory *m)
{
	(void)m;
	return allowed;
}

static const struct memory_ops ops = {
	.limit = current_limit,
	.populate = populate,
	.depopulate = depopulate,
	.clear = clear,
};

static void start(uintptr_t end, uintptr_t limit)
{
	memset(content, DIRTY, sizeof(content));
	memset(owner, 0, sizeof(owner));
	host_pages = MEMORY_PAGES;
	allowed = limit;
	memory_init(&memory, &ops, IMAGE_END, end, limit);
}

/* Somebody has got these bytes. */
static void own(uintptr_t address, size_t size, unsigned char who, bool is_clear)
{
	assert_int_equal(address % PAGE, 0);
	assert_true(address >= LAYOUT_LOW_HEAP);
	assert_true(address < LAYOUT_LOW_HEAP_END ? address + size <= LAYOUT_LOW_HEAP_END
						  : address >= IMAGE_END);
	assert_true(address + size <= memory.end);
	for (size_t page = address / PAGE; page < (address + size + PAGE - 1) / PAGE; page++) {
		assert_int_equal(owner[page], 0);
		if (is_clear)
			assert_int_equal(content[page], CLEAR);
		owner[page] = who;
		content[page] = DIRTY;
	}
}

static void disown(uintptr_t address, size_t size)
{
	memset(owner + address / PAGE, 0, (size + PAGE - 1) / PAGE);
}

static void test_the_heap_grows_and_shrinks(void **state)
{
	(void)state;
	start(8 * MB, 8 * MB);
	assert_int_equal(memory_brk(&memory, 0), IMAGE_END);
	assert_int_equal(memory_brk(&memory, IMAGE_END + 5000), IMAGE_END + 5000);
	own(IMAGE_END, 5000, 1, true);
	/* Inside of the same page nothing is cleared again. */
	assert_int_equal(memory_brk(&memory, IMAGE_END + 8000), IMAGE_END + 8000);
	assert_int_equal(content[IMAGE_END / PAGE + 1], DIRTY);
	assert_int_equal(memory_brk(&memory, IMAGE_END + 100), IMAGE_END + 100);
	disown(IMAGE_END + PAGE, PAGE);
	assert_int_equal(memory_brk(&memory, IMAGE_END + 3 * PAGE), IMAGE_END + 3 * PAGE);
	own(IMAGE_END + PAGE, 2 * PAGE, 1, true);
	/* Below its beginning, and beyond what there is: it stays where it is. */
	assert_int_equal(memory_brk(&memory, IMAGE_END - 1), IMAGE_END + 3 * PAGE);
	assert_int_equal(memory_brk(&memory, 8 * MB + 1), IMAGE_END + 3 * PAGE);
	assert_int_equal(memory_brk(&memory, UINTPTR_MAX), IMAGE_END + 3 * PAGE);
	assert_int_equal(memory_brk(&memory, 8 * MB), 8 * MB);
}

static void test_mappings_leave_the_heap_room(void **state)
{
	uintptr_t first, second, top;

	(void)state;
	start(8 * MB, 8 * MB);
	first = memory_map(&memory, 200000);
	assert_int_equal(first, LAYOUT_LOW_HEAP);
	own(first, 200000, 1, true);
	second = memory_map(&memory, MB);
	own(second, MB, 2, true);
	assert_true(second < LAYOUT_LOW_HEAP_END);
	/* Too large for what is below the image: from the top. */
	top = memory_map(&memory, 2 * MB + MB / 2);
	own(top, 2 * MB + MB / 2, 3, true);
	assert_int_equal(top, 8 * MB - 2 * MB - MB / 2);
	/* The heap ends there, without effect on what it has. */
	assert_int_equal(memory_brk(&memory, top), top);
	assert_int_equal(memory_brk(&memory, top + 1), top);
	assert_int_equal(memory_map(&memory, 4 * MB), 0);
	assert_int_equal(memory_unmap(&memory, first, 200000), 0);
	disown(first, 200000);
	assert_int_equal(memory_map(&memory, 100), first);
	own(first, 100, 4, true);
}

static void test_grows_by_ballooning_to_the_limit(void **state)
{
	uintptr_t address;
	size_t got = 0;

	(void)state;
	start(8 * MB, 16 * MB);
	for (size_t size = 64 * 1024; size >= PAGE; size /= 16) {
		while ((address = memory_map(&memory, size))) {
			own(address, size, 1, true);
			got += size;
		}
	}
	assert_int_equal(memory.end, 16 * MB);
	assert_int_equal(memory_available(&memory), 0);
	/* Everything but the fixed places and the image has been handed out. */
	assert_int_equal(got, 16 * MB - IMAGE_END + LAYOUT_LOW_HEAP_END - LAYOUT_LOW_HEAP);
}

static void test_a_host_without_memory(void **state)
{
	uintptr_t address;

	(void)state;
	start(8 * MB, 64 * MB);
	host_pages = 3;
	assert_int_equal(memory_brk(&memory, 8 * MB), 8 * MB);
	own(IMAGE_END, 8 * MB - IMAGE_END, 1, true);
	/* Three pages come, and no more is asked for. */
	address = memory_map_top(&memory, 4 * PAGE);
	assert_int_equal(address, 0);
	assert_int_equal(memory.end, 8 * MB + 3 * PAGE);
	address = memory_map_top(&memory, 3 * PAGE);
	assert_int_equal(address, 8 * MB);
	assert_int_equal(memory_map_top(&memory, PAGE), 0);
	assert_int_equal(memory.limit, memory.end);
	/* Later it has some again. */
	host_pages = 1000;
	assert_int_equal(memory_map_top(&memory, PAGE), 8 * MB + 1002 * PAGE);
}

static void test_the_limit_is_raised_and_lowered(void **state)
{
	(void)state;
	start(8 * MB, 8 * MB);
	assert_int_equal(memory_map_top(&memory, 5 * MB), 0);
	allowed = 20 * MB;
	assert_int_not_equal(memory_map_top(&memory, 5 * MB), 0);
	allowed = 4 * MB;
	assert_int_equal(memory_map_top(&memory, 30 * MB), 0);
	assert_int_equal(memory.limit, memory.end);
}

static void test_gives_back_what_is_free_at_the_end(void **state)
{
	uintptr_t a, b;

	(void)state;
	start(8 * MB, 64 * MB);
	a = memory_map_top(&memory, 20 * MB);
	b = memory_map_top(&memory, 10 * MB);
	assert_true(a && b);
	assert_int_equal(memory_shrink(&memory), 0);
	assert_int_equal(memory_unmap(&memory, a, 20 * MB), 0);
	assert_int_equal(memory_unmap(&memory, b, 10 * MB), 0);
	assert_true(memory_shrink(&memory) >= 22 * MB / PAGE);
	/* Never below what the domain was built with. */
	assert_int_equal(memory.end, 8 * MB);
	assert_int_equal(memory_shrink(&memory), 0);
	assert_int_not_equal(memory_map_top(&memory, 50 * MB), 0);
}

static void test_reserved_pages_are_not_handed_out(void **state)
{
	uintptr_t address;

	(void)state;
	start(8 * MB, 8 * MB);
	memory_reserve(&memory, 6 * MB + 10, 7 * MB - 10);
	memory_reserve(&memory, 9 * MB, UINTPTR_MAX); /* outside: of no matter */
	own(6 * MB, MB, 9, false);
	assert_int_equal(memory_brk(&memory, 6 * MB), 6 * MB);
	own(IMAGE_END, 6 * MB - IMAGE_END, 1, true);
	assert_int_equal(memory_brk(&memory, 6 * MB + 1), 6 * MB);
	while ((address = memory_map(&memory, 1)))
		own(address, PAGE, 2, true);
	/* Given back, they are ordinary. */
	assert_int_equal(memory_unmap(&memory, 6 * MB, MB), 0);
	disown(6 * MB, MB);
	address = memory_map(&memory, MB);
	assert_int_equal(address, 6 * MB);
	own(address, MB, 3, true);
}

static void test_refuses_to_free_what_is_no_mapping(void **state)
{
	(void)state;
	start(8 * MB, 8 * MB);
	assert_int_equal(memory_brk(&memory, IMAGE_END + MB), IMAGE_END + MB);
	assert_int_equal(memory_unmap(&memory, LAYOUT_PAGE_TABLES, PAGE), -EINVAL);
	assert_int_equal(memory_unmap(&memory, LAYOUT_IMAGE, PAGE), -EINVAL);
	assert_int_equal(memory_unmap(&memory, IMAGE_END, PAGE), -EINVAL);
	assert_int_equal(memory_unmap(&memory, LAYOUT_LOW_HEAP_END - PAGE, 2 * PAGE), -EINVAL);
	assert_int_equal(memory_unmap(&memory, 7 * MB + 1, PAGE), -EINVAL);
	assert_int_equal(memory_unmap(&memory, 7 * MB, 2 * MB), -EINVAL);
	assert_int_equal(memory_unmap(&memory, 7 * MB, SIZE_MAX), -EINVAL);
	assert_int_equal(memory_unmap(&memory, 7 * MB, 0), -EINVAL);
	assert_int_equal(memory_unmap(&memory, LAYOUT_RINGS, PAGE), -EINVAL);
	assert_int_equal(memory_map(&memory, 0), 0);
	assert_int_equal(memory_map(&memory, SIZE_MAX), 0);
	assert_int_equal(memory_map(&memory, SIZE_MAX - PAGE), 0);
}

/* What is believed of the pages agrees with what was handed out. */
static void check_counts(size_t mapped)
{
	size_t used = 0;

	for (size_t i = 0; i < memory.end / PAGE; i++)
		used += memory.bits[i / 64] >> i % 64 & 1;
	assert_int_equal(used, memory.used);
	assert_int_equal(used, LAYOUT_LOW_HEAP / PAGE + (IMAGE_END - LAYOUT_LOW_HEAP_END) / PAGE +
				       mapped);
	assert_int_equal(memory_available(&memory),
			 memory.end / PAGE - used + (memory.limit - memory.end) / PAGE);
}

static void test_at_random(void **state)
{
	struct {
		uintptr_t address;
		size_t size;
	} mapping[64] = {0};
	unsigned long count = 20000 * setting("COUNT", 1);
	unsigned int seed = 7;
	uintptr_t brk = IMAGE_END;
	size_t mapped = 0, heap = 0;

	(void)state;
	start(6 * MB, 24 * MB);
	for (unsigned long i = 0; i < count; i++) {
		unsigned int what = (unsigned int)rand_r(&seed) % 10;
		size_t slot = (size_t)rand_r(&seed) % 64;
		size_t size = (size_t)rand_r(&seed) % (what < 2 ? 6 * MB : 40 * PAGE) + 1;
		size_t pages = (size + PAGE - 1) / PAGE;

		if (what == 0) {
			uintptr_t want = IMAGE_END + (size_t)rand_r(&seed) % (10 * MB), got;
			size_t had = (brk - IMAGE_END + PAGE - 1) / PAGE, has;

			got = memory_brk(&memory, want);
			assert_true(got == want || got == brk);
			has = (got - IMAGE_END + PAGE - 1) / PAGE;
			if (has > had)
				own(IMAGE_END + had * PAGE, (has - had) * PAGE, 1, true);
			else
				disown(IMAGE_END + has * PAGE, (had - has) * PAGE);
			heap = has;
			brk = got;
		} else if (what == 1) {
			memory_shrink(&memory);
		} else if (mapping[slot].size) {
			assert_int_equal(
				memory_unmap(&memory, mapping[slot].address, mapping[slot].size),
				0);
			disown(mapping[slot].address, mapping[slot].size);
			mapped -= (mapping[slot].size + PAGE - 1) / PAGE;
			mapping[slot].size = 0;
		} else {
			bool top = what == 2;
			uintptr_t address = top ? memory_map_top(&memory, size)
						: memory_map(&memory, size);

			if (!address)
				continue;
			own(address, size, 2, !top);
			mapping[slot].address = address;
			mapping[slot].size = size;
			mapped += pages;
		}
		if (i % 64 == 0)
			check_counts(mapped + heap);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_heap_grows_and_shrinks),
		cmocka_unit_test(test_mappings_leave_the_heap_room),
		cmocka_unit_test(test_grows_by_ballooning_to_the_limit),
		cmocka_unit_test(test_a_host_without_memory),
		cmocka_unit_test(test_the_limit_is_raised_and_lowered),
		cmocka_unit_test(test_gives_back_what_is_free_at_the_end),
		cmocka_unit_test(test_reserved_pages_are_not_handed_out),
		cmocka_unit_test(test_refuses_to_free_what_is_no_mapping),
		cmocka_unit_test(test_at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
