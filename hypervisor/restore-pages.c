/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pass PAGES: frames get their owner. The frame table decides who has a frame;
 * if two domains claim one, neither can be trusted with it, and both fail.
 */
#include "hypervisor/restore-internal.h"

#include <string.h>

/* Those who have frames between @first and its @count followers are not alone with them. */
static void contest(struct hv_restore *restore, const struct hv_restore_domain *work,
		    uint64_t first, uint64_t count)
{
	uint64_t position = first;
	struct hv_frames frames;

	while (position - first < count &&
	       hv_frames_walk(&restore->hv->memory->table, &position, &frames)) {
		struct hv_restore_domain *other = hv_restore_find(restore, frames.owner);

		if (other && other != work)
			__atomic_store_n(&other->contested, true, __ATOMIC_RELAXED);
	}
}

/* Returns whether the frames are the domain's now. */
static bool claim(struct hv_restore *restore, struct hv_restore_domain *work, uint64_t first,
		  uint64_t count, enum hv_frame_type type)
{
	int error = hv_frames_change(&restore->hv->memory->table, first, count, work->domid,
				     HV_FRAME_FREE, type);

	if (error == -XEN_ENOMEM)
		(void)hv_restore_no_memory(restore);
	else if (error)
		contest(restore, work, first, count);
	return !error;
}

/* Claim all frames, and forget those that are not to be had. */
static const char *claim_memory(struct hv_restore *restore, struct hv_restore_domain *work)
{
	struct hv_special_list *special = &work->domain->special;
	struct hv_p2m *p2m = &work->domain->p2m;
	uint32_t kept = 0, kept_special = 0;
	bool all = true;

	if (!restore->hv->memory)
		return NULL;
	for (uint32_t i = 0; i < p2m->count; i++) {
		if (claim(restore, work, p2m->extents[i].mfn, p2m->extents[i].count,
			  HV_FRAME_RAM)) {
			p2m->extents[kept++] = p2m->extents[i];
		} else {
			p2m->frames -= p2m->extents[i].count;
			all = false;
		}
	}
	p2m->count = kept;
	for (uint32_t i = 0; i < special->count; i++) {
		const struct hv_special *entry = &special->list[i];

		if (claim(restore, work, entry->mfn, entry->count, (enum hv_frame_type)entry->type))
			special->list[kept_special++] = *entry;
		else
			all = false;
	}
	special->count = kept_special;
	return all ? NULL : "a frame that it claims is not free";
}

/* The entries, none of them mapped yet. */
static const char *restore_grants(struct hv_restore *restore, struct hv_restore_domain *work)
{
	const struct hv_read_record *record = hv_restore_record(work, HV_RECORD_GRANTS);
	struct hv_grant_table *table = &work->domain->grants;
	const struct hv_stream_grant *grants = record->data;

	if (!record->count)
		return NULL;
	for (uint64_t i = 0; i < record->count; i++) {
		if (grants[i].ref >= table->limit || (i && grants[i].ref <= grants[i - 1].ref) ||
		    grants[i].to > UINT16_MAX ||
		    grants[i].flags & ~(HV_STREAM_READONLY | HV_STREAM_GRANTED))
			return "a grant is wrong";
		if (restore->version >= HV_STREAM_HAS_COUNTS && !grants[i].mappings &&
		    !(grants[i].flags & HV_STREAM_GRANTED))
			return "a grant is neither granted nor mapped";
	}
	table->capacity = grants[record->count - 1].ref + 1;
	table->entries = hv_allocate(&restore->allocator,
				     table->capacity * sizeof(*table->entries));
	if (!table->entries) {
		table->capacity = 0;
		return hv_restore_no_memory(restore);
	}
	/* Those between them are nobody's to map: not even domain 0's, not even frame 0. */
	for (uint32_t ref = 0; ref < table->capacity; ref++)
		table->entries[ref].to = HV_DOMID_INVALID;
	for (uint64_t i = 0; i < record->count; i++) {
		struct hv_grant *entry = &table->entries[grants[i].ref];

		entry->frame = grants[i].frame;
		entry->to = (uint16_t)grants[i].to;
		entry->readonly = grants[i].flags & HV_STREAM_READONLY;
		entry->granted = grants[i].flags & HV_STREAM_GRANTED;
	}
	return NULL;
}

const char *hv_restore_pages(struct hv_restore *restore, struct hv_restore_domain *work)
{
	const char *reason = claim_memory(restore, work);

	if (!reason)
		reason = restore_grants(restore, work);
	/* The last, so that nobody shares in a domain that failed. */
	return reason ? reason : hv_restore_room(restore, work);
}
