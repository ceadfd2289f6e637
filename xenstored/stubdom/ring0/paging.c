/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries of large pages; of small ones in the first large page, and in the image's. */
#include "stubdom/ring0/paging.h"

#include <elf.h>
#include <stdbool.h>

#include "stubdom/layout.h"
#include "stubdom/ring0/processor.h"

#define LARGE_ENTRIES (4u * 512)
#define SMALL_ENTRIES 512u

#define PRESENT	   1ull
#define WRITABLE   2ull
#define LARGE	   0x80ull
#define NO_EXECUTE (1ull << 63)

#define LEAF_FEATURES	   0x80000001u
#define FEATURE_NO_EXECUTE (1u << 20)

#define CR0_WRITE_PROTECT (1ull << 16)

extern const Elf64_Ehdr __ehdr_start;

/* 0 on a processor that cannot tell data from code. */
static uint64_t no_execute;

static uint64_t *large_entry(uintptr_t address)
{
	return (uint64_t *)(uintptr_t)(LAYOUT_PAGE_TABLES + 2 * LAYOUT_PAGE) +
	       (address >> LAYOUT_LARGE_SHIFT);
}

/* Of an address in the first large page. */
static uint64_t *small_entry(uintptr_t address)
{
	return (uint64_t *)(uintptr_t)(LAYOUT_PAGE_TABLES + 6 * LAYOUT_PAGE) +
	       (address >> LAYOUT_PAGE_SHIFT);
}

/* Of an address in the image's first large page. */
static uint64_t *image_entry(uintptr_t address)
{
	return (uint64_t *)(uintptr_t)LAYOUT_IMAGE_TABLE + (address - LAYOUT_IMAGE) / LAYOUT_PAGE;
}

static bool is_of_image(uintptr_t address)
{
	return address >= LAYOUT_IMAGE && address < LAYOUT_IMAGE + LAYOUT_LARGE_PAGE;
}

void paging_allow(uintptr_t start, uintptr_t end)
{
	/* The first large page, and the image's, have tables of their own. */
	start &= ~(uintptr_t)(LAYOUT_LARGE_PAGE - 1);
	if (start < LAYOUT_LARGE_PAGE)
		start = LAYOUT_LARGE_PAGE;
	for (; start < end; start += LAYOUT_LARGE_PAGE)
		if (!is_of_image(start))
			*large_entry(start) = start | PRESENT | WRITABLE | LARGE | no_execute;
}

/* Code, with the constants that are linked to it, is what the file says is not to be written. */
static void protect_image(void)
{
	const Elf64_Phdr *segment = (const Elf64_Phdr *)((uintptr_t)&__ehdr_start +
							 __ehdr_start.e_phoff);

	for (unsigned int i = 0; i < SMALL_ENTRIES; i++) {
		uintptr_t address = LAYOUT_IMAGE + (uintptr_t)i * LAYOUT_PAGE;

		*image_entry(address) = address | PRESENT | WRITABLE | no_execute;
	}
	for (unsigned int i = 0; i < __ehdr_start.e_phnum; i++, segment++) {
		uintptr_t address = segment->p_paddr & ~(uintptr_t)(LAYOUT_PAGE - 1);

		if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W))
			continue;
		/* What reaches further can still be written. */
		for (; address < segment->p_paddr + segment->p_memsz; address += LAYOUT_PAGE)
			if (is_of_image(address))
				*image_entry(address) = address | PRESENT;
			else
				*large_entry(address) &= ~NO_EXECUTE;
	}
	*large_entry(LAYOUT_IMAGE) = LAYOUT_IMAGE_TABLE | PRESENT | WRITABLE;
}

void paging_init(uintptr_t end, uintptr_t code)
{
	uintptr_t first = (end + LAYOUT_LARGE_PAGE - 1) >> LAYOUT_LARGE_SHIFT;

	if (cpuid(LEAF_FEATURES).edx & FEATURE_NO_EXECUTE) {
		write_msr(MSR_EFER, EFER_LONG_MODE | EFER_SYSCALL | EFER_NO_EXECUTE);
		no_execute = NO_EXECUTE;
	}
	for (unsigned int i = 0; i < SMALL_ENTRIES; i++)
		*small_entry((uintptr_t)i * LAYOUT_PAGE) |= no_execute;
	*small_entry(LAYOUT_TRAMPOLINE) &= ~NO_EXECUTE;
	*small_entry(0) = 0;
	*small_entry(LAYOUT_STACK_GUARD) = 0;
	for (uintptr_t i = first ? first : 1; i < LARGE_ENTRIES; i++)
		*large_entry(i << LAYOUT_LARGE_SHIFT) = 0;
	paging_allow(0, end);
	paging_allow(LAYOUT_RINGS, LAYOUT_RINGS_END);
	paging_allow(LAYOUT_SHARED_INFO, LAYOUT_GRANT_TABLE_END);
	/* Both are in one large page. */
	paging_allow(LAYOUT_APIC, LAYOUT_SPECIAL_END);
	protect_image();
	if (is_of_image(code))
		*image_entry(code) = code | PRESENT;
	else
		*large_entry(code) &= ~NO_EXECUTE;
	__asm__ volatile("mov %%cr3, %%rax; mov %%rax, %%cr3" : : : "rax", "memory");
}

void paging_allow_image(void)
{
	uint64_t cr0;

	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	__asm__ volatile("mov %0, %%cr0" : : "r"(cr0 & ~CR0_WRITE_PROTECT) : "memory");
}
