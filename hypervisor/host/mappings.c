/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which control connection holds which of the mechanism's mappings. A connection
 * stands for an open gntdev: when it is closed, by the process or by its end, its
 * mappings go. Ids are indices; the entries of an owner, and the free ones, are
 * chained through the array.
 */
#include <errno.h>
#include <stdlib.h>

#include "hypervisor/host/host.h"

/* Ids from here on are not believed. */
#define MOST (1U << 20)

static int grow(struct host *host)
{
	uint32_t count = host->mapping_count ? host->mapping_count * 2 : 64;
	struct host_mapping *grown = realloc(host->mappings, count * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	host->mappings = grown;
	for (uint32_t i = count; i-- > host->mapping_count;) {
		grown[i] = (struct host_mapping){.next = host->mapping_free};
		host->mapping_free = i + 1;
	}
	host->mapping_count = count;
	return 0;
}

/* Makes a free entry the first of the owner's. */
static void enter(struct host *host, struct control *owner, uint32_t id, uint32_t handle)
{
	host->mappings[id] = (struct host_mapping){
		.owner = owner, .handle = handle, .next = owner->first_mapping};
	if (owner->first_mapping)
		host->mappings[owner->first_mapping - 1].previous = id + 1;
	owner->first_mapping = id + 1;
	host->mapping_used++;
}

int64_t mappings_add(struct host *host, struct control *owner, uint32_t handle)
{
	uint32_t id;

	if (!host->mapping_free && grow(host) < 0)
		return -ENOMEM;
	id = host->mapping_free - 1;
	host->mapping_free = host->mappings[id].next;
	enter(host, owner, id, handle);
	return id;
}

int mappings_put(struct host *host, struct control *owner, uint32_t id, uint32_t handle)
{
	const struct hv_domain *domain = hv_domain_find(&host->hv, owner->domid);

	if (!domain || handle >= domain->mappings.high || !domain->mappings.mappings[handle].used)
		return -ESRCH;
	if (id >= MOST)
		return -EINVAL;
	while (id >= host->mapping_count)
		if (grow(host) < 0)
			return -ENOMEM;
	if (host->mappings[id].owner)
		return -EINVAL;
	enter(host, owner, id, handle);
	return 0;
}

void mappings_link_free(struct host *host)
{
	host->mapping_free = 0;
	for (uint32_t i = host->mapping_count; i-- > 0;) {
		if (host->mappings[i].owner)
			continue;
		host->mappings[i].next = host->mapping_free;
		host->mapping_free = i + 1;
	}
}

int mappings_remove(struct host *host, uint64_t id)
{
	struct host_mapping *mapping = id < host->mapping_count ? &host->mappings[id] : NULL;
	int result;

	if (!mapping || !mapping->owner)
		return -EINVAL;
	result = hv_unmap(&host->hv, mapping->owner->domid, mapping->handle);
	if (mapping->previous)
		host->mappings[mapping->previous - 1].next = mapping->next;
	else
		mapping->owner->first_mapping = mapping->next;
	if (mapping->next)
		host->mappings[mapping->next - 1].previous = mapping->previous;
	*mapping = (struct host_mapping){.next = host->mapping_free};
	host->mapping_free = (uint32_t)id + 1;
	host->mapping_used--;
	return result;
}

void mappings_remove_all(struct host *host, struct control *owner)
{
	while (owner->first_mapping)
		mappings_remove(host, owner->first_mapping - 1);
}
