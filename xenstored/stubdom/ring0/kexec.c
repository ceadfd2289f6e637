/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Both are a jump to a page that is ready. */
#include "stubdom/ring0/kexec.h"

#include <string.h>

#include "stubdom/ring0/paging.h"
#include "stubdom/ring0/state.h"
#include "stubdom/ring0/watch.h"

#include <xen/arch-x86/hvm/start_info.h>

_Noreturn void kexec_jump(void)
{
	ring0_state_arm(true);
	paging_allow_image();
	__asm__ volatile("jmp *%0" : : "r"((uintptr_t)LAYOUT_TRAMPOLINE) : "memory");
	__builtin_unreachable();
}

/* All addresses below 4 GB, one to one, without any protection. */
static void make_tables(uint64_t *table)
{
	const uint64_t flags = 3, large = 0x80; /* present, writable */
	const unsigned int entries = LAYOUT_PAGE / sizeof(*table);

	memset(table, 0, KEXEC_LEAVE_TABLES);
	table[0] = (uintptr_t)(table + entries) | flags;
	for (unsigned int i = 0; i < 4; i++)
		table[entries + i] = (uintptr_t)(table + (2 + i) * entries) | flags;
	for (uint64_t i = 0; i < 4ull * entries; i++)
		table[2 * entries + i] = i << LAYOUT_LARGE_SHIFT | flags | large;
}

_Noreturn void kexec_leave(void *place)
{
	make_tables(place);
	paging_allow_image();
	__asm__ volatile("mov %0, %%cr3; jmp *%1"
			 :
			 : "r"(place), "r"((uintptr_t)place + KEXEC_LEAVE_TRAMPOLINE)
			 : "memory");
	__builtin_unreachable();
}

void kexec_go_back(const char *why)
{
	struct hvm_start_info *info = (struct hvm_start_info *)(uintptr_t)LAYOUT_START_INFO;
	struct kexec_back *back = kexec_back();
	size_t len = 0;

	if (!ring0_updated || back->state != KEXEC_BACK_READY)
		return;
	watch_end();
	back->state = KEXEC_BACK_TAKEN;
	for (; why[len] && len + 1 < sizeof(back->why); len++)
		back->why[len] = why[len];
	back->why[len] = 0;
	info->cmdline_paddr = (uintptr_t)back->command_line;
	memcpy((void *)(uintptr_t)LAYOUT_TRAMPOLINE, (void *)(uintptr_t)KEXEC_BACK_PAGE,
	       sizeof(struct trampoline));
	kexec_jump();
}
