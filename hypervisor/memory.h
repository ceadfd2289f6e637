/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine's memory as a whole: frame table, heap and boot memory, and how domains
 * get frames.
 *
 * A machine may do without (hypervisor.memory is NULL): then frames are numbers that
 * mean something to its host only.
 */
#ifndef HYPERVISOR_MEMORY_H
#define HYPERVISOR_MEMORY_H

#include <stdint.h>

#include "hypervisor/bootmem.h"
#include "hypervisor/frame-table.h"
#include "hypervisor/heap.h"
#include "hypervisor/p2m.h"

struct hypervisor;
struct hv_domain;

struct hv_memory {
	struct hv_frame_table table;
	struct hv_heap heap;
	struct hv_bootmem bootmem;
};

/** Memory of @frames frames, all absent: hv_frames_set() says what they are. Errors: as there. */
int hv_memory_init(struct hv_memory *memory, const struct hv_allocator *allocator, uint64_t frames);

void hv_memory_deinit(struct hv_memory *memory);

/**
 * Give @domid @count frames of memory from @gfn on, taken from the heap in as many pieces as it
 * takes. For control domains only. Returns how many it got, which is less than @count when there
 * is no more memory, or memory at one of the places already. Errors, when there is none at all:
 * -EPERM, -ESRCH (no such domain, or dying), -EEXIST, -ENOMEM, -EINVAL (also for a machine without
 * modelled memory).
 */
int64_t hv_populate(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint64_t gfn,
		    uint64_t count);

/**
 * Take memory from a domain again, from @gfn on. Returns how many frames; less than @count when it
 * met one that is not there or that others map. Errors, when there is none: -EPERM, -ESRCH,
 * -ENOENT, -EBUSY, -ENOMEM.
 */
int64_t hv_depopulate(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint64_t gfn,
		      uint64_t count);

/* For the mechanism's other parts. */

/**
 * Allocate @count contiguous frames of @type for @domain, outside of its address space, and note
 * them in its list. Returns 0, -ENOMEM or -EINVAL.
 */
int hv_allocate_special(struct hypervisor *hv, struct hv_domain *domain, enum hv_frame_type type,
			uint32_t count, uint64_t *first);

/**
 * Give back the memory of @domain, which is dying, apart from frames that others still map. Returns
 * 0, or -EBUSY when something is left; the next call goes on.
 */
int hv_relinquish(struct hypervisor *hv, struct hv_domain *domain);

#endif
