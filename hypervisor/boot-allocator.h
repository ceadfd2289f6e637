/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The boot allocator: frames for a hypervisor that has no heap yet.
 *
 * It knows a few regions and nothing else of the machine. Nothing is given back one by
 * one: when the frame table exists, what was handed out and what was not is entered
 * there, and the allocator is gone.
 */
#ifndef HYPERVISOR_BOOT_ALLOCATOR_H
#define HYPERVISOR_BOOT_ALLOCATOR_H

#include <stdint.h>

#include "hypervisor/bootmem.h"

struct hv_boot_region {
	struct hv_frame_span span;
	uint64_t used; /* frames handed out, from the lowest */
};

struct hv_boot_allocator {
	struct hv_boot_region regions[HV_BOOTMEM_REGIONS];
	uint32_t count;
};

/** Add a region. -EINVAL (empty, or overlaps another one), -ENOSPC (too many). */
int hv_boot_add_region(struct hv_boot_allocator *boot, const struct hv_frame_span *region);

/**
 * Allocate @count contiguous frames, from the region with the least room left that has enough.
 * Returns 0, -EINVAL or -ENOMEM.
 */
int hv_boot_allocate(struct hv_boot_allocator *boot, uint64_t count, struct hv_frame_span *span);

/** The most contiguous frames that there are. */
uint64_t hv_boot_largest(const struct hv_boot_allocator *boot);

#endif
