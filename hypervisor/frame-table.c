/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame table: operations on frames of any number of chunks. Each locks its
 * chunks in ascending order, looks whether all frames may be changed, and sees to it
 * that runs begin and end where they must. Only this takes memory, and only in the
 * first and the last chunk; the change itself cannot fail.
 */
#include "hypervisor/frame-table.h"

#include <string.h>

#include "hypervisor/domain.h"
#include "hypervisor/frame-run.h"
#include "hypervisor/xen-errno.h"

static const char *const type_names[HV_FRAME_TYPES] = {
	"absent", "bad",   "free",	  "bootmem",	 "image",	 "xen",
	"kexec",  "ram",   "shared-info", "grant-table", "grant-status", "event-array",
	"p2m",	  "iommu", "ioreq",	  "m2p",	 "stream",
};

const char *hv_frame_type_name(unsigned int type)
{
	return type < HV_FRAME_TYPES ? type_names[type] : "?";
}

int hv_frame_table_init(struct hv_frame_table *table, const struct hv_allocator *allocator,
			uint64_t frames)
{
	memset(table, 0, sizeof(*table));
	if (!frames || frames > HV_MAX_FRAMES)
		return -XEN_EINVAL;
	table->allocator = allocator;
	table->frames = frames;
	table->chunk_count = (frames + HV_CHUNK_FRAMES - 1) >> HV_CHUNK_SHIFT;
	table->chunks = hv_allocate(allocator, table->chunk_count * sizeof(*table->chunks));
	if (!table->chunks)
		return -XEN_ENOMEM;
	for (uint64_t i = 0; i < table->chunk_count; i++)
		table->chunks[i].only.owner = HV_DOMID_INVALID;
	return 0;
}

void hv_frame_table_deinit(struct hv_frame_table *table)
{
	for (uint64_t i = 0; table->chunks && i < table->chunk_count; i++)
		hv_chunk_deinit(table->allocator, &table->chunks[i]);
	if (table->chunks)
		hv_release(table->allocator, table->chunks,
			   table->chunk_count * sizeof(*table->chunks));
	memset(table, 0, sizeof(*table));
}

static bool in_table(const struct hv_frame_table *table, uint64_t first, uint64_t count)
{
	return count && first < table->frames && count <= table->frames - first;
}

/* What may be done to frames: the runs that it may be done to, and what they become. */
struct change {
	bool any; /* whatever they are */
	uint8_t from;
	uint16_t from_owner;
	struct hv_run to;
};

static bool may_change(const struct change *change, const struct hv_run *run)
{
	if (run->references)
		return false;
	return change->any || (run->type == change->from && run->owner == change->from_owner);
}

/* How many frames of [@first, @end) are free. */
static uint32_t count_free(struct hv_chunk *chunk, uint32_t first, uint32_t end)
{
	struct hv_run_place place = hv_run_find(chunk, first);
	uint32_t count = 0;

	for (;;) {
		uint32_t from = place.run->first > first ? place.run->first : first;

		if (place.run->type == HV_FRAME_FREE)
			count += (place.end < end ? place.end : end) - from;
		if (place.end >= end)
			return count;
		place = hv_run_next(chunk, &place);
	}
}

/* Frames of one chunk. */
struct part {
	struct hv_chunk *chunk;
	uint32_t first, end;
};

/* The part of [@first, @end) that begins at @first. */
static struct part part_of(struct hv_frame_table *table, uint64_t first, uint64_t end)
{
	struct part part = {
		.chunk = &table->chunks[first >> HV_CHUNK_SHIFT],
		.first = first & (HV_CHUNK_FRAMES - 1),
		.end = HV_CHUNK_FRAMES,
	};

	if (end - first < part.end - part.first)
		part.end = part.first + (uint32_t)(end - first);
	return part;
}

static bool part_may_change(const struct part *part, const struct change *change)
{
	struct hv_run_place place = hv_run_find(part->chunk, part->first);

	while (may_change(change, place.run)) {
		if (place.end >= part->end)
			return true;
		place = hv_run_next(part->chunk, &place);
	}
	return false;
}

/* Lock the chunks of [@first, @end) as far as all may be changed; returns where that ends. */
static uint64_t lock_changeable(struct hv_frame_table *table, uint64_t first, uint64_t end,
				const struct change *change)
{
	while (first < end) {
		struct part part = part_of(table, first, end);

		hv_spin_lock(&part.chunk->lock);
		if (!part_may_change(&part, change)) {
			hv_spin_unlock(&part.chunk->lock);
			break;
		}
		first += part.end - part.first;
	}
	return first;
}

static void unlock(struct hv_frame_table *table, uint64_t first, uint64_t end)
{
	while (first < end) {
		struct part part = part_of(table, first, end);

		hv_spin_unlock(&part.chunk->lock);
		first += part.end - part.first;
	}
}

/* Let runs begin at @first and end at @end. */
static int split_borders(struct hv_frame_table *table, uint64_t first, uint64_t end)
{
	struct hv_chunk *lowest = &table->chunks[first >> HV_CHUNK_SHIFT];
	struct hv_chunk *highest = &table->chunks[(end - 1) >> HV_CHUNK_SHIFT];
	const uint32_t from = first & (HV_CHUNK_FRAMES - 1);
	const uint32_t to = (uint32_t)((end - 1) & (HV_CHUNK_FRAMES - 1)) + 1;
	int error = hv_run_split(table->allocator, lowest, from);

	if (error)
		return error;
	error = hv_run_split(table->allocator, highest, to);
	if (error)
		hv_run_merge(table->allocator, lowest, from);
	return error;
}

static void change_part(struct hv_frame_table *table, const struct part *part,
			const struct hv_run *to)
{
	struct hv_chunk *chunk = part->chunk;

	chunk->free -= count_free(chunk, part->first, part->end);
	hv_run_fill(table->allocator, chunk, part->first, part->end, to);
	if (to->type == HV_FRAME_FREE)
		chunk->free += part->end - part->first;
}

/* A part of one run, in the middle of others: most changes are like that. */
static bool change_simply(struct hv_frame_table *table, uint64_t first, uint64_t end,
			  const struct change *change)
{
	const struct part part = part_of(table, first, end);
	struct hv_run_place place;
	uint8_t type;
	bool done;

	if (part.end - part.first != end - first)
		return false;
	hv_spin_lock(&part.chunk->lock);
	place = hv_run_find(part.chunk, part.first);
	type = place.run->type;
	done = place.end >= part.end && may_change(change, place.run) &&
	       hv_run_carve(part.chunk, &place, part.first, part.end, &change->to);
	if (done && type == HV_FRAME_FREE)
		part.chunk->free -= part.end - part.first;
	if (done && change->to.type == HV_FRAME_FREE)
		part.chunk->free += part.end - part.first;
	hv_spin_unlock(&part.chunk->lock);
	return done;
}

static int change_frames(struct hv_frame_table *table, uint64_t first, uint64_t count,
			 const struct change *change)
{
	const uint64_t end = first + count;
	uint64_t locked;
	int error;

	if (change_simply(table, first, end, change))
		return 0;
	locked = lock_changeable(table, first, end, change);
	error = locked == end ? split_borders(table, first, end) : -XEN_EBUSY;
	for (uint64_t at = first; !error && at < end;) {
		struct part part = part_of(table, at, end);

		change_part(table, &part, &change->to);
		at += part.end - part.first;
	}
	unlock(table, first, locked);
	return error;
}

int hv_frames_set(struct hv_frame_table *table, uint64_t first, uint64_t count, uint16_t owner,
		  enum hv_frame_type type)
{
	struct change change = {.any = true, .to = {.owner = owner, .type = (uint8_t)type}};

	if (!in_table(table, first, count) || type >= HV_FRAME_TYPES)
		return -XEN_EINVAL;
	return change_frames(table, first, count, &change);
}

/* Does anybody own frames of this type? */
static bool is_owned(enum hv_frame_type type)
{
	return type > HV_FRAME_BOOTMEM;
}

int hv_frames_change(struct hv_frame_table *table, uint64_t first, uint64_t count, uint16_t owner,
		     enum hv_frame_type from, enum hv_frame_type to)
{
	struct change change = {
		.from = (uint8_t)from,
		.from_owner = is_owned(from) ? owner : HV_DOMID_INVALID,
		.to = {.owner = is_owned(to) ? owner : HV_DOMID_INVALID, .type = (uint8_t)to},
	};

	if (!in_table(table, first, count) || from >= HV_FRAME_TYPES || to >= HV_FRAME_TYPES)
		return -XEN_EINVAL;
	return change_frames(table, first, count, &change);
}

/* Put another count of references to one frame of the run at @place. */
static int set_references(struct hv_frame_table *table, uint64_t frame,
			  const struct hv_run_place *place, uint32_t references)
{
	struct hv_chunk *chunk = &table->chunks[frame >> HV_CHUNK_SHIFT];
	const uint32_t at = frame & (HV_CHUNK_FRAMES - 1);
	struct hv_run run = *place->run;
	int error;

	run.references = references;
	if (hv_run_carve(chunk, place, at, at + 1, &run))
		return 0;
	error = split_borders(table, frame, frame + 1);
	if (!error)
		hv_run_fill(table->allocator, chunk, at, at + 1, &run);
	return error;
}

int hv_frame_reference(struct hv_frame_table *table, uint64_t frame, uint16_t owner)
{
	struct hv_run_place place;
	struct hv_chunk *chunk;
	struct hv_run *run;
	int error = 0;

	if (!in_table(table, frame, 1))
		return -XEN_EINVAL;
	chunk = &table->chunks[frame >> HV_CHUNK_SHIFT];
	hv_spin_lock(&chunk->lock);
	place = hv_run_find(chunk, frame & (HV_CHUNK_FRAMES - 1));
	run = place.run;
	if (run->owner != owner || !hv_frame_survives(run->type))
		error = -XEN_EBUSY;
	else if (run->references == UINT32_MAX)
		error = -XEN_EUSERS;
	else if (run->references)
		run->references++;
	else
		error = set_references(table, frame, &place, 1);
	hv_spin_unlock(&chunk->lock);
	return error;
}

int hv_frame_unreference(struct hv_frame_table *table, uint64_t frame)
{
	struct hv_run_place place;
	struct hv_chunk *chunk;
	struct hv_run *run;
	int error = 0;

	if (!in_table(table, frame, 1))
		return -XEN_EINVAL;
	chunk = &table->chunks[frame >> HV_CHUNK_SHIFT];
	hv_spin_lock(&chunk->lock);
	place = hv_run_find(chunk, frame & (HV_CHUNK_FRAMES - 1));
	run = place.run;
	if (!run->references)
		error = -XEN_EINVAL;
	else if (run->references > 1)
		run->references--;
	else /* It stands alone already: nothing is split, only merged. */
		error = set_references(table, frame, &place, 0);
	hv_spin_unlock(&chunk->lock);
	return error;
}

bool hv_frames_find(struct hv_frame_table *table, uint64_t frame, struct hv_frames *frames)
{
	struct hv_run_place place;
	struct hv_chunk *chunk;
	uint64_t base;

	if (!in_table(table, frame, 1))
		return false;
	chunk = &table->chunks[frame >> HV_CHUNK_SHIFT];
	base = frame & ~(uint64_t)(HV_CHUNK_FRAMES - 1);
	hv_spin_lock(&chunk->lock);
	place = hv_run_find(chunk, (uint32_t)(frame - base));
	*frames = (struct hv_frames){
		.first = base + place.run->first,
		.count = place.end - place.run->first,
		.references = place.run->references,
		.owner = place.run->owner,
		.type = place.run->type,
	};
	hv_spin_unlock(&chunk->lock);
	/* The last chunk may be longer than the machine. */
	if (frames->count > table->frames - frames->first)
		frames->count = table->frames - frames->first;
	return true;
}

bool hv_frames_walk(struct hv_frame_table *table, uint64_t *position, struct hv_frames *frames)
{
	if (!hv_frames_find(table, *position, frames))
		return false;
	frames->count -= *position - frames->first;
	frames->first = *position;
	*position += frames->count;
	return true;
}

uint64_t hv_frame_table_bytes(struct hv_frame_table *table)
{
	uint64_t bytes = table->chunk_count * sizeof(*table->chunks);

	for (uint64_t i = 0; i < table->chunk_count; i++)
		bytes += table->chunks[i].leaf_capacity * sizeof(struct hv_leaf_slot) +
			 table->chunks[i].leaf_count * sizeof(struct hv_leaf);
	return bytes;
}
