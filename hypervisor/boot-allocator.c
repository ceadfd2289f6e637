/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Best fit, so that a small request leaves the large region to the frame table.
 */
#include "hypervisor/boot-allocator.h"

#include <stddef.h>

#include "hypervisor/xen-errno.h"

static uint64_t room(const struct hv_boot_region *region)
{
	return region->span.count - region->used;
}

int hv_boot_add_region(struct hv_boot_allocator *boot, const struct hv_frame_span *region)
{
	if (!region->count || region->count > HV_MAX_FRAMES ||
	    region->first > HV_MAX_FRAMES - region->count)
		return -XEN_EINVAL;
	for (uint32_t i = 0; i < boot->count; i++) {
		if (hv_spans_overlap(&boot->regions[i].span, region))
			return -XEN_EINVAL;
	}
	if (boot->count == HV_BOOTMEM_REGIONS)
		return -XEN_ENOSPC;
	boot->regions[boot->count++] = (struct hv_boot_region){.span = *region};
	return 0;
}

int hv_boot_allocate(struct hv_boot_allocator *boot, uint64_t count, struct hv_frame_span *span)
{
	struct hv_boot_region *best = NULL;

	if (!count)
		return -XEN_EINVAL;
	for (uint32_t i = 0; i < boot->count; i++) {
		struct hv_boot_region *region = &boot->regions[i];

		if (room(region) >= count && (!best || room(region) < room(best)))
			best = region;
	}
	if (!best)
		return -XEN_ENOMEM;
	*span = (struct hv_frame_span){best->span.first + best->used, count};
	best->used += count;
	return 0;
}

uint64_t hv_boot_largest(const struct hv_boot_allocator *boot)
{
	uint64_t largest = 0;

	for (uint32_t i = 0; i < boot->count; i++) {
		if (room(&boot->regions[i]) > largest)
			largest = room(&boot->regions[i]);
	}
	return largest;
}
