/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pass CREATE: a domain comes to be, whatever its section says; then the section
 * is read, and if it makes sense the domain gets what concerns nobody else.
 *
 * A domain whose section makes none keeps domid and unique id, which stand in the
 * machine's records, and is otherwise as empty as it can be.
 */
#include "hypervisor/restore-internal.h"

#include <string.h>

static struct hv_domain *new_domain(struct hypervisor *hv, const struct hv_restore_domain *work)
{
	struct hv_domain *domain = hv_allocate(&hv->allocator, sizeof(*domain));

	if (!domain)
		return NULL;
	domain->domid = work->domid;
	domain->unique_id = work->unique_id;
	domain->life = HV_DYING;
	domain->refs = 1;
	domain->shutdown_code = HV_SHUTDOWN_NONE;
	domain->stop = HV_STOPPED;
	hv_evtchn_table_init(&domain->evtchns, HV_EVTCHN_2LEVEL, 0);
	hv_grant_table_init(&domain->grants, 0);
	hv_mapping_table_init(&domain->mappings, 0);
	return domain;
}

/* Find the records of the section. */
static const char *read_section(struct hv_restore_domain *work)
{
	const struct hv_stream_domain *section = (const void *)work->section;
	const size_t summed = offsetof(struct hv_stream_domain, domid);
	struct hv_reader reader = {work->section + sizeof(*section), section->size};
	uint64_t checksum;
	uint32_t latest = 0;

	checksum = hv_read_checksum(0, work->section + summed, work->size - summed);
	if (section->domid != work->domid || section->reserved ||
	    hv_checksum(checksum, section->size) != section->checksum)
		return "its section has changed";
	while (reader.left) {
		struct hv_read_record record;
		const char *reason = hv_read_record(&reader, &record);

		if (reason)
			return reason;
		if (!hv_record_name(record.type))
			continue;
		if (record.type < HV_RECORD_GENERAL || record.type > HV_RECORD_IOMMU ||
		    record.type <= latest)
			return "its records are not in order";
		latest = record.type;
		work->records[latest - HV_RECORD_GENERAL] = record;
	}
	return NULL;
}

static uint64_t elements(const struct hv_restore_domain *work, enum hv_record_type type)
{
	return hv_restore_record(work, type)->count;
}

/* Are there as many elements in the records as was counted? */
static bool counts_agree(const struct hv_restore *restore, const struct hv_restore_domain *work)
{
	const struct hv_stream_general *general = &work->general;

	if (elements(work, HV_RECORD_VCPUS) != general->vcpus)
		return false;
	if (restore->version < HV_STREAM_HAS_COUNTS)
		return true;
	return elements(work, HV_RECORD_GRANTS) == general->grants &&
	       elements(work, HV_RECORD_EVTCHN_2LEVEL) + elements(work, HV_RECORD_EVTCHN_FIFO) ==
		       general->ports &&
	       elements(work, HV_RECORD_MAPPINGS) == general->mappings &&
	       elements(work, HV_RECORD_FOREIGN) == general->foreign &&
	       elements(work, HV_RECORD_IOREQ) == general->servers;
}

/* Who dies has no virqs, ports, mappings, servers and devices any more. */
static bool fits_life(const struct hv_restore *restore, const struct hv_restore_domain *work)
{
	if (work->general.life == HV_ALIVE)
		return true;
	for (uint32_t virq = 0; virq < HV_VIRQ_COUNT; virq++) {
		if (restore->virq_handlers[virq] == work->domid)
			return false;
	}
	return !elements(work, HV_RECORD_EVTCHN_2LEVEL) && !elements(work, HV_RECORD_EVTCHN_FIFO) &&
	       !elements(work, HV_RECORD_MAPPINGS) && !elements(work, HV_RECORD_FOREIGN) &&
	       !elements(work, HV_RECORD_IOREQ) && !elements(work, HV_RECORD_IOMMU);
}

static const char *check_general(const struct hv_restore *restore,
				 const struct hv_restore_domain *work)
{
	const struct hv_stream_general *general = &work->general;
	const unsigned int caps = HV_CAP_CONTROL | HV_CAP_HARDWARE | HV_CAP_XENSTORE;
	const bool fifo = general->flags & HV_STREAM_FIFO;

	if (general->caps & ~caps ||
	    !!(general->caps & HV_CAP_HARDWARE) != (work->domid == restore->hardware))
		return "its capabilities are wrong";
	if (work->domid == restore->hardware &&
	    (general->life != HV_ALIVE || general->flags & HV_STREAM_SHUT_DOWN))
		return "the hardware domain has ended";
	if (general->life > HV_REMOVED ||
	    general->flags & ~(HV_STREAM_HVM | HV_STREAM_SHUT_DOWN | HV_STREAM_FIFO) ||
	    general->reserved)
		return "its state is unknown";
	if (general->flags & HV_STREAM_SHUT_DOWN ? general->shutdown_code > HV_SHUTDOWN_SOFT_RESET
						 : general->shutdown_code != HV_SHUTDOWN_NONE)
		return "the reason of its shutdown is unknown";
	if (!general->max_grants || general->max_grants > HV_GRANT_MAX_ENTRIES ||
	    !general->max_mappings || general->max_mappings > HV_GRANT_MAX_MAPPINGS ||
	    !general->max_port || general->vcpus > HV_MAX_VCPUS)
		return "a limit is wrong";
	if (elements(work, fifo ? HV_RECORD_EVTCHN_2LEVEL : HV_RECORD_EVTCHN_FIFO))
		return "its event channels are of the wrong kind";
	if (!counts_agree(restore, work))
		return "a count is wrong";
	return fits_life(restore, work) ? NULL : "it dies, but has what only the living have";
}

static void apply_general(struct hv_restore *restore, struct hv_restore_domain *work)
{
	const struct hv_stream_general *general = &work->general;
	struct hv_domain *domain = work->domain;

	domain->caps = general->caps;
	domain->life = general->life;
	domain->hvm = general->flags & HV_STREAM_HVM;
	domain->shut_down = general->flags & HV_STREAM_SHUT_DOWN;
	domain->shutdown_code = general->shutdown_code;
	domain->pause_count = general->pause_count;
	domain->refs = general->life < HV_DEAD;
	domain->suspend_port = general->suspend_port;
	memcpy(domain->handle, general->handle, sizeof(domain->handle));
	domain->pages = general->pages;
	hv_evtchn_table_init(&domain->evtchns,
			     general->flags & HV_STREAM_FIFO ? HV_EVTCHN_FIFO : HV_EVTCHN_2LEVEL,
			     general->max_port);
	hv_grant_table_init(&domain->grants, general->max_grants);
	hv_mapping_table_init(&domain->mappings, general->max_mappings);
	if (work->domid == restore->hardware)
		restore->hv->hardware = domain;
	for (uint32_t virq = 0; virq < HV_VIRQ_COUNT; virq++) {
		if (restore->virq_handlers[virq] == work->domid)
			restore->hv->virqs[virq].handler = domain;
	}
}

static const char *create_vcpus(struct hv_restore *restore, struct hv_restore_domain *work)
{
	struct hv_vcpus *vcpus = &work->domain->vcpus;
	const uint32_t count = work->general.vcpus;

	if (!count)
		return NULL;
	vcpus->vcpus = hv_allocate(&restore->allocator, count * sizeof(*vcpus->vcpus));
	if (!vcpus->vcpus)
		return hv_restore_no_memory(restore);
	vcpus->count = count;
	return NULL;
}

/* The address space, and what is outside of it; nothing of it is owned yet. */
static const char *create_memory(struct hv_restore *restore, struct hv_restore_domain *work)
{
	const struct hv_read_record *record = hv_restore_record(work, HV_RECORD_P2M);
	const struct hv_read_record *outside = hv_restore_record(work, HV_RECORD_PAGES);
	const struct hv_stream_pages *pages = outside->data;
	struct hv_domain *domain = work->domain;
	const char *reason;

	if (!restore->hv->memory)
		return record->count || outside->count ? "it has memory that is not there" : NULL;
	reason = hv_restore_extents(restore, record, &domain->p2m);
	for (uint64_t i = 0; !reason && i < outside->count; i++) {
		if (!pages[i].count || pages[i].type < HV_FRAME_RAM ||
		    pages[i].type > HV_FRAME_IOREQ)
			reason = "some of its frames are wrong";
		else if (hv_special_add(&restore->allocator, &domain->special, pages[i].mfn,
					pages[i].count, (enum hv_frame_type)pages[i].type))
			reason = hv_restore_no_memory(restore);
	}
	if (!reason && domain->p2m.frames != work->general.pages)
		reason = "the number of its pages is wrong";
	if (!reason)
		return NULL;
	/* Nothing is claimed for it any more, so it must not own anything. */
	hv_p2m_deinit(&restore->allocator, &domain->p2m);
	hv_special_deinit(&restore->allocator, &domain->special);
	return reason;
}

const char *hv_restore_extents(struct hv_restore *restore, const struct hv_read_record *record,
			       struct hv_p2m *p2m)
{
	const struct hv_stream_extent *extents = record->data;

	if (!record->count)
		return NULL;
	if (record->count > HV_P2M_LIMIT)
		return "it has too many extents";
	p2m->extents = hv_allocate(&restore->allocator, record->count * sizeof(*p2m->extents));
	if (!p2m->extents)
		return hv_restore_no_memory(restore);
	p2m->capacity = (uint32_t)record->count;
	for (uint64_t i = 0; i < record->count; i++) {
		/* In order, adding is appending, and takes no more room than there is. */
		if ((i && extents[i].gfn <= extents[i - 1].gfn) ||
		    hv_p2m_add(&restore->allocator, p2m, extents[i].gfn, extents[i].mfn,
			       extents[i].count))
			return "its extents are wrong";
	}
	return NULL;
}

const char *hv_restore_create(struct hv_restore *restore, struct hv_restore_domain *work)
{
	const struct hv_read_record *general = hv_restore_record(work, HV_RECORD_GENERAL);
	const char *reason;

	work->domain = new_domain(restore->hv, work);
	if (!work->domain)
		return hv_restore_no_memory(restore);
	hv_table_fill(restore->hv, work->domain);
	reason = read_section(work);
	if (reason)
		return reason;
	if (general->count != 1)
		return "it is not described";
	memcpy(&work->general, general->data, sizeof(work->general));
	reason = check_general(restore, work);
	if (reason)
		return reason;
	apply_general(restore, work);
	reason = create_vcpus(restore, work);
	return reason ? reason : create_memory(restore, work);
}
