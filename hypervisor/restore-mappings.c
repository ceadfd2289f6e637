/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mappings, by grant and foreign. Each holds the domain whose frame it maps, and
 * counts at the grant's entry; these counts begin at 0 and are only ever added up,
 * to be compared with what the stream says.
 *
 * If the domain whose frame is mapped has failed, whoever maps it is not to blame.
 * The mapping stays, as one that no grant stands for, and the frame goes to the
 * domain in the end (hv_restore_adopt()), so that nobody else gets it.
 */
#include "hypervisor/restore-internal.h"

#include <string.h>

static const char wrong[] = "a mapping is wrong";

/* The grant that a mapping is made by, if it can be that. */
static struct hv_grant *granted(struct hv_domain *from, const struct hv_restore_domain *work,
				const struct hv_stream_mapping *mapping)
{
	struct hv_grant *entry;

	if (mapping->ref >= from->grants.capacity)
		return NULL;
	entry = &from->grants.entries[mapping->ref];
	if (entry->to != work->domid || entry->frame != mapping->frame ||
	    (entry->readonly && !(mapping->flags & HV_STREAM_READONLY)))
		return NULL;
	return entry;
}

/* One mapping, whose handle is free; nothing is made when it is wrong. */
static const char *map(struct hv_restore *restore, struct hv_restore_domain *work,
		       const struct hv_stream_mapping *mapping, bool foreign)
{
	struct hv_mapping *slot = &work->domain->mappings.mappings[mapping->handle];
	struct hv_restore_domain *from = hv_restore_find(restore, mapping->from);
	struct hv_memory *memory = restore->hv->memory;
	struct hv_grant *entry = NULL;
	int error = 0;

	if (!from)
		return "it maps memory of a domain that does not exist";
	if (hv_restore_failed(from, HV_PASS_SHARE)) {
		foreign = true;
		memory = NULL;
		__atomic_store_n(&work->orphans, true, __ATOMIC_RELAXED);
	}
	if (!foreign) {
		entry = granted(from->domain, work, mapping);
		if (!entry)
			return "it maps what was not granted";
	}
	if (memory)
		error = hv_frame_reference(&memory->table, mapping->frame, from->domid);
	if (error == -XEN_ENOMEM)
		return hv_restore_no_memory(restore);
	if (error)
		return "it maps a frame that is not its owner's";
	if (entry)
		__atomic_fetch_add(&entry->mappings, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&from->domain->refs, 1, __ATOMIC_RELAXED);
	slot->frame = mapping->frame;
	slot->ref = foreign ? 0 : mapping->ref;
	slot->from = from->domid;
	slot->used = true;
	slot->foreign = foreign;
	slot->readonly = mapping->flags & HV_STREAM_READONLY;
	return NULL;
}

/* Those of a record from number @first up to @end. */
static const char *map_some(struct hv_restore *restore, struct hv_restore_domain *work,
			    enum hv_record_type type, uint64_t first, uint64_t end)
{
	const struct hv_stream_mapping *mappings = hv_restore_record(work, type)->data;
	const struct hv_mapping_table *table = &work->domain->mappings;
	const bool foreign = type == HV_RECORD_FOREIGN;

	for (uint64_t i = first; i < end; i++) {
		const char *reason = wrong;

		if (mappings[i].handle < table->high &&
		    (!i || mappings[i].handle > mappings[i - 1].handle) &&
		    !table->mappings[mappings[i].handle].used &&
		    !(mappings[i].flags & ~HV_STREAM_READONLY) && !(foreign && mappings[i].ref))
			reason = map(restore, work, &mappings[i], foreign);
		if (reason)
			return reason;
	}
	return NULL;
}

/* The handle behind the last one of a record whose handles ascend; 0 if there are none. */
static uint64_t end_of(const struct hv_read_record *record)
{
	const struct hv_stream_mapping *mappings = record->data;

	return record->count ? mappings[record->count - 1].handle + UINT64_C(1) : 0;
}

/* Chain the handles that are not used, lowest first. */
static void chain_free(struct hv_mapping_table *table)
{
	for (uint32_t handle = table->high; handle-- > 0;) {
		if (table->mappings[handle].used)
			continue;
		table->mappings[handle].ref = table->free;
		table->free = handle + 1;
	}
}

const char *hv_restore_room(struct hv_restore *restore, struct hv_restore_domain *work)
{
	const struct hv_read_record *by_grant = hv_restore_record(work, HV_RECORD_MAPPINGS);
	const struct hv_read_record *foreign = hv_restore_record(work, HV_RECORD_FOREIGN);
	struct hv_mapping_table *table = &work->domain->mappings;
	uint64_t end = end_of(by_grant);
	uint32_t number;

	if (end < end_of(foreign))
		end = end_of(foreign);
	if (!end)
		return NULL;
	if (end > table->limit)
		return wrong;
	table->mappings = hv_allocate(&restore->allocator, end * sizeof(*table->mappings));
	if (!table->mappings)
		return hv_restore_no_memory(restore);
	table->capacity = (uint32_t)end;
	table->high = (uint32_t)end;
	if (by_grant->count < HV_RESTORE_SHARED_FROM)
		return NULL;
	number = __atomic_fetch_add(&restore->large_count, 1, __ATOMIC_RELAXED);
	work->shared = number < HV_RESTORE_LARGE;
	if (work->shared)
		restore->large[number] = work;
	return NULL;
}

void hv_restore_share(struct hv_restore *restore, uint32_t index)
{
	for (uint32_t i = 0; i < restore->large_count && i < HV_RESTORE_LARGE; i++) {
		struct hv_restore_domain *work = restore->large[i];
		const uint64_t count = hv_restore_record(work, HV_RECORD_MAPPINGS)->count;
		const char *reason;
		uint64_t first, end;

		hv_restore_slice(restore, index, count, &first, &end);
		reason = map_some(restore, work, HV_RECORD_MAPPINGS, first, end);
		if (reason)
			__atomic_store_n(&work->shared_reason, reason, __ATOMIC_RELAXED);
	}
}

const char *hv_restore_mappings(struct hv_restore *restore, struct hv_restore_domain *work)
{
	const uint64_t by_grant = hv_restore_record(work, HV_RECORD_MAPPINGS)->count;
	const uint64_t foreign = hv_restore_record(work, HV_RECORD_FOREIGN)->count;
	const char *reason = work->shared_reason;

	if (!work->shared)
		reason = map_some(restore, work, HV_RECORD_MAPPINGS, 0, by_grant);
	if (!reason)
		reason = map_some(restore, work, HV_RECORD_FOREIGN, 0, foreign);
	if (reason)
		return reason;
	work->domain->mappings.count = (uint32_t)(by_grant + foreign);
	chain_free(&work->domain->mappings);
	return NULL;
}

void hv_restore_undo_mappings(struct hv_restore *restore, struct hv_restore_domain *work)
{
	struct hv_mapping_table *table = &work->domain->mappings;
	struct hv_memory *memory = restore->hv->memory;

	for (uint32_t handle = 0; handle < table->high; handle++) {
		const struct hv_mapping *mapping = &table->mappings[handle];
		struct hv_restore_domain *from;

		if (!mapping->used)
			continue;
		from = hv_restore_find(restore, mapping->from);
		if (!mapping->foreign)
			__atomic_fetch_sub(&from->domain->grants.entries[mapping->ref].mappings, 1,
					   __ATOMIC_RELAXED);
		if (memory && !hv_restore_failed(from, HV_PASS_SHARE))
			(void)hv_frame_unreference(&memory->table, mapping->frame);
		__atomic_fetch_sub(&from->domain->refs, 1, __ATOMIC_RELAXED);
	}
	hv_mapping_table_deinit(restore->hv, table);
	hv_mapping_table_init(table, table->limit);
}

/* A frame that @from, which failed, should own, and that is mapped. Returns 0 or the error. */
static int adopt(struct hv_restore *restore, struct hv_domain *from, uint64_t frame)
{
	struct hv_frame_table *table = &restore->hv->memory->table;
	int error = hv_frame_reference(table, frame, from->domid);

	if (error != -XEN_EBUSY)
		return error;
	error = hv_frames_change(table, frame, 1, from->domid, HV_FRAME_FREE, HV_FRAME_RAM);
	if (error)
		return error;
	error = hv_special_add(&restore->allocator, &from->special, frame, 1, HV_FRAME_RAM);
	if (error) {
		(void)hv_frames_change(table, frame, 1, from->domid, HV_FRAME_RAM, HV_FRAME_FREE);
		return error;
	}
	return hv_frame_reference(table, frame, from->domid);
}

const char *hv_restore_adopt(struct hv_restore *restore, struct hv_restore_domain *work)
{
	struct hv_mapping_table *table = &work->domain->mappings;
	const char *reason = NULL;

	for (uint32_t handle = 0; restore->hv->memory && handle < table->high; handle++) {
		struct hv_mapping *mapping = &table->mappings[handle];
		struct hv_restore_domain *from;
		int error;

		if (!mapping->used)
			continue;
		from = hv_restore_find(restore, mapping->from);
		if (!hv_restore_failed(from, HV_PASS_SHARE))
			continue;
		error = adopt(restore, from->domain, mapping->frame);
		if (!error)
			continue;
		if (error == -XEN_ENOMEM)
			(void)hv_restore_no_memory(restore);
		reason = "it maps a frame that belongs to somebody else";
		from->domain->refs--;
		memset(mapping, 0, sizeof(*mapping));
		mapping->ref = table->free;
		table->free = handle + 1;
		table->count--;
	}
	return reason;
}
