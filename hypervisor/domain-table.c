/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The domain table: two levels, the lower one there where domains are. Searches
 * for the next used or next free domid step over empty and full leaves.
 */
#include "hypervisor/domain-table.h"

#include <stddef.h>

#include "hypervisor/hypervisor.h"

_Static_assert(HV_TABLE_LEAF *HV_TABLE_LEAVES >= HV_DOMID_FIRST_RESERVED, "room for all domids");

struct hv_domain *hv_table_get(const struct hv_table *table, unsigned int domid)
{
	const struct hv_table_leaf *leaf;

	if (domid >= HV_DOMID_FIRST_RESERVED)
		return NULL;
	leaf = table->leaves[domid / HV_TABLE_LEAF];
	return leaf ? leaf->domains[domid % HV_TABLE_LEAF] : NULL;
}

struct hv_domain *hv_table_next(const struct hv_table *table, unsigned int domid)
{
	while (domid < HV_DOMID_FIRST_RESERVED) {
		const struct hv_table_leaf *leaf = table->leaves[domid / HV_TABLE_LEAF];

		if (!leaf) {
			domid = (domid / HV_TABLE_LEAF + 1) * HV_TABLE_LEAF;
			continue;
		}
		if (leaf->domains[domid % HV_TABLE_LEAF])
			return leaf->domains[domid % HV_TABLE_LEAF];
		domid++;
	}
	return NULL;
}

struct hv_domain *hv_domain_find(struct hypervisor *hv, unsigned int domid)
{
	struct hv_domain *domain = hv_table_get(&hv->domains, domid);

	return domain && domain->life != HV_REMOVED ? domain : NULL;
}

struct hv_domain *hv_domain_next(struct hypervisor *hv, unsigned int domid)
{
	struct hv_domain *domain = hv_table_next(&hv->domains, domid);

	while (domain && domain->life == HV_REMOVED)
		domain = hv_table_next(&hv->domains, domain->domid + 1u);
	return domain;
}

/* The first free domid from @begin on, below @end; or @end. */
static unsigned int first_free(const struct hv_table *table, unsigned int begin, unsigned int end)
{
	unsigned int domid = begin;

	while (domid < end) {
		const struct hv_table_leaf *leaf = table->leaves[domid / HV_TABLE_LEAF];

		if (!leaf || !leaf->domains[domid % HV_TABLE_LEAF])
			return domid;
		if (leaf->count == HV_TABLE_LEAF)
			domid = (domid / HV_TABLE_LEAF + 1) * HV_TABLE_LEAF;
		else
			domid++;
	}
	return end;
}

unsigned int hv_table_choose(const struct hv_table *table)
{
	/* Domain 0 is never chosen: it is the machine's first, and named. */
	unsigned int begin = table->latest + 1u;
	unsigned int domid = first_free(table, begin, HV_DOMID_FIRST_RESERVED);

	if (domid < HV_DOMID_FIRST_RESERVED)
		return domid;
	domid = first_free(table, 1, begin);
	return domid < begin ? domid : HV_DOMID_INVALID;
}

int hv_table_reserve(struct hypervisor *hv, unsigned int domid)
{
	struct hv_table_leaf **leaf = &hv->domains.leaves[domid / HV_TABLE_LEAF];

	if (!*leaf)
		*leaf = hv_allocate(&hv->allocator, sizeof(**leaf));
	if (!*leaf)
		return -XEN_ENOMEM;
	(*leaf)->count++;
	hv->domains.count++;
	return 0;
}

void hv_table_fill(struct hypervisor *hv, struct hv_domain *domain)
{
	struct hv_table_leaf *leaf = hv->domains.leaves[domain->domid / HV_TABLE_LEAF];

	leaf->domains[domain->domid % HV_TABLE_LEAF] = domain;
}

void hv_table_cancel(struct hypervisor *hv, unsigned int domid)
{
	struct hv_table_leaf **leaf = &hv->domains.leaves[domid / HV_TABLE_LEAF];

	hv->domains.count--;
	if (--(*leaf)->count == 0) {
		hv_release(&hv->allocator, *leaf, sizeof(**leaf));
		*leaf = NULL;
	}
}

int hv_table_enter(struct hypervisor *hv, struct hv_domain *domain)
{
	int error = hv_table_reserve(hv, domain->domid);

	if (!error)
		hv_table_fill(hv, domain);
	return error;
}

void hv_table_leave(struct hypervisor *hv, const struct hv_domain *domain)
{
	struct hv_table_leaf *leaf = hv->domains.leaves[domain->domid / HV_TABLE_LEAF];

	leaf->domains[domain->domid % HV_TABLE_LEAF] = NULL;
	hv_table_cancel(hv, domain->domid);
}
