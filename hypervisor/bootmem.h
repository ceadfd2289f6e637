/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Live update boot memory: the regions in which nothing ever stands that must survive.
 *
 * A hypervisor that takes over may use nothing else before it has read the stream,
 * for it cannot know what the rest holds. The first region lies directly below the
 * image. Both together are one span that stays where it is from update to update: the
 * next image, bigger or smaller, is put at its top, and what remains is the region.
 *
 *	xen#1:	 | region		  | image	 |
 *	xen#2:	 | region	 | image		 |	bigger
 *	xen#3:	 | region			| image	 |	smaller
 *		base					top
 *
 * Images begin at multiples of 2 MiB and take whole ones, so that neither above nor
 * below them a hole is left. The part of an image that was needed only to boot becomes
 * boot memory as soon as it is not needed any more.
 *
 * Further regions are known only from the stream. One holds the frame table, which is
 * made anew by each hypervisor, so that its memory is free for the next one's.
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

#define HV_IMAGE_ALIGN	   512u					 /* frames: 2 MiB */
#define HV_IMAGE_LIMIT	   (UINT64_C(1) << (32 - HV_PAGE_SHIFT)) /* images are below 4 GiB */
#define HV_BOOTMEM_REGIONS 16u					 /* at most, the first included */

struct hv_bootmem {
	struct hv_frame_span image;
	struct hv_frame_span regions[HV_BOOTMEM_REGIONS]; /* [0]: below the image; may be empty */
	uint32_t region_count;
};

/* What the image of a hypervisor says about the memory that it takes; bytes. */
struct hv_image_memory {
	uint64_t image_size;  /* where it runs, with all that is not in the file */
	uint64_t init_offset; /* the part that is freed after the boot */
	uint64_t init_size;
	uint64_t boot_size;	  /* allocated before the stream is read */
	uint32_t frame_info_size; /* the frame table's, for each frame of the machine */
	uint32_t reserved;	  /* 0 */
};

/** The number of frames that hold so many bytes. */
static inline uint64_t hv_frames_of_bytes(uint64_t bytes)
{
	return (bytes >> HV_PAGE_SHIFT) + ((bytes & (HV_PAGE_SIZE - 1)) != 0);
}

/** The frames that an image takes: whole multiples of 2 MiB. */
static inline uint64_t hv_image_frames(const struct hv_image_memory *image)
{
	return (hv_frames_of_bytes(image->image_size) + HV_IMAGE_ALIGN - 1) &
	       ~(uint64_t)(HV_IMAGE_ALIGN - 1);
}

/** Do the two have a frame in common? */
static inline bool hv_spans_overlap(const struct hv_frame_span *a, const struct hv_frame_span *b)
{
	return a->count && b->count && a->first < b->first + b->count &&
	       b->first < a->first + a->count;
}

/** Is @frame in one of the regions, or in the image's place? */
bool hv_bootmem_contains(const struct hv_bootmem *bootmem, uint64_t frame);

/** Does one of them have a frame in common with @span? */
bool hv_bootmem_overlaps(const struct hv_bootmem *bootmem, const struct hv_frame_span *span);

/**
 * The rule: nothing that an update needs stands in a region or in the image's place. Walks them in
 * @table. Returns true when it holds; else @offender says which frames break it.
 */
bool hv_bootmem_check(const struct hv_bootmem *bootmem, struct hv_frame_table *table,
		      struct hv_frames *offender);

/* Where the next hypervisor is going to be. */
struct hv_bootmem_plan {
	struct hv_frame_span image;
	struct hv_frame_span region;	  /* what is left below it */
	struct hv_frame_span frame_table; /* its frame table's place */
	bool frame_table_is_new;	  /* which is in the heap now and has to be reserved */
	uint64_t needed;		  /* bytes: what liveupdate= had to say at least */
};

/**
 * Find places for the next image, what it allocates at boot, and its frame table: in the further
 * region that fits best, else below its image, else in free memory of @table, of which then a
 * further region has to be made. Changes nothing. Returns 0, -EINVAL (sizes that make no sense) or
 * -ENOSPC (it does not fit, @plan->needed would be enough).
 */
int hv_bootmem_plan(const struct hv_bootmem *bootmem, struct hv_frame_table *table,
		    const struct hv_image_memory *next, struct hv_bootmem_plan *plan);

#endif
