/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How it was done before there was boot memory: a list of all ranges in use is handed
 * over, and the next hypervisor treats them as bad pages. Kept as a double, to show why
 * it lost: the boot allocator has a table of 512 ranges and no memory for a longer one,
 * and whatever is in use is visited twice, once to reserve it, and again to give it to
 * its owner. (spec: hypervisor-live-update.md, "Why a reserved region")
 *
 * Included by test programs and the benchmark.
 */
#ifndef HYPERVISOR_TEST_RANGE_LIST_H
#define HYPERVISOR_TEST_RANGE_LIST_H

#include <stdlib.h>

#include "hypervisor/bootmem.h"
#include "hypervisor/xen-errno.h"

#define RANGE_LIST_MOST 512u

struct range_list {
	struct hv_frame_span *spans;
	uint64_t count, room;
};

/* Neighbours of different owners are one range: whose they are is not said. */
static inline int range_list_add(struct range_list *list, uint64_t first, uint64_t count)
{
	struct hv_frame_span *last = list->count ? &list->spans[list->count - 1] : NULL;

	if (last && last->first + last->count == first) {
		last->count += count;
		return 0;
	}
	if (list->count == list->room) {
		uint64_t room = list->room ? list->room * 2 : 64;
		struct hv_frame_span *spans = realloc(list->spans, room * sizeof(*spans));

		if (!spans)
			return -XEN_ENOMEM;
		list->spans = spans;
		list->room = room;
	}
	list->spans[list->count++] = (struct hv_frame_span){first, count};
	return 0;
}

/* The old hypervisor: everything that must survive, but for the stream. Returns 0 or -ENOMEM. */
static inline int range_list_collect(struct range_list *list, struct hv_frame_table *table)
{
	uint64_t position = 0;
	struct hv_frames frames;
	int error = 0;

	*list = (struct range_list){.spans = NULL};
	while (!error && hv_frames_walk(table, &position, &frames)) {
		if (hv_frame_survives((enum hv_frame_type)frames.type) &&
		    frames.type != HV_FRAME_STREAM)
			error = range_list_add(list, frames.first, frames.count);
	}
	return error;
}

static inline void range_list_deinit(struct range_list *list)
{
	free(list->spans);
	*list = (struct range_list){.spans = NULL};
}

/*
 * The new one's boot allocator: one region for each range of RAM, less the ranges in use, each of
 * which may cut one in two. -ENOSPC when the table is full. *@regions says how many it would be.
 */
static inline int range_list_boot(const struct range_list *list, const struct hv_frame_span *ram,
				  uint32_t ram_count, uint64_t *regions)
{
	*regions = 0;
	for (uint32_t i = 0; i < ram_count; i++) {
		uint64_t at = ram[i].first;
		const uint64_t end = ram[i].first + ram[i].count;

		for (uint64_t j = 0; j < list->count; j++) {
			const struct hv_frame_span *used = &list->spans[j];

			if (used->first >= end || used->first + used->count <= at)
				continue;
			*regions += used->first > at;
			at = used->first + used->count;
		}
		*regions += at < end;
	}
	return *regions > RANGE_LIST_MOST ? -XEN_ENOSPC : 0;
}

/* The first of two passes: nothing of it may get into the heap. */
static inline int range_list_reserve(const struct range_list *list, struct hv_frame_table *table)
{
	int error = 0;

	for (uint64_t i = 0; !error && i < list->count; i++)
		error = hv_frames_change(table, list->spans[i].first, list->spans[i].count, 0,
					 HV_FRAME_FREE, HV_FRAME_BAD);
	return error;
}

#endif
