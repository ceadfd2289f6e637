/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Believing the counts, and the map where it can be true. */
#include "stubdom/ring0/memory-map.h"

#include "stubdom/layout.h"

#define SPECIAL_PAGES ((LAYOUT_SPECIAL_END - LAYOUT_SPECIAL) / LAYOUT_PAGE)

uintptr_t memory_map_end(const struct memory_map_entry *map, size_t count, uintptr_t image_end,
			 uint64_t pages)
{
	uint64_t end = 0;

	if (pages > SPECIAL_PAGES)
		end = pages - SPECIAL_PAGES;
	end = end < LAYOUT_RAM_END / LAYOUT_PAGE ? end * LAYOUT_PAGE : LAYOUT_RAM_END;
	for (size_t i = 0; i < count; i++) {
		uint64_t entry_end = map[i].start + map[i].size;

		if (map[i].type != MEMORY_MAP_RAM || map[i].start >= image_end ||
		    entry_end < map[i].start || entry_end < image_end)
			continue;
		if (end > entry_end)
			end = entry_end;
	}
	return end & ~(uint64_t)(LAYOUT_PAGE - 1);
}
