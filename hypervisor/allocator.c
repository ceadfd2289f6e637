/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What everything allocated has in common: it begins as zeroes, and arrays grow by
 * moving. Growing comes before an operation's first change, so that its failure
 * leaves nothing behind.
 */
#include "hypervisor/allocator.h"

#include <stdint.h>
#include <string.h>

#include "hypervisor/xen-errno.h"

void *hv_allocate(const struct hv_allocator *allocator, size_t size)
{
	void *block = allocator->allocate(allocator->data, size);

	if (block)
		memset(block, 0, size);
	return block;
}

void hv_release(const struct hv_allocator *allocator, void *block, size_t size)
{
	if (block)
		allocator->release(allocator->data, block, size);
}

int hv_grow(const struct hv_allocator *allocator, void **array, size_t element, uint32_t *count,
	    uint32_t need, uint32_t limit)
{
	uint32_t new_count = *count ? *count : HV_GROW_FIRST;
	void *larger;

	if (need <= *count)
		return 0;
	while (new_count < need)
		new_count = new_count > UINT32_MAX / 2 ? UINT32_MAX : new_count * 2;
	if (new_count > limit)
		new_count = limit;
	larger = hv_allocate(allocator, new_count * element);
	if (!larger)
		return -XEN_ENOMEM;
	if (*count) {
		memcpy(larger, *array, *count * element);
		hv_release(allocator, *array, *count * element);
	}
	*array = larger;
	*count = new_count;
	return 0;
}
