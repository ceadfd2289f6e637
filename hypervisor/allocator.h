/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory for the mechanism.
 *
 * The mechanism has no heap of its own: whoever hosts it says where memory comes
 * from, may refuse, and then the operation that asked fails as a whole with
 * ENOMEM. Sizes are given back on release, so that a host can count exactly, or
 * do without headers in front of blocks.
 */
#ifndef HYPERVISOR_ALLOCATOR_H
#define HYPERVISOR_ALLOCATOR_H

#include <stddef.h>
#include <stdint.h>

struct hv_allocator {
	/* @size bytes aligned for any type, contents undefined; NULL when there are none. */
	void *(*allocate)(void *data, size_t size);

	/* Take back @block, which was allocated with this @size. */
	void (*release)(void *data, void *block, size_t size);

	void *data;
};

/** @size zeroed bytes, or NULL. */
void *hv_allocate(const struct hv_allocator *allocator, size_t size);

/** Give @block back; NULL is allowed. */
void hv_release(const struct hv_allocator *allocator, void *block, size_t size);

#define HV_GROW_FIRST 4u /* elements of an array that begins */

/**
 * See to it that an array has at least @need elements, which must be at most @limit. It gets twice
 * as long, or longer if need be, but not longer than @limit; what is new is zero. @array points to
 * the pointer to the array, which has *@count elements of @element bytes; both change. Returns 0,
 * or -ENOMEM with nothing changed.
 */
int hv_grow(const struct hv_allocator *allocator, void **array, size_t element, uint32_t *count,
	    uint32_t need, uint32_t limit);

#endif
