/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The domain's memory, in pages: which are populated, which are in use.
 *
 *	0 ........ fixed places (layout.h)
 *	low heap   mappings, bottom up
 *	image      text, data, bss
 *	brk    ->  the C library's heap
 *	       <-  mappings that the low heap has no room for, top down
 *	populated
 *	       ->  grows by asking the hypervisor for pages, up to the limit
 *	limit
 *
 * One bit for each page. Whatever is handed out is cleared first, since fresh
 * pages hold whatever the hypervisor, or the image before a live update, left
 * there, and the C library counts on zeros. (spec: stubdom.md section 1 "Memory")
 *
 * This file does not touch memory or the hypervisor by itself; struct memory_ops
 * does, so that it runs in a test as well. All addresses are bytes, all counts
 * pages unless they say otherwise.
 */
#ifndef XENSTORED_STUBDOM_RING0_MEMORY_H
#define XENSTORED_STUBDOM_RING0_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stubdom/layout.h"

#define MEMORY_PAGES ((size_t)LAYOUT_RAM_END >> LAYOUT_PAGE_SHIFT)

struct memory;

struct memory_ops {
	/* Populate @pages pages at @address. Returns how many, from the first on, there are now. */
	size_t (*populate)(struct memory *memory, uintptr_t address, size_t pages);
	/* Give the populated pages from @address on back. Returns 0 or -errno, when all stay. */
	int (*depopulate)(struct memory *memory, uintptr_t address, size_t pages);
	/* How far it may be populated now, in bytes; whoever set the limit may have changed it. */
	uintptr_t (*limit)(struct memory *memory);
	/* Fill with zeros. */
	void (*clear)(struct memory *memory, uintptr_t address, size_t size);
};

struct memory {
	const struct memory_ops *ops;
	uintptr_t brk_start, brk; /* the C library's heap */
	uintptr_t end;		  /* of what is populated */
	uintptr_t limit;	  /* of what may be, as far as known */
	uintptr_t initial;	  /* end when the domain started */
	size_t used;		  /* pages */
	uint64_t bits[MEMORY_PAGES / 64];
};

/**
 * Start with memory up to @end, of which everything from @image_end on is free, and the low heap.
 * @limit: of growing. All three are aligned to pages, and at most LAYOUT_RAM_END.
 */
void memory_init(struct memory *memory, const struct memory_ops *ops, uintptr_t image_end,
		 uintptr_t end, uintptr_t limit);

/**
 * Take the pages that @start to @end touch out of what is handed out, because something is there
 * already. What lies outside of the populated memory does not matter.
 */
void memory_reserve(struct memory *memory, uintptr_t start, uintptr_t end);

/** As the system call: move the end of the heap if that is possible; returns where it is. */
uintptr_t memory_brk(struct memory *memory, uintptr_t wanted);

/** @size bytes of zeros at a page of their own. Returns the address, or 0 without memory. */
uintptr_t memory_map(struct memory *memory, size_t size);

/** The same at the highest possible address, and not cleared. */
uintptr_t memory_map_top(struct memory *memory, size_t size);

/** Free pages, mapped or reserved. Returns 0, or -EINVAL: not pages, or not of this memory. */
int memory_unmap(struct memory *memory, uintptr_t address, size_t size);

/** Give populated pages that are free at the end back, down to @initial. Returns how many. */
size_t memory_shrink(struct memory *memory);

/** The limit may have been changed from outside: learn of it. */
void memory_refresh_limit(struct memory *memory);

/** Bytes that memory_map_top() lacks for @size, when it has failed. */
size_t memory_missing(const struct memory *memory, size_t size);

/** Pages that could be handed out: populated and free, and those that may still be populated. */
size_t memory_available(const struct memory *memory);

/* The domain's. */
extern struct memory ring0_memory;

/** The domain's limit in KB, as whoever sets it counts. */
size_t memory_limit_kb(void);

/** Find out what there is, and set ring0_memory up. @image_end: behind the image. */
void memory_boot(uintptr_t image_end);

#endif
