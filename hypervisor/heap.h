/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The heap: allocation of frames.
 *
 * What is free is said by the frame table and nowhere else. The heap is a place in it
 * from which it searches on. Memory that has to survive an update comes from frames
 * that are HV_FRAME_FREE; what need not is taken from boot memory first
 * (HV_FRAME_BOOTMEM), which is good for nothing else until the next update.
 *
 * A real machine's memory is fragmented after some time. For that, a heap can be told
 * to scatter: pieces of at most so many frames, from all over the machine.
 */
#ifndef HYPERVISOR_HEAP_H
#define HYPERVISOR_HEAP_H

#include <stdbool.h>
#include <stdint.h>

#include "hypervisor/bootmem.h"
#include "hypervisor/frame-table.h"

struct hv_heap {
	struct hv_frame_table *table;
	const struct hv_bootmem *bootmem; /* NULL: there is none */
	struct hv_spinlock lock;
	bool bootmem_only;   /* nobody knows yet what else is free */
	uint64_t next;	     /* the frame from which to search */
	uint64_t contiguous; /* the same for what has to be contiguous */
	uint64_t scatter;    /* most frames of a piece, 0: as many as are wanted */
	uint64_t random;     /* state of the scattering */
};

/** A heap of what is free in @table. Both stay the caller's. */
void hv_heap_init(struct hv_heap *heap, struct hv_frame_table *table,
		  const struct hv_bootmem *bootmem);

/** From now on pieces have at most @frames frames and come from anywhere; 0 ends that. */
void hv_heap_scatter(struct hv_heap *heap, uint64_t frames, uint64_t seed);

/**
 * Allocate a piece of at most @wanted frames (at least 1) for @owner. Whoever needs more calls
 * again. Fills @first; returns the number of frames, 0 when there are none (or no memory for the
 * frame table), < 0: -EINVAL (@type is not one that is allocated).
 */
int64_t hv_heap_allocate(struct hv_heap *heap, uint64_t wanted, uint16_t owner,
			 enum hv_frame_type type, uint64_t *first);

/**
 * Allocate exactly @count frames that are contiguous, the first at a multiple of @align (a power
 * of 2). Returns 0, -EINVAL or -ENOMEM.
 */
int hv_heap_allocate_contiguous(struct hv_heap *heap, uint64_t count, uint64_t align,
				uint16_t owner, enum hv_frame_type type, uint64_t *first);

/** Give frames back, which @owner has with this @type. Errors: as hv_frames_change(). */
int hv_heap_free(struct hv_heap *heap, uint64_t first, uint64_t count, uint16_t owner,
		 enum hv_frame_type type);

#endif
