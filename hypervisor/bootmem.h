/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Live update boot memory: the regions in which nothing ever stands that must survive.
 *
 * A hypervisor that takes over may use nothing else before it has read the stream,
 * for it cannot know what the rest holds. The first region lies directly below the
 * image; both together are one span, whose top is the image's:
 *
 *	base			       span_end
 *	 | region (boot memory)	| image |
 *
 * Further regions are known only from the stream.
 */
#ifndef HYPERVISOR_BOOTMEM_H
#define HYPERVISOR_BOOTMEM_H

#include <stdbool.h>
#include <stdint.h>

#include "hypervisor/frame-table.h"

/* Frames [first, first + count). */
struct hv_frame_span {
	uint64_t first;
	uint64_t count;
};

#define HV_BOOTMEM_REGIONS 16u /* at most, the first included */

struct hv_bootmem {
	struct hv_frame_span image;
	struct hv_frame_span regions[HV_BOOTMEM_REGIONS]; /* [0]: below the image; may be empty */
	uint32_t region_count;
};

/** Is @frame in one of the regions? */
bool hv_bootmem_contains(const struct hv_bootmem *bootmem, uint64_t frame);

/** Does one of the regions have a frame in common with [@first, @first + @count)? */
bool hv_bootmem_overlaps(const struct hv_bootmem *bootmem, uint64_t first, uint64_t count);

/**
 * The rule: nothing that must survive stands in a region, nor in the image. Walks the regions in
 * @table. Returns true when it holds; else @offender says which frames break it.
 */
bool hv_bootmem_check(const struct hv_bootmem *bootmem, struct hv_frame_table *table,
		      struct hv_frames *offender);

#endif
