/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame table: for each frame of the machine, who owns it and what it is for.
 *
 * A frame (mfn) is 4 KiB. Neighbours that agree in everything are one run, and the
 * runs of the table cover all frames without gaps: what is stored, and what a walk
 * costs, follows the fragments that there are, not the bytes of memory. A machine
 * of 16 TiB whose domains have long extents is as cheap as one of 1 GiB.
 *
 *	table:	chunk 0 (1 GiB)	| chunk 1	| chunk 2 ...
 *		   |		   |
 *		one run		leaves of up to 42 runs each, in order of frames
 *
 * Chunks have their own locks, so that all functions here may be called by several
 * CPUs at once (the allocator must allow that too). An operation either happens or
 * fails as a whole.
 *
 * References count how often a frame is mapped by others than its owner. A frame
 * with references is a run of its own; it cannot be released. They are never taken
 * from a stream but counted anew (spec: hypervisor-live-update.md, "Save").
 */
#ifndef HYPERVISOR_FRAME_TABLE_H
#define HYPERVISOR_FRAME_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "hypervisor/allocator.h"
#include "hypervisor/spinlock.h"

#define HV_PAGE_SHIFT 12u
#define HV_PAGE_SIZE  4096u

#define HV_CHUNK_SHIFT	18u
#define HV_CHUNK_FRAMES (1u << HV_CHUNK_SHIFT)

/* The most that a machine can have: 52 bits of physical address. */
#define HV_MAX_FRAMES (UINT64_C(1) << 40)

#define HV_NO_FRAME UINT64_MAX

/* What a frame is for. The numbers stand in streams; they are never given another meaning. */
enum hv_frame_type {
	HV_FRAME_ABSENT = 0,	    /* no memory there, or not ours: firmware, devices */
	HV_FRAME_BAD = 1,	    /* broken, never to be used */
	HV_FRAME_FREE = 2,	    /* in the heap */
	HV_FRAME_BOOTMEM = 3,	    /* free, but only for what need not survive an update */
	HV_FRAME_IMAGE = 4,	    /* the hypervisor's image */
	HV_FRAME_XEN = 5,	    /* the hypervisor's own data, which an update makes anew */
	HV_FRAME_KEXEC = 6,	    /* a loaded image on its way to where it runs */
	HV_FRAME_RAM = 7,	    /* from here on: survives an update. A domain's memory */
	HV_FRAME_SHARED_INFO = 8,   /* shared by the hypervisor with its owner */
	HV_FRAME_GRANT_TABLE = 9,   /* entries of the owner's grant table */
	HV_FRAME_GRANT_STATUS = 10, /* the same, of version 2 */
	HV_FRAME_EVENT_ARRAY = 11,  /* FIFO event channels' words and control blocks */
	HV_FRAME_P2M = 12,	    /* second-level page tables of the owner */
	HV_FRAME_IOMMU = 13,	    /* IOMMU page tables, live at all times */
	HV_FRAME_IOREQ = 14,	    /* pages between a domain and its device model */
	HV_FRAME_M2P = 15,	    /* machine-to-physical table, which guests can read */
	HV_FRAME_STREAM = 16,	    /* the live update stream and the array that lists its pages */
	HV_FRAME_TYPES
};

/** Must the contents of frames of this type be the same after an update of the hypervisor? */
static inline bool hv_frame_survives(enum hv_frame_type type)
{
	return type >= HV_FRAME_RAM;
}

/** May frames of this type be in boot memory? What an update needs until the end may not. */
static inline bool hv_frame_in_bootmem(enum hv_frame_type type)
{
	return type < HV_FRAME_KEXEC;
}

/** The name of a type, for messages and dumps; "?" for what is none. */
const char *hv_frame_type_name(unsigned int type);

/* Some frames that agree in everything, as a caller sees them. */
struct hv_frames {
	uint64_t first;
	uint64_t count;
	uint32_t references;
	uint16_t owner; /* a domid, HV_DOMID_XEN, or HV_DOMID_INVALID for nobody */
	uint8_t type;	/* enum hv_frame_type */
};

/* A run in its chunk; it goes on until the next one. */
struct hv_run {
	uint32_t first; /* relative to the chunk */
	uint32_t references;
	uint16_t owner;
	uint8_t type;
};

#define HV_LEAF_RUNS 42u

struct hv_leaf {
	uint32_t count;
	struct hv_run runs[HV_LEAF_RUNS];
};

struct hv_leaf_slot {
	uint32_t first; /* of its first run */
	struct hv_leaf *leaf;
};

struct hv_chunk {
	struct hv_spinlock lock;
	uint32_t free; /* frames of type HV_FRAME_FREE */
	uint32_t leaf_count, leaf_capacity;
	struct hv_leaf_slot *leaves; /* NULL: one run, that below */
	struct hv_run only;
};

struct hv_frame_table {
	const struct hv_allocator *allocator;
	uint64_t frames; /* of the machine, holes included */
	uint64_t chunk_count;
	struct hv_chunk *chunks;
};

/**
 * A table for @frames frames, all of them absent. @allocator stays the caller's. Returns 0, -EINVAL
 * (none, or more than HV_MAX_FRAMES) or -ENOMEM.
 */
int hv_frame_table_init(struct hv_frame_table *table, const struct hv_allocator *allocator,
			uint64_t frames);

/** Free it. A zeroed table is allowed. */
void hv_frame_table_deinit(struct hv_frame_table *table);

/**
 * Say what frames are, whatever they were: for memory maps at boot. -EINVAL when they are not in
 * the table or @type is none, -EBUSY when one is referenced, -ENOMEM; nothing is changed then.
 */
int hv_frames_set(struct hv_frame_table *table, uint64_t first, uint64_t count, uint16_t owner,
		  enum hv_frame_type type);

/**
 * Change frames that are of @from (and, if it is not HV_FRAME_FREE or _BOOTMEM, belong to @owner)
 * into frames of @to that belong to @owner. This is how frames get an owner and how they lose it
 * again; two who claim the same frame cannot both succeed. Frames that become free belong to
 * nobody. Errors: -EINVAL, -EBUSY (a frame is something else, or somebody else's, or referenced),
 * -ENOMEM; nothing is changed then.
 */
int hv_frames_change(struct hv_frame_table *table, uint64_t first, uint64_t count, uint16_t owner,
		     enum hv_frame_type from, enum hv_frame_type to);

/**
 * One reference more to a frame of @owner, of a type that survives. -EINVAL (not in the table),
 * -EBUSY (somebody else's, or of another type), -EUSERS (too many), -ENOMEM.
 */
int hv_frame_reference(struct hv_frame_table *table, uint64_t frame, uint16_t owner);

/** One reference less; -EINVAL when there is none. It needs no memory. */
int hv_frame_unreference(struct hv_frame_table *table, uint64_t frame);

/** The frames around @frame that agree with it. False when it is not in the table. */
bool hv_frames_find(struct hv_frame_table *table, uint64_t frame, struct hv_frames *frames);

/**
 * Walk: the frames from *@position on that agree with each other, as many as are in one chunk;
 * *@position moves behind them. False at the end of the table.
 */
bool hv_frames_walk(struct hv_frame_table *table, uint64_t *position, struct hv_frames *frames);

/** The bytes that the table occupies now. */
uint64_t hv_frame_table_bytes(struct hv_frame_table *table);

#endif
