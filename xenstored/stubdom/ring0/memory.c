/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages handed out, and taken back. */
#include "stubdom/ring0/memory.h"

#include <errno.h>
#include <string.h>

#define PAGE ((uintptr_t)LAYOUT_PAGE)

/* Asked of the hypervisor at once, if that much may still come. */
#define GROW_PAGES ((size_t)LAYOUT_LARGE_PAGE / LAYOUT_PAGE)

static size_t page_of(uintptr_t address)
{
	return address >> LAYOUT_PAGE_SHIFT;
}

static uintptr_t page_up(uintptr_t address)
{
	return (address + PAGE - 1) & ~(PAGE - 1);
}

static bool is_used(const struct memory *memory, size_t page)
{
	return memory->bits[page / 64] >> page % 64 & 1;
}

static void set_used(struct memory *memory, size_t page, size_t count, bool used)
{
	for (size_t end = page + count; page < end; page++) {
		uint64_t bit = 1ull << page % 64;

		if (is_used(memory, page) == used)
			continue;
		memory->bits[page / 64] ^= bit;
		memory->used += used ? 1 : (size_t)-1;
	}
}

void memory_init(struct memory *memory, const struct memory_ops *ops, uintptr_t image_end,
		 uintptr_t end, uintptr_t limit)
{
	memset(memory, 0, sizeof(*memory));
	memory->ops = ops;
	memory->brk_start = memory->brk = image_end;
	memory->end = memory->initial = end;
	memory->limit = limit > end ? limit : end;
	set_used(memory, 0, page_of(LAYOUT_LOW_HEAP), true);
	set_used(memory, page_of(LAYOUT_LOW_HEAP_END), page_of(image_end - LAYOUT_LOW_HEAP_END),
		 true);
}

void memory_reserve(struct memory *memory, uintptr_t start, uintptr_t end)
{
	start &= ~(PAGE - 1);
	if (end > LAYOUT_RAM_END)
		end = LAYOUT_RAM_END;
	end = page_up(end);
	if (start < end)
		set_used(memory, page_of(start), page_of(end - start), true);
}

void memory_refresh_limit(struct memory *memory)
{
	uintptr_t limit = memory->ops->limit(memory);

	memory->limit = limit > memory->end ? limit : memory->end;
}

/* Have at least @pages more. Returns false when they are not to be had. */
static bool grow(struct memory *memory, size_t pages)
{
	size_t room, ask = pages, got;

	if (pages > page_of(memory->limit - memory->end))
		memory_refresh_limit(memory);
	room = page_of(memory->limit - memory->end);
	if (pages > room)
		return false;
	if (ask < GROW_PAGES)
		ask = GROW_PAGES < room ? GROW_PAGES : room;
	/* Whole large pages cost the hypervisor less to map. */
	got = page_of(memory->end + ask * PAGE) % GROW_PAGES;
	if (got && ask + GROW_PAGES - got <= room)
		ask += GROW_PAGES - got;
	got = memory->ops->populate(memory, memory->end, ask);
	memory->end += got * PAGE;
	/* Less than asked for means that the domain, or the host, has no more. */
	if (got < ask)
		memory->limit = memory->end;
	return got >= pages;
}

/* Whether [page, page + count) is free; else *@next is where to go on looking. */
static bool is_free(const struct memory *memory, size_t page, size_t count, size_t *next)
{
	/* From behind, so that the step is as long as possible. */
	for (size_t i = count; i-- > 0;) {
		if (!is_used(memory, page + i))
			continue;
		*next = page + i + 1;
		return false;
	}
	return true;
}

static uintptr_t find_up(const struct memory *memory, uintptr_t from, uintptr_t to, size_t count)
{
	size_t page = page_of(from), end = page_of(to);

	while (page + count <= end) {
		if (is_free(memory, page, count, &page))
			return (uintptr_t)page << LAYOUT_PAGE_SHIFT;
	}
	return 0;
}

static uintptr_t find_down(const struct memory *memory, size_t count)
{
	size_t end = page_of(memory->end), bottom = page_of(page_up(memory->brk)), page = end;

	while (page - bottom >= count) {
		size_t run = 0;

		while (run < count && !is_used(memory, page - 1 - run))
			run++;
		if (run == count)
			return (uintptr_t)(page - count) << LAYOUT_PAGE_SHIFT;
		page -= run + 1;
	}
	return 0;
}

/* Free pages below memory->end count towards what must be grown. */
static size_t free_at_end(const struct memory *memory)
{
	size_t end = page_of(memory->end), bottom = page_of(page_up(memory->brk)), run = 0;

	while (end - run > bottom && !is_used(memory, end - 1 - run))
		run++;
	return run;
}

static uintptr_t take(struct memory *memory, uintptr_t address, size_t count)
{
	set_used(memory, page_of(address), count, true);
	return address;
}

uintptr_t memory_map_top(struct memory *memory, size_t size)
{
	size_t count = page_of(page_up(size)), at_end;
	uintptr_t address;

	if (!count || count > MEMORY_PAGES)
		return 0;
	address = find_down(memory, count);
	if (!address) {
		at_end = free_at_end(memory);
		if (count > at_end && grow(memory, count - at_end))
			address = find_down(memory, count);
	}
	return address ? take(memory, address, count) : 0;
}

uintptr_t memory_map(struct memory *memory, size_t size)
{
	size_t count = page_of(page_up(size));
	uintptr_t address;

	if (!count || count > MEMORY_PAGES)
		return 0;
	address = find_up(memory, LAYOUT_LOW_HEAP, LAYOUT_LOW_HEAP_END, count);
	address = address ? take(memory, address, count) : memory_map_top(memory, size);
	if (address)
		memory->ops->clear(memory, address, count * PAGE);
	return address;
}

uintptr_t memory_brk(struct memory *memory, uintptr_t wanted)
{
	uintptr_t old = page_up(memory->brk), end;
	size_t next;

	if (wanted < memory->brk_start || wanted > LAYOUT_RAM_END)
		return memory->brk;
	end = page_up(wanted);
	if (end > old) {
		if (end > memory->end && !grow(memory, page_of(end - memory->end)))
			return memory->brk;
		if (!is_free(memory, page_of(old), page_of(end - old), &next))
			return memory->brk;
		take(memory, old, page_of(end - old));
		memory->ops->clear(memory, old, end - old);
	} else {
		set_used(memory, page_of(end), page_of(old - end), false);
	}
	return memory->brk = wanted;
}

int memory_unmap(struct memory *memory, uintptr_t address, size_t size)
{
	uintptr_t brk_end = page_up(memory->brk);

	if (address % PAGE || !size || address < LAYOUT_LOW_HEAP || address >= memory->end ||
	    size > memory->end - address)
		return -EINVAL;
	size = page_up(size);
	/* The image and the heap are not for this call. */
	if (address < brk_end && address + size > LAYOUT_LOW_HEAP_END)
		return -EINVAL;
	set_used(memory, page_of(address), page_of(size), false);
	return 0;
}

size_t memory_missing(const struct memory *memory, size_t size)
{
	size_t there = (free_at_end(memory) << LAYOUT_PAGE_SHIFT) + (memory->limit - memory->end);

	size = page_up(size);
	return size > there ? size - there : 0;
}

size_t memory_shrink(struct memory *memory)
{
	size_t count = free_at_end(memory), most;

	if (memory->end <= memory->initial)
		return 0;
	most = page_of(memory->end - memory->initial);
	if (count > most)
		count = most;
	if (!count || memory->ops->depopulate(memory, memory->end - count * PAGE, count))
		return 0;
	memory->end -= count * PAGE;
	return count;
}

size_t memory_available(const struct memory *memory)
{
	size_t populated = page_of(memory->end), used = memory->used;

	return populated - (used < populated ? used : populated) +
	       page_of(memory->limit - memory->end);
}
