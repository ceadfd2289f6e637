/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Grant entries and mappings. An entry counts its mappings and knows nothing else
 * of them; a mapping knows its entry and holds the granting domain. So whoever
 * unmaps, be it the mapper's own death, finds the entry still there.
 */
#include "hypervisor/grant.h"

#include <stddef.h>
#include <string.h>

#include "hypervisor/hypervisor.h"

void hv_grant_table_init(struct hv_grant_table *table, uint32_t limit)
{
	memset(table, 0, sizeof(*table));
	table->limit = limit ? limit : HV_GRANT_DEFAULT_ENTRIES;
}

void hv_mapping_table_init(struct hv_mapping_table *table, uint32_t limit)
{
	memset(table, 0, sizeof(*table));
	table->limit = limit ? limit : HV_GRANT_DEFAULT_MAPPINGS;
}

void hv_grant_table_deinit(struct hypervisor *hv, struct hv_grant_table *table)
{
	hv_release(&hv->allocator, table->entries, table->capacity * sizeof(*table->entries));
	table->entries = NULL;
	table->capacity = 0;
}

void hv_mapping_table_deinit(struct hypervisor *hv, struct hv_mapping_table *table)
{
	hv_release(&hv->allocator, table->mappings, table->capacity * sizeof(*table->mappings));
	table->mappings = NULL;
	table->capacity = 0;
}

/* The domain whose entries @caller wants to change. Returns 0 or the error. */
static int granting(struct hypervisor *hv, unsigned int caller, unsigned int domid,
		    struct hv_domain **domain)
{
	unsigned int owner = hv_domid(caller, domid);

	if (owner != caller && !hv_is_control(hv, caller))
		return -XEN_EPERM;
	*domain = hv_domain_find(hv, owner);
	return *domain && (*domain)->life == HV_ALIVE ? 0 : -XEN_ESRCH;
}

int hv_grant_access(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint32_t ref,
		    unsigned int to, uint64_t frame, bool readonly)
{
	struct hv_grant_table *table;
	struct hv_domain *domain;
	struct hv_grant *entry;
	void *entries;
	int error = granting(hv, caller, domid, &domain);

	if (error)
		return error;
	table = &domain->grants;
	if (ref >= table->limit)
		return -XEN_EINVAL;
	entries = table->entries;
	error = hv_grow(&hv->allocator, &entries, sizeof(*entry), &table->capacity, ref + 1,
			table->limit);
	if (error)
		return error;
	table->entries = entries;
	entry = &table->entries[ref];
	if (entry->mappings)
		return -XEN_EBUSY;
	entry->frame = frame;
	entry->to = (uint16_t)hv_domid(caller, to);
	entry->readonly = readonly;
	entry->granted = true;
	return 0;
}

int hv_grant_end_access(struct hypervisor *hv, unsigned int caller, unsigned int domid,
			uint32_t ref)
{
	struct hv_domain *domain;
	struct hv_grant *entry;
	int error = granting(hv, caller, domid, &domain);

	if (error)
		return error;
	if (ref >= domain->grants.capacity)
		return -XEN_EINVAL;
	entry = &domain->grants.entries[ref];
	if (!entry->granted && !entry->mappings)
		return -XEN_EINVAL;
	entry->granted = false;
	return entry->mappings ? -XEN_EBUSY : 0;
}

/* Find a free handle and make room for it. It is not taken before take_handle(). */
static int free_handle(struct hypervisor *hv, struct hv_domain *domain, uint32_t *handle)
{
	struct hv_mapping_table *table = &domain->mappings;
	void *mappings = table->mappings;
	int error;

	if (table->free) {
		*handle = table->free - 1;
		return 0;
	}
	if (table->high >= table->limit)
		return -XEN_ENOSPC;
	error = hv_grow(&hv->allocator, &mappings, sizeof(*table->mappings), &table->capacity,
			table->high + 1, table->limit);
	table->mappings = mappings;
	*handle = table->high;
	return error;
}

/* Take the handle that free_handle() found, for a frame of @from, which is held from now on. */
static struct hv_mapping *take_handle(struct hv_domain *domain, uint32_t handle,
				      struct hv_domain *from)
{
	struct hv_mapping_table *table = &domain->mappings;
	struct hv_mapping *mapping = &table->mappings[handle];

	if (handle == table->high)
		table->high++;
	else
		table->free = mapping->ref;
	table->count++;
	memset(mapping, 0, sizeof(*mapping));
	mapping->used = true;
	mapping->from = from->domid;
	hv_domain_ref(from);
	return mapping;
}

/* Give up a mapping that is in use. */
static void drop_mapping(struct hypervisor *hv, struct hv_domain *domain, uint32_t handle)
{
	struct hv_mapping_table *table = &domain->mappings;
	struct hv_mapping *mapping = &table->mappings[handle];
	struct hv_domain *from = hv_domain_find(hv, mapping->from);

	if (!mapping->foreign)
		from->grants.entries[mapping->ref].mappings--;
	if (hv->memory)
		(void)hv_frame_unreference(&hv->memory->table, mapping->frame);
	memset(mapping, 0, sizeof(*mapping));
	mapping->ref = table->free;
	table->free = handle + 1;
	table->count--;
	hv_domain_unref(hv, from);
}

/* Count a mapping of @frame, which has to be one of @from. */
static int reference(struct hypervisor *hv, const struct hv_domain *from, uint64_t frame)
{
	int error = 0;

	if (hv->memory)
		error = hv_frame_reference(&hv->memory->table, frame, from->domid);
	return error == -XEN_EBUSY ? -XEN_EINVAL : error;
}

/* The domain that maps and the one whose frame is to be mapped; both must live. */
static int mapping_pair(struct hypervisor *hv, unsigned int caller, unsigned int domid,
			struct hv_domain **domain, struct hv_domain **from)
{
	*domain = hv_domain_find(hv, caller);
	*from = hv_domain_find(hv, hv_domid(caller, domid));
	if (!*domain || (*domain)->life != HV_ALIVE || !*from || (*from)->life != HV_ALIVE)
		return -XEN_ESRCH;
	return 0;
}

int hv_grant_map(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint32_t ref,
		 bool readonly, uint32_t *handle, uint64_t *frame)
{
	struct hv_domain *domain, *from;
	struct hv_mapping *mapping;
	struct hv_grant *entry;
	int error = mapping_pair(hv, caller, domid, &domain, &from);

	if (error)
		return error;
	if (ref >= from->grants.capacity || !from->grants.entries[ref].granted)
		return -XEN_EINVAL;
	entry = &from->grants.entries[ref];
	if (entry->to != domain->domid || (entry->readonly && !readonly))
		return -XEN_EPERM;
	error = free_handle(hv, domain, handle);
	if (!error)
		error = reference(hv, from, entry->frame);
	if (error)
		return error;

	mapping = take_handle(domain, *handle, from);
	mapping->ref = ref;
	mapping->frame = entry->frame;
	mapping->readonly = readonly;
	entry->mappings++;
	*frame = entry->frame;
	return 0;
}

int hv_foreign_map(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint64_t frame,
		   uint32_t *handle)
{
	struct hv_domain *domain, *from;
	struct hv_mapping *mapping;
	int error = mapping_pair(hv, caller, domid, &domain, &from);

	if (error)
		return error;
	if (!hv_is_control_of(hv, caller, from))
		return -XEN_EPERM;
	error = free_handle(hv, domain, handle);
	if (!error)
		error = reference(hv, from, frame);
	if (error)
		return error;

	mapping = take_handle(domain, *handle, from);
	mapping->frame = frame;
	mapping->foreign = true;
	return 0;
}

int hv_unmap(struct hypervisor *hv, unsigned int caller, uint32_t handle)
{
	struct hv_domain *domain = hv_domain_find(hv, caller);

	if (!domain)
		return -XEN_ESRCH;
	if (handle >= domain->mappings.high || !domain->mappings.mappings[handle].used)
		return -XEN_EINVAL;
	drop_mapping(hv, domain, handle);
	return 0;
}

void hv_unmap_all(struct hypervisor *hv, struct hv_domain *domain)
{
	for (uint32_t handle = 0; handle < domain->mappings.high; handle++) {
		if (domain->mappings.mappings[handle].used)
			drop_mapping(hv, domain, handle);
	}
}
