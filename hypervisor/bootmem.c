/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boot memory: where it is, that it holds nothing that must survive, and how the next
 * hypervisor finds room in it.
 */
#include "hypervisor/bootmem.h"

#include <stddef.h>

#include "hypervisor/xen-errno.h"

/* The first frame of a region takes the breadcrumb and is not allocated. */
#define BREADCRUMB_FRAMES 1u

bool hv_bootmem_overlaps(const struct hv_bootmem *bootmem, const struct hv_frame_span *span)
{
	for (uint32_t i = 0; i < bootmem->region_count; i++) {
		if (hv_spans_overlap(&bootmem->regions[i], span))
			return true;
	}
	return hv_spans_overlap(&bootmem->image, span);
}

bool hv_bootmem_contains(const struct hv_bootmem *bootmem, uint64_t frame)
{
	const struct hv_frame_span span = {frame, 1};

	return hv_bootmem_overlaps(bootmem, &span);
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

/* The smallest further region that has room for @count frames, or NULL. */
static const struct hv_frame_span *best_region(const struct hv_bootmem *bootmem, uint64_t count)
{
	const struct hv_frame_span *best = NULL;

	for (uint32_t i = 1; i < bootmem->region_count; i++) {
		const struct hv_frame_span *region = &bootmem->regions[i];

		if (region->count >= count && (!best || region->count < best->count))
			best = region;
	}
	return best;
}

/* The smallest stretch of free memory that has room for @count frames; false if there is none. */
static bool best_free(struct hv_frame_table *table, uint64_t count, struct hv_frame_span *best)
{
	struct hv_frame_span stretch = {0, 0};
	uint64_t position = 0;
	struct hv_frames frames;
	bool more;

	best->count = 0;
	do {
		more = hv_frames_walk(table, &position, &frames);
		if (more && frames.type == HV_FRAME_FREE) {
			if (!stretch.count)
				stretch.first = frames.first;
			stretch.count += frames.count;
			continue;
		}
		if (stretch.count >= count && (!best->count || stretch.count < best->count))
			*best = stretch;
		stretch.count = 0;
	} while (more);
	if (!best->count)
		return false;
	/* At its end: what is left is as long as can be. */
	best->first += best->count - count;
	best->count = count;
	return true;
}

/* Sizes that would overflow, or of something that is not in the image. */
static bool makes_sense(const struct hv_image_memory *next)
{
	const uint64_t most = HV_MAX_FRAMES << HV_PAGE_SHIFT;

	return next->image_size && next->image_size <= most && next->boot_size <= most &&
	       next->init_offset <= next->image_size &&
	       next->init_size <= next->image_size - next->init_offset && next->frame_info_size &&
	       next->frame_info_size <= HV_PAGE_SIZE;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

int hv_bootmem_plan(const struct hv_bootmem *bootmem, struct hv_frame_table *table,
		    const struct hv_image_memory *next, struct hv_bootmem_plan *plan)
{
	const struct hv_frame_span *first = &bootmem->regions[0];
	const uint64_t span = first->count + bootmem->image.count;
	const struct hv_frame_span *region;
	uint64_t image, below, frame_table;

	*plan = (struct hv_bootmem_plan){.needed = 0};
	if (!makes_sense(next) || !bootmem->region_count)
		return -XEN_EINVAL;
	image = hv_image_frames(next);
	below = BREADCRUMB_FRAMES + hv_frames_of_bytes(next->boot_size);
	frame_table = hv_frames_of_bytes(table->frames * next->frame_info_size);
	plan->needed = less(image + below, bootmem->image.count) << HV_PAGE_SHIFT;
	if (image + below > span)
		return -XEN_ENOSPC;

	plan->region = (struct hv_frame_span){first->first, span - image};
	plan->image = (struct hv_frame_span){first->first + span - image, image};
	region = best_region(bootmem, frame_table);
	if (region) {
		plan->frame_table = (struct hv_frame_span){region->first, frame_table};
	} else if (below + frame_table <= plan->region.count) {
		plan->frame_table = (struct hv_frame_span){first->first + below, frame_table};
	} else if (bootmem->region_count < HV_BOOTMEM_REGIONS &&
		   best_free(table, frame_table, &plan->frame_table)) {
		plan->frame_table_is_new = true;
	} else {
		plan->needed += frame_table << HV_PAGE_SHIFT;
		return -XEN_ENOSPC;
	}
	return 0;
}
