/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boot memory: where it is, and that it holds nothing that must survive.
 */
#include "hypervisor/bootmem.h"

static bool overlaps(const struct hv_frame_span *span, uint64_t first, uint64_t count)
{
	return first < span->first + span->count && span->first < first + count;
}

bool hv_bootmem_overlaps(const struct hv_bootmem *bootmem, uint64_t first, uint64_t count)
{
	for (uint32_t i = 0; i < bootmem->region_count; i++) {
		if (overlaps(&bootmem->regions[i], first, count))
			return true;
	}
	return false;
}

bool hv_bootmem_contains(const struct hv_bootmem *bootmem, uint64_t frame)
{
	return hv_bootmem_overlaps(bootmem, frame, 1);
}

static bool span_is_clean(const struct hv_frame_span *span, struct hv_frame_table *table,
			  struct hv_frames *offender)
{
	uint64_t position = span->first;

	while (position < span->first + span->count && hv_frames_walk(table, &position, offender)) {
		if (!hv_frame_in_bootmem(offender->type))
			return false;
	}
	return true;
}

bool hv_bootmem_check(const struct hv_bootmem *bootmem, struct hv_frame_table *table,
		      struct hv_frames *offender)
{
	for (uint32_t i = 0; i < bootmem->region_count; i++) {
		if (!span_is_clean(&bootmem->regions[i], table, offender))
			return false;
	}
	return span_is_clean(&bootmem->image, table, offender);
}
