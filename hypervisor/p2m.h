/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain's memory: which frame of the machine (mfn) stands behind which of its own
 * (gfn).
 *
 * Extents, sorted by gfn, that never overlap; neighbours that continue each other in
 * both numbers are one. What a domain owns without having it in its address space
 * (grant table, page tables, ...) stands in a list of frames of its own, by type.
 */
#ifndef HYPERVISOR_P2M_H
#define HYPERVISOR_P2M_H

#include <stdbool.h>
#include <stdint.h>

#include "hypervisor/allocator.h"
#include "hypervisor/frame-table.h"

struct hv_extent {
	uint64_t gfn;
	uint64_t mfn;
	uint64_t count;
};

struct hv_p2m {
	struct hv_extent *extents; /* by gfn */
	uint32_t count;
	uint32_t capacity;
	uint64_t frames; /* all of them together */
};

#define HV_P2M_LIMIT (1u << 26) /* extents */

/** Add an extent. -EINVAL (empty, or beyond the end), -EEXIST (overlaps), -ENOMEM. */
int hv_p2m_add(const struct hv_allocator *allocator, struct hv_p2m *p2m, uint64_t gfn, uint64_t mfn,
	       uint64_t count);

/** Remove what is there between @gfn and @gfn + @count. -ENOENT if a part is not, -ENOMEM. */
int hv_p2m_remove(const struct hv_allocator *allocator, struct hv_p2m *p2m, uint64_t gfn,
		  uint64_t count);

/** The memory from @gfn on, up to the end of its extent. False if there is none at @gfn. */
bool hv_p2m_find(const struct hv_p2m *p2m, uint64_t gfn, struct hv_extent *found);

/** The frame behind @gfn, or HV_NO_FRAME. */
uint64_t hv_p2m_mfn(const struct hv_p2m *p2m, uint64_t gfn);

/** Forget all extents (who owns the frames is not changed). */
void hv_p2m_deinit(const struct hv_allocator *allocator, struct hv_p2m *p2m);

/* Frames of a domain outside its address space. */
struct hv_special {
	uint64_t mfn;
	uint32_t count;
	uint8_t type; /* enum hv_frame_type */
};

struct hv_special_list {
	struct hv_special *list; /* in the order in which they were added: that is their index */
	uint32_t count;
	uint32_t capacity;
};

/** Add frames at the end of the list. -ENOMEM. */
int hv_special_add(const struct hv_allocator *allocator, struct hv_special_list *list, uint64_t mfn,
		   uint32_t count, enum hv_frame_type type);

void hv_special_deinit(const struct hv_allocator *allocator, struct hv_special_list *list);

#endif
