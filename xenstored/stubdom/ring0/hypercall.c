/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hypercall page, and what the hypervisor says about itself through cpuid.
 */
#include "stubdom/ring0/hypercall.h"

#include "stubdom/layout.h"
#include "stubdom/ring0/processor.h"
#include "stubdom/ring0/ring0.h"

#define LEAF_FIRST 0x40000000u
#define LEAF_LAST  0x40010000u
#define LEAF_STEP  0x100u

#define LEAF_VERSION   1u
#define LEAF_HYPERCALL 2u
#define LEAF_HVM       4u
#define HVM_HAS_DOMID  (1u << 4)

static uint8_t page[LAYOUT_PAGE] __attribute__((aligned(LAYOUT_PAGE)));

long hypercall(unsigned int number, uint64_t first, uint64_t second, uint64_t third)
{
	long result;
	register uint64_t fourth __asm__("r10") = 0;

	__asm__ volatile("call *%[entry]"
			 : "=a"(result), "+D"(first), "+S"(second), "+d"(third), "+r"(fourth)
			 : [entry] "r"(page + 32 * number)
			 : "rcx", "r8", "r9", "r11", "memory", "cc");
	return result;
}

bool hypercall_init(struct hypervisor_info *info)
{
	for (uint32_t leaf = LEAF_FIRST; leaf < LEAF_LAST; leaf += LEAF_STEP) {
		struct cpuid id = cpuid(leaf);

		/* "XenVMMXenVMM" */
		if (id.ebx != 0x566e6558 || id.ecx != 0x65584d4d || id.edx != 0x4d4d566e)
			continue;
		ring0.hypercall_page = (uintptr_t)page;
		info->version = cpuid(leaf + LEAF_VERSION).eax;
		write_msr(cpuid(leaf + LEAF_HYPERCALL).ebx, (uintptr_t)page);
		id = id.eax >= leaf + LEAF_HVM ? cpuid(leaf + LEAF_HVM) : (struct cpuid){0};
		info->domid = id.eax & HVM_HAS_DOMID ? id.ecx : DOMID_INVALID;
		return true;
	}
	return false;
}
