/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pass MATCH: what is said twice, by two domains or as a count, is compared. Only
 * looking is done here, since others look at the same time. And the end of those
 * that failed, in whatever pass.
 */
#include "hypervisor/restore-internal.h"

/* Did anybody fail before this pass? Then references of others may be fewer than were counted. */
static bool anybody_failed(const struct hv_restore *restore)
{
	for (uint32_t i = 0; i < restore->domain_count; i++) {
		if (hv_restore_failed(&restore->domains[i], HV_PASS_MATCH))
			return true;
	}
	return false;
}

/* Compare a count of what others hold. */
static bool agrees(const struct hv_restore *restore, uint32_t counted, uint32_t said)
{
	return counted == said || (counted < said && anybody_failed(restore));
}

static bool counts_agree(const struct hv_restore *restore, const struct hv_restore_domain *work)
{
	const struct hv_read_record *record = hv_restore_record(work, HV_RECORD_GRANTS);
	const struct hv_grant *entries = work->domain->grants.entries;
	const struct hv_stream_grant *grants = record->data;

	if (restore->version < HV_STREAM_HAS_COUNTS)
		return true;
	for (uint64_t i = 0; i < record->count; i++) {
		if (!agrees(restore, entries[grants[i].ref].mappings, grants[i].mappings))
			return false;
	}
	return agrees(restore, work->domain->refs, work->general.references);
}

const char *hv_restore_match(struct hv_restore *restore, struct hv_restore_domain *work)
{
	hv_restore_match_ports(restore, work);
	if (__atomic_load_n(&work->contested, __ATOMIC_RELAXED))
		return "another domain claims a frame of it";
	if (!counts_agree(restore, work))
		return "others hold it more or less often than it says";
	if (work->domain->life == HV_REMOVED && work->domain->refs)
		return "it is removed, but somebody holds it";
	return NULL;
}

void hv_restore_revive(struct hv_domain *domain)
{
	if (domain->life < HV_DEAD)
		return;
	domain->life = HV_DYING;
	domain->refs++;
}

void hv_restore_bury(struct hv_restore *restore, struct hv_restore_domain *work)
{
	struct hypervisor *hv = restore->hv;
	struct hv_domain *domain = work->domain;

	if (domain->life == HV_ALIVE) {
		hv_evtchn_close_all(hv, domain);
		hv_virq_forget_handler(hv, domain);
		hv_ioreq_forget(hv, domain);
		hv_unmap_all(hv, domain);
		hv_p2m_deinit(&hv->allocator, &domain->iommu);
	}
	domain->life = HV_DYING;
	domain->shut_down = true;
	domain->shutdown_code = HV_SHUTDOWN_CRASH;
	if (hv->memory)
		domain->pages = domain->p2m.frames;
}
