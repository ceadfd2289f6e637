/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries of large pages, and of small ones in the first large page. */
#include "stubdom/ring0/paging.h"

#include "stubdom/layout.h"

#define LARGE_ENTRIES (4u * 512)
#define PRESENT_LARGE 0x83u

static uint64_t *large_entry(uintptr_t address)
{
	return (uint64_t *)(uintptr_t)(LAYOUT_PAGE_TABLES + 2 * LAYOUT_PAGE) +
	       (address >> LAYOUT_LARGE_SHIFT);
}

static uint64_t *small_entry(uintptr_t address)
{
	return (uint64_t *)(uintptr_t)(LAYOUT_PAGE_TABLES + 6 * LAYOUT_PAGE) +
	       (address >> LAYOUT_PAGE_SHIFT);
}

void paging_allow(uintptr_t start, uintptr_t end)
{
	/* The first large page has a table of its own. */
	start &= ~(uintptr_t)(LAYOUT_LARGE_PAGE - 1);
	if (start < LAYOUT_LARGE_PAGE)
		start = LAYOUT_LARGE_PAGE;
	for (; start < end; start += LAYOUT_LARGE_PAGE)
		*large_entry(start) = start | PRESENT_LARGE;
}

void paging_init(uintptr_t end)
{
	uintptr_t first = (end + LAYOUT_LARGE_PAGE - 1) >> LAYOUT_LARGE_SHIFT;

	*small_entry(0) = 0;
	*small_entry(LAYOUT_STACK_GUARD) = 0;
	for (uintptr_t i = first ? first : 1; i < LARGE_ENTRIES; i++)
		*large_entry(i << LAYOUT_LARGE_SHIFT) = 0;
	paging_allow(LAYOUT_RINGS, LAYOUT_RINGS_END);
	paging_allow(LAYOUT_SHARED_INFO, LAYOUT_GRANT_TABLE_END);
	paging_allow(LAYOUT_SPECIAL, LAYOUT_SPECIAL_END);
	__asm__ volatile("mov %%cr3, %%rax; mov %%rax, %%cr3" : : : "rax", "memory");
}
