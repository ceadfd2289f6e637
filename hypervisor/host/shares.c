/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages that a domain's processes share with other domains, as through /dev/xen/gntalloc: memory of
 * the domain behind a grant reference that nobody else uses. A connection stands for the
 * open device; when it ends, its pages are not granted any more. Their memory stays with the domain
 * for the next one that asks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor/host/host.h"
#include "hypervisor/host/memory.h"

/* References below have a fixed meaning. */
#define FIRST_REF 8U
#define SHARES	  4096U

/* Where these pages are in the domain's memory. */
#define FIRST_GFN MEMORY_SHARES_GFN

/* Room for share @nr. */
static int grow(struct host_domain *domain, uint32_t nr)
{
	uint32_t count = domain->share_count ? domain->share_count : 32;
	struct control **grown;

	while (count <= nr)
		count *= 2;
	if (count == domain->share_count)
		return 0;
	grown = realloc(domain->shares, count * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	memset(grown + domain->share_count, 0, (count - domain->share_count) * sizeof(*grown));
	domain->shares = grown;
	domain->share_count = count;
	return 0;
}

/* The frame behind share @nr, which gets one if it has none; HV_NO_FRAME: there is no memory. */
static uint64_t frame_of(struct host *host, uint32_t domid, uint32_t nr)
{
	struct hv_domain *domain = hv_domain_find(&host->hv, domid);

	if (domain && hv_p2m_mfn(&domain->p2m, FIRST_GFN + nr) == HV_NO_FRAME)
		hv_populate(&host->hv, HV_DOMID_XEN, domid, FIRST_GFN + nr, 1);
	return domain ? hv_p2m_mfn(&domain->p2m, FIRST_GFN + nr) : HV_NO_FRAME;
}

int shares_add(struct host *host, struct control *owner, uint32_t to, bool writable,
	       uint64_t *frame)
{
	struct host_domain *domain = &host->domains[owner->domid];
	int error = -ENOSPC;

	for (uint32_t nr = 0; nr < SHARES; nr++) {
		if (nr < domain->share_count && domain->shares[nr])
			continue;
		error = grow(domain, nr);
		if (error < 0)
			return error;
		*frame = frame_of(host, owner->domid, nr);
		if (*frame == HV_NO_FRAME)
			return -ENOMEM;
		error = hv_grant_access(&host->hv, owner->domid, owner->domid, FIRST_REF + nr, to,
					*frame, !writable);
		/* Whoever had it last may still have it mapped. */
		if (error == -EBUSY)
			continue;
		if (error < 0)
			return error;
		memset(memory_frame(host, *frame), 0, HV_PAGE_SIZE);
		domain->shares[nr] = owner;
		return (int)(FIRST_REF + nr);
	}
	return error;
}

int shares_put(struct host *host, struct control *owner, uint32_t nr)
{
	struct host_domain *domain = &host->domains[owner->domid];
	int error = nr < SHARES ? grow(domain, nr) : -EINVAL;

	if (!error && domain->shares[nr])
		error = -EINVAL;
	if (!error)
		domain->shares[nr] = owner;
	return error;
}

int shares_end(struct host *host, struct control *owner, uint32_t ref)
{
	struct host_domain *domain = &host->domains[owner->domid];

	if (ref < FIRST_REF || ref - FIRST_REF >= domain->share_count ||
	    domain->shares[ref - FIRST_REF] != owner)
		return -EINVAL;
	domain->shares[ref - FIRST_REF] = NULL;
	hv_grant_end_access(&host->hv, owner->domid, owner->domid, ref);
	return 0;
}

void shares_end_all(struct host *host, struct control *owner)
{
	const struct host_domain *domain = &host->domains[owner->domid];

	for (uint32_t nr = 0; nr < domain->share_count; nr++)
		if (domain->shares[nr] == owner)
			shares_end(host, owner, FIRST_REF + nr);
}
