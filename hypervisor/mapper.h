/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the mechanism sees what is in frames: its host maps them.
 */
#ifndef HYPERVISOR_MAPPER_H
#define HYPERVISOR_MAPPER_H

#include <stdint.h>

struct hv_mapper {
	/*
	 * Show @count frames one behind the other, for reading and writing; NULL if it cannot be.
	 * One call for many frames, because mapping costs time in which no domain runs.
	 */
	void *(*map)(void *data, const uint64_t *frames, uint64_t count);

	/* The same for @count contiguous frames. */
	void *(*map_contiguous)(void *data, uint64_t first, uint64_t count);

	/* Undo this, with the same @count. */
	void (*unmap)(void *data, void *address, uint64_t count);

	void *data;
};

#endif
