/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The heap: next fit over the frame table. Chunks without free frames are passed over
 * at once, so a search costs the fragments of one chunk in the usual case.
 */
#include "hypervisor/heap.h"

#include "hypervisor/xen-errno.h"

void hv_heap_init(struct hv_heap *heap, struct hv_frame_table *table,
		  const struct hv_bootmem *bootmem)
{
	*heap = (struct hv_heap){.table = table, .bootmem = bootmem};
}

void hv_heap_scatter(struct hv_heap *heap, uint64_t frames, uint64_t seed)
{
	heap->scatter = frames;
	heap->random = seed;
}

static uint64_t random_below(struct hv_heap *heap, uint64_t limit)
{
	uint64_t bits;

	heap->random = heap->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	bits = heap->random ^ heap->random >> 29;
	return bits % limit;
}

/* The first free frames in [@from, @end), if there are any. */
static bool find_free(struct hv_heap *heap, enum hv_frame_type type, uint64_t from, uint64_t end,
		      struct hv_frames *found)
{
	struct hv_frame_table *table = heap->table;

	while (from < end) {
		const struct hv_chunk *chunk = &table->chunks[from >> HV_CHUNK_SHIFT];

		if (type == HV_FRAME_FREE && !chunk->free) {
			from = (from | (HV_CHUNK_FRAMES - 1)) + 1;
			continue;
		}
		if (!hv_frames_walk(table, &from, found))
			return false;
		if (found->type != type)
			continue;
		if (found->first + found->count > end)
			found->count = end - found->first;
		return true;
	}
	return false;
}

static bool is_allocated_type(enum hv_frame_type type)
{
	return type >= HV_FRAME_XEN && type < HV_FRAME_TYPES;
}

/* The number of frames that were taken from @found, 0 if somebody or a lack of memory got in the
 * way. */
static int64_t take(struct hv_heap *heap, const struct hv_frames *found, uint64_t wanted,
		    uint16_t owner, enum hv_frame_type type)
{
	const uint64_t count = found->count < wanted ? found->count : wanted;

	if (hv_frames_change(heap->table, found->first, count, owner, found->type, type))
		return 0;
	return (int64_t)count;
}

/* The parts of boot memory: regions, and behind them the image, whose part for the boot is free. */
static bool bootmem_part(const struct hv_heap *heap, uint32_t index, struct hv_frame_span *part)
{
	const struct hv_bootmem *bootmem = heap->bootmem;

	if (!bootmem || index > bootmem->region_count)
		return false;
	*part = index < bootmem->region_count ? bootmem->regions[index] : bootmem->image;
	return true;
}

static int64_t allocate_bootmem(struct hv_heap *heap, uint64_t wanted, uint16_t owner,
				enum hv_frame_type type, struct hv_frames *found)
{
	struct hv_frame_span part;
	int64_t got = 0;

	for (uint32_t i = 0; !got && bootmem_part(heap, i, &part); i++) {
		if (find_free(heap, HV_FRAME_BOOTMEM, part.first, part.first + part.count, found))
			got = take(heap, found, wanted, owner, type);
	}
	return got;
}

static int64_t allocate_anywhere(struct hv_heap *heap, uint64_t wanted, uint16_t owner,
				 enum hv_frame_type type, struct hv_frames *found)
{
	const uint64_t frames = heap->table->frames;
	int64_t got;

	if (heap->scatter) {
		heap->next = random_below(heap, frames);
		if (wanted > heap->scatter)
			wanted = heap->scatter;
	}
	if (!find_free(heap, HV_FRAME_FREE, heap->next, frames, found) &&
	    !find_free(heap, HV_FRAME_FREE, 0, frames, found))
		return 0;
	got = take(heap, found, wanted, owner, type);
	heap->next = found->first + (uint64_t)got;
	if (heap->next == frames)
		heap->next = 0;
	return got;
}

int64_t hv_heap_allocate(struct hv_heap *heap, uint64_t wanted, uint16_t owner,
			 enum hv_frame_type type, uint64_t *first)
{
	struct hv_frames found = {0};
	int64_t got = 0;

	if (!wanted || !is_allocated_type(type))
		return -XEN_EINVAL;
	hv_spin_lock(&heap->lock);
	if (hv_frame_in_bootmem(type))
		got = allocate_bootmem(heap, wanted, owner, type, &found);
	if (!got && !heap->bootmem_only)
		got = allocate_anywhere(heap, wanted, owner, type, &found);
	hv_spin_unlock(&heap->lock);
	*first = found.first;
	return got;
}

/* A place for @count contiguous frames in [@from, @end), or HV_NO_FRAME. */
static uint64_t find_contiguous(struct hv_heap *heap, enum hv_frame_type type, uint64_t from,
				uint64_t end, uint64_t count, uint64_t align)
{
	uint64_t start = 0, behind = 0; /* what was found so far, without a gap */
	struct hv_frames found;

	while (find_free(heap, type, from, end, &found)) {
		if (found.first != behind || behind == 0)
			start = (found.first + align - 1) & ~(align - 1);
		behind = from = found.first + found.count;
		if (behind >= count && start <= behind - count)
			return start;
	}
	return HV_NO_FRAME;
}

int hv_heap_allocate_contiguous(struct hv_heap *heap, uint64_t count, uint64_t align,
				uint16_t owner, enum hv_frame_type type, uint64_t *first)
{
	enum hv_frame_type from = HV_FRAME_BOOTMEM;
	struct hv_frame_span part;
	uint64_t found = HV_NO_FRAME;
	int error = -XEN_ENOMEM;

	if (!count || count > HV_MAX_FRAMES || !align || align & (align - 1) ||
	    !is_allocated_type(type))
		return -XEN_EINVAL;
	hv_spin_lock(&heap->lock);
	for (uint32_t i = 0;
	     found == HV_NO_FRAME && hv_frame_in_bootmem(type) && bootmem_part(heap, i, &part); i++)
		found = find_contiguous(heap, from, part.first, part.first + part.count, count,
					align);
	if (found == HV_NO_FRAME && !heap->bootmem_only) {
		from = HV_FRAME_FREE;
		found = find_contiguous(heap, from, heap->contiguous, heap->table->frames, count,
					align);
		if (found == HV_NO_FRAME)
			found = find_contiguous(heap, from, 0, heap->table->frames, count, align);
		heap->contiguous = found == HV_NO_FRAME ? 0 : found + count;
	}
	if (found != HV_NO_FRAME)
		error = hv_frames_change(heap->table, found, count, owner, from, type);
	hv_spin_unlock(&heap->lock);
	*first = found;
	return error;
}

int hv_heap_free(struct hv_heap *heap, uint64_t first, uint64_t count, uint16_t owner,
		 enum hv_frame_type type)
{
	const bool bootmem = heap->bootmem && hv_bootmem_contains(heap->bootmem, first);

	return hv_frames_change(heap->table, first, count, owner, type,
				bootmem ? HV_FRAME_BOOTMEM : HV_FRAME_FREE);
}
