/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The domain's own memory: how much there is, and more of it by ballooning.
 */
#include <string.h>

#include "stubdom/ring0/hypercall.h"
#include "stubdom/ring0/memory-map.h"
#include "stubdom/ring0/memory.h"
#include "stubdom/ring0/paging.h"
#include "stubdom/ring0/ring0.h"
#include "stubdom/ring0/state.h"

#include <xen/memory.h>

#define MAP_ENTRIES 16u
#define LARGE_ORDER (LAYOUT_LARGE_SHIFT - LAYOUT_PAGE_SHIFT)
#define LARGE_PAGES (1ul << LARGE_ORDER)

/* A reservation is changed by this many extents at once. */
#define EXTENTS 64u

struct memory ring0_memory;

/* Populate up to @count extents of 1 << @order pages. Returns how many extents there are now. */
static size_t populate_extents(uintptr_t address, size_t count, unsigned int order)
{
	xen_pfn_t frame[EXTENTS];
	struct xen_memory_reservation reservation = {
		.nr_extents = count,
		.extent_order = order,
		.domid = DOMID_SELF,
	};
	long done;

	for (size_t i = 0; i < count; i++)
		frame[i] = (address >> LAYOUT_PAGE_SHIFT) + (i << order);
	set_xen_guest_handle(reservation.extent_start, frame);
	done = hypercall_op(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &reservation);
	return done > 0 ? (size_t)done : 0;
}

static size_t populate(struct memory *memory, uintptr_t address, size_t pages)
{
	uintptr_t start = address;
	size_t done = 0;
	bool large = true; /* as long as the host has some */

	(void)memory;
	while (done < pages) {
		size_t left = pages - done, got;

		if (large && !(address % LAYOUT_LARGE_PAGE) && left >= LARGE_PAGES) {
			got = populate_extents(address, 1, LARGE_ORDER) << LARGE_ORDER;
			large = got;
			if (!large)
				continue;
		} else {
			got = populate_extents(address, left < EXTENTS ? left : EXTENTS, 0);
		}
		if (!got)
			break;
		done += got;
		address += got * LAYOUT_PAGE;
		/* At once: the way back may be taken at any time. */
		ring0_state()->memory_end = address;
	}
	paging_allow(start, address);
	return done;
}

static int depopulate(struct memory *memory, uintptr_t address, size_t pages)
{
	xen_pfn_t frame[EXTENTS];

	(void)memory;
	/* First: the image behind the way back must not count on what is gone. */
	ring0_state()->memory_end = address;
	/* From the end, so that what is left is contiguous whatever happens. */
	while (pages) {
		size_t count = pages < EXTENTS ? pages : EXTENTS;
		struct xen_memory_reservation reservation = {
			.nr_extents = count,
			.domid = DOMID_SELF,
		};

		for (size_t i = 0; i < count; i++)
			frame[i] = (address >> LAYOUT_PAGE_SHIFT) + pages - 1 - i;
		set_xen_guest_handle(reservation.extent_start, frame);
		if (hypercall_op(__HYPERVISOR_memory_op, XENMEM_decrease_reservation,
				 &reservation) != (long)count)
			ring0_panic("memory could not be given back");
		pages -= count;
	}
	return 0;
}

static void clear(struct memory *memory, uintptr_t address, size_t size)
{
	(void)memory;
	memset((void *)address, 0, size);
}

static uint64_t reservation_pages(unsigned int op)
{
	domid_t self = DOMID_SELF;
	long pages = hypercall_op(__HYPERVISOR_memory_op, op, &self);

	if (pages <= 0)
		ring0_panic("the hypervisor does not tell how much memory there is (%lu)",
			    (uint64_t)-pages);
	return (uint64_t)pages;
}

static uintptr_t current_limit(struct memory *memory)
{
	(void)memory;
	return memory_map_end(NULL, 0, 0, reservation_pages(XENMEM_maximum_reservation));
}

static const struct memory_ops ops = {
	.populate = populate,
	.depopulate = depopulate,
	.limit = current_limit,
	.clear = clear,
};

/* Whether the page is memory: elsewhere writes vanish and reads give ones. */
static bool is_backed(uintptr_t address)
{
	volatile uint64_t *word = (volatile uint64_t *)address;
	uint64_t old = *word;
	bool kept;

	*word = 0x5a5a5a5a12345678ull;
	kept = *word == 0x5a5a5a5a12345678ull;
	*word = ~0x5a5a5a5a12345678ull;
	kept = kept && *word == ~0x5a5a5a5a12345678ull;
	*word = old;
	return kept;
}

size_t memory_limit_kb(void)
{
	return reservation_pages(XENMEM_maximum_reservation) * (LAYOUT_PAGE / 1024);
}

void memory_boot(uintptr_t image_end)
{
	struct memory_map_entry map[MAP_ENTRIES];
	struct xen_memory_map get = {.nr_entries = MAP_ENTRIES};
	struct ring0_state *state = ring0_state();
	uintptr_t end;

	set_xen_guest_handle(get.buffer, (void *)map);
	if (hypercall_op(__HYPERVISOR_memory_op, XENMEM_memory_map, &get))
		get.nr_entries = 0;
	if (ring0_updated) {
		end = state->memory_end;
	} else {
		end = memory_map_end(map, get.nr_entries, image_end,
				     reservation_pages(XENMEM_current_reservation));
		/* A builder that puts other pages into the reservation than ours must not hurt. */
		while (end > image_end && !is_backed(end - LAYOUT_PAGE))
			end -= LAYOUT_PAGE;
		state->memory_end = state->memory_initial = end;
	}
	if (end <= image_end)
		ring0_panic("%lu KB of memory are not enough for the image", (uint64_t)end / 1024);
	paging_init(end, ring0.hypercall_page);
	memory_init(&ring0_memory, &ops, image_end, end, current_limit(&ring0_memory));
	ring0_memory.initial = state->memory_initial;
}
