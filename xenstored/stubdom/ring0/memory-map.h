/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much memory there is, from what the hypervisor says about it.
 *
 * The counts of the reservation are right in all versions, the map is not: one
 * version gives the memory's size in megabytes where bytes are meant. The map
 * covers what the domain may have, not what it has. So the counts are believed,
 * and the map is only used for where the memory of the image ends at the latest.
 * (spec: stubdom.md section 1 "Memory")
 */
#ifndef XENSTORED_STUBDOM_RING0_MEMORY_MAP_H
#define XENSTORED_STUBDOM_RING0_MEMORY_MAP_H

#include <stddef.h>
#include <stdint.h>

#define MEMORY_MAP_RAM 1u

/* An entry as the hypervisor writes it. */
struct memory_map_entry {
	uint64_t start, size; /* bytes */
	uint32_t type;
} __attribute__((packed));

_Static_assert(sizeof(struct memory_map_entry) == 20, "ABI");

/**
 * The end of the memory that begins at 0, in bytes and in whole pages.
 * @map, @count: the memory map; @image_end: the memory reaches beyond this for certain
 * @pages: of the reservation (what is populated, or the most that may be), special pages included
 */
uintptr_t memory_map_end(const struct memory_map_entry *map, size_t count, uintptr_t image_end,
			 uint64_t pages);

#endif
