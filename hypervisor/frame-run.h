/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The runs of one chunk of the frame table: find, split, change, merge.
 *
 * Only the frame table uses this, with the chunk's lock held. All positions are
 * relative to the chunk. Whatever needs memory comes before what changes something.
 */
#ifndef HYPERVISOR_FRAME_RUN_H
#define HYPERVISOR_FRAME_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "hypervisor/frame-table.h"

/* Where a run stands. */
struct hv_run_place {
	struct hv_run *run;
	uint32_t leaf, index;
	uint32_t end; /* of the run */
};

/** The run that @frame is in. */
struct hv_run_place hv_run_find(struct hv_chunk *chunk, uint32_t frame);

/** The run behind @place, whose end is not that of the chunk. */
struct hv_run_place hv_run_next(struct hv_chunk *chunk, const struct hv_run_place *place);

/**
 * See to it that a run begins at @frame, or that it is the end of the chunk. Returns 0, or -ENOMEM
 * with nothing changed.
 */
int hv_run_split(const struct hv_allocator *allocator, struct hv_chunk *chunk, uint32_t frame);

/** Merge what agrees on both sides of @frame. */
void hv_run_merge(const struct hv_allocator *allocator, struct hv_chunk *chunk, uint32_t frame);

/**
 * Make the frames [@first, @end) one run that is as @run says (but for its first frame), and part
 * of its neighbours if they agree. Runs begin at @first and at @end already. Cannot fail.
 */
void hv_run_fill(const struct hv_allocator *allocator, struct hv_chunk *chunk, uint32_t first,
		 uint32_t end, const struct hv_run *run);

/**
 * The usual case at once: frames [@first, @end) of the run at @place, which goes at least as far,
 * become a run as @run says. Returns false, with nothing done, where it is not so simple: it would
 * take memory, or concerns another leaf.
 */
bool hv_run_carve(struct hv_chunk *chunk, const struct hv_run_place *place, uint32_t first,
		  uint32_t end, const struct hv_run *run);

/** Free the chunk's leaves. */
void hv_chunk_deinit(const struct hv_allocator *allocator, struct hv_chunk *chunk);

#endif
