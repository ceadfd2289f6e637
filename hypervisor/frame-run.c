/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A chunk is a tree of two levels: an array of leaves, sorted, and in each leaf an
 * array of runs. 262,144 frames are the most that a chunk has, so that even when each
 * is a run of its own the upper array stays small enough to be moved in memory.
 *
 * A chunk of one run has no leaf at all.
 */
#include "hypervisor/frame-run.h"

#include <stddef.h>
#include <string.h>

#include "hypervisor/xen-errno.h"

static uint32_t run_end(const struct hv_chunk *chunk, uint32_t leaf, uint32_t index)
{
	const struct hv_leaf *at = chunk->leaves[leaf].leaf;

	if (index + 1 < at->count)
		return at->runs[index + 1].first;
	return leaf + 1 < chunk->leaf_count ? chunk->leaves[leaf + 1].first : HV_CHUNK_FRAMES;
}

static struct hv_run_place place_at(struct hv_chunk *chunk, uint32_t leaf, uint32_t index)
{
	struct hv_run_place place = {.leaf = leaf, .index = index};

	if (!chunk->leaves) {
		place.run = &chunk->only;
		place.end = HV_CHUNK_FRAMES;
	} else {
		place.run = &chunk->leaves[leaf].leaf->runs[index];
		place.end = run_end(chunk, leaf, index);
	}
	return place;
}

struct hv_run_place hv_run_find(struct hv_chunk *chunk, uint32_t frame)
{
	const struct hv_leaf *leaf;
	uint32_t low = 0, high = chunk->leaf_count, index, count;

	if (!chunk->leaves)
		return place_at(chunk, 0, 0);
	/* The last leaf, and in it the last run, that does not begin behind the frame. */
	while (high - low > 1) {
		uint32_t middle = (low + high) / 2;

		if (chunk->leaves[middle].first <= frame)
			low = middle;
		else
			high = middle;
	}
	leaf = chunk->leaves[low].leaf;
	for (index = 0, count = leaf->count; count > 1;) {
		uint32_t half = count / 2;

		if (leaf->runs[index + half].first <= frame)
			index += half;
		count -= half;
	}
	return place_at(chunk, low, index);
}

struct hv_run_place hv_run_next(struct hv_chunk *chunk, const struct hv_run_place *place)
{
	if (place->index + 1 < chunk->leaves[place->leaf].leaf->count)
		return place_at(chunk, place->leaf, place->index + 1);
	return place_at(chunk, place->leaf + 1, 0);
}

/* See to it that there is a leaf, and room for another one in the array of leaves. */
static int make_leaves(const struct hv_allocator *allocator, struct hv_chunk *chunk)
{
	void *leaves = chunk->leaves;
	struct hv_leaf *leaf;
	int error;

	if (chunk->leaves)
		return 0;
	leaf = hv_allocate(allocator, sizeof(*leaf));
	if (!leaf)
		return -XEN_ENOMEM;
	error = hv_grow(allocator, &leaves, sizeof(*chunk->leaves), &chunk->leaf_capacity, 1,
			HV_CHUNK_FRAMES);
	if (error) {
		hv_release(allocator, leaf, sizeof(*leaf));
		return error;
	}
	leaf->count = 1;
	leaf->runs[0] = chunk->only;
	chunk->leaves = leaves;
	chunk->leaves[0] = (struct hv_leaf_slot){.first = 0, .leaf = leaf};
	chunk->leaf_count = 1;
	return 0;
}

/*
 * Divide a full leaf in two, because of its run number @at. Memory is often given away in ascending
 * order, so that it is the last one: then the others stay together.
 */
static int divide_leaf(const struct hv_allocator *allocator, struct hv_chunk *chunk, uint32_t index,
		       uint32_t at)
{
	void *leaves = chunk->leaves;
	struct hv_leaf *leaf = chunk->leaves[index].leaf, *upper;
	const uint32_t keep = at + 1 == leaf->count ? at : leaf->count / 2;
	int error;

	error = hv_grow(allocator, &leaves, sizeof(*chunk->leaves), &chunk->leaf_capacity,
			chunk->leaf_count + 1, HV_CHUNK_FRAMES);
	if (error)
		return error;
	chunk->leaves = leaves;
	upper = hv_allocate(allocator, sizeof(*upper));
	if (!upper)
		return -XEN_ENOMEM;
	upper->count = leaf->count - keep;
	memcpy(upper->runs, leaf->runs + keep, upper->count * sizeof(*upper->runs));
	leaf->count = keep;
	memmove(chunk->leaves + index + 2, chunk->leaves + index + 1,
		(chunk->leaf_count - index - 1) * sizeof(*chunk->leaves));
	chunk->leaves[index + 1] = (struct hv_leaf_slot){.first = upper->runs[0].first,
							 .leaf = upper};
	chunk->leaf_count++;
	return 0;
}

int hv_run_split(const struct hv_allocator *allocator, struct hv_chunk *chunk, uint32_t frame)
{
	struct hv_run_place place;
	struct hv_leaf *leaf;
	int error;

	if (frame == HV_CHUNK_FRAMES)
		return 0;
	place = hv_run_find(chunk, frame);
	if (place.run->first == frame)
		return 0;
	error = make_leaves(allocator, chunk);
	if (error)
		return error;
	if (chunk->leaves[place.leaf].leaf->count == HV_LEAF_RUNS) {
		error = divide_leaf(allocator, chunk, place.leaf, place.index);
		if (error)
			return error;
	}
	place = hv_run_find(chunk, frame);
	leaf = chunk->leaves[place.leaf].leaf;
	memmove(leaf->runs + place.index + 1, leaf->runs + place.index,
		(leaf->count - place.index) * sizeof(*leaf->runs));
	leaf->runs[place.index + 1].first = frame;
	leaf->count++;
	return 0;
}

/* Take a leaf that has become empty out of the array; @count of them. */
static void drop_leaves(const struct hv_allocator *allocator, struct hv_chunk *chunk,
			uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++)
		hv_release(allocator, chunk->leaves[i].leaf, sizeof(struct hv_leaf));
	memmove(chunk->leaves + first, chunk->leaves + first + count,
		(chunk->leaf_count - first - count) * sizeof(*chunk->leaves));
	chunk->leaf_count -= count;
}

/* Forget the beginnings of all runs in (@first, @end): they belong to the one at @first. */
static void erase(const struct hv_allocator *allocator, struct hv_chunk *chunk, uint32_t first,
		  uint32_t end)
{
	struct hv_run_place place = hv_run_find(chunk, first);
	uint32_t leaf = place.leaf, index = place.index + 1, empty = 0;

	if (!chunk->leaves)
		return;
	for (; leaf < chunk->leaf_count; leaf++, index = 0) {
		struct hv_leaf *at = chunk->leaves[leaf].leaf;
		uint32_t behind = index;

		while (behind < at->count && at->runs[behind].first < end)
			behind++;
		memmove(at->runs + index, at->runs + behind,
			(at->count - behind) * sizeof(*at->runs));
		at->count -= behind - index;
		if (at->count) {
			chunk->leaves[leaf].first = at->runs[0].first;
			if (index < at->count)
				break;
		} else {
			empty++;
		}
	}
	/* Empty ones stand behind the leaf in which this began, one behind the other. */
	if (empty)
		drop_leaves(allocator, chunk, place.leaf + 1, empty);
}

/* A referenced frame stays alone, so that counting its references never needs memory. */
static bool agree(const struct hv_run *a, const struct hv_run *b)
{
	return a->owner == b->owner && a->type == b->type && !a->references && !b->references;
}

/* One leaf with one run is none. */
static void simplify(const struct hv_allocator *allocator, struct hv_chunk *chunk)
{
	if (chunk->leaf_count != 1 || chunk->leaves[0].leaf->count != 1)
		return;
	chunk->only = chunk->leaves[0].leaf->runs[0];
	hv_chunk_deinit(allocator, chunk);
}

void hv_run_merge(const struct hv_allocator *allocator, struct hv_chunk *chunk, uint32_t frame)
{
	struct hv_run_place at, before;

	if (frame == 0 || frame == HV_CHUNK_FRAMES)
		return;
	at = hv_run_find(chunk, frame);
	before = hv_run_find(chunk, frame - 1);
	if (at.run->first == frame && agree(before.run, at.run))
		erase(allocator, chunk, before.run->first, frame + 1);
	simplify(allocator, chunk);
}

void hv_run_fill(const struct hv_allocator *allocator, struct hv_chunk *chunk, uint32_t first,
		 uint32_t end, const struct hv_run *run)
{
	struct hv_run_place place;

	erase(allocator, chunk, first, end);
	place = hv_run_find(chunk, first);
	*place.run = *run;
	place.run->first = first;
	hv_run_merge(allocator, chunk, end);
	hv_run_merge(allocator, chunk, first);
	simplify(allocator, chunk);
}

bool hv_run_carve(struct hv_chunk *chunk, const struct hv_run_place *place, uint32_t first,
		  uint32_t end, const struct hv_run *run)
{
	struct hv_leaf *leaf = chunk->leaves ? chunk->leaves[place->leaf].leaf : NULL;
	const uint32_t at = place->index;
	struct hv_run pieces[3];
	uint32_t count = 0, gone = 1;
	bool below, above;

	if (!leaf || leaf->count + 2 > HV_LEAF_RUNS)
		return false;
	if (agree(place->run, run))
		return true;
	/* Neighbours that it touches have to be in the same leaf. */
	if ((place->run->first == first && at == 0) || (place->end == end && at + 1 >= leaf->count))
		return false;
	below = place->run->first == first && agree(&leaf->runs[at - 1], run);
	above = place->end == end && agree(&leaf->runs[at + 1], run);
	if (below && above && leaf->count < 4)
		return false; /* it might be the last run of all */
	if (place->run->first < first)
		pieces[count++] = *place->run;
	if (!below && !above) {
		pieces[count] = *run;
		pieces[count++].first = first;
	}
	if (end < place->end) {
		pieces[count] = *place->run;
		pieces[count++].first = end;
	}
	if (above && below)
		gone = 2;
	else if (above)
		leaf->runs[at + 1].first = first;
	memmove(leaf->runs + at + count, leaf->runs + at + gone,
		(leaf->count - at - gone) * sizeof(*leaf->runs));
	memcpy(leaf->runs + at, pieces, count * sizeof(*pieces));
	leaf->count = leaf->count + count - gone;
	return true;
}

void hv_chunk_deinit(const struct hv_allocator *allocator, struct hv_chunk *chunk)
{
	for (uint32_t i = 0; i < chunk->leaf_count; i++)
		hv_release(allocator, chunk->leaves[i].leaf, sizeof(struct hv_leaf));
	hv_release(allocator, chunk->leaves, chunk->leaf_capacity * sizeof(*chunk->leaves));
	chunk->leaves = NULL;
	chunk->leaf_count = chunk->leaf_capacity = 0;
}
