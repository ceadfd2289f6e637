/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pass REST: what refers to others, who exist by now and own what they own.
 * When a part of it is wrong, what others would look at in the next pass is given up
 * at once.
 */
#include "hypervisor/restore-internal.h"

#include <string.h>

static const char *restore_vcpus(struct hv_restore_domain *work)
{
	const struct hv_stream_vcpu *vcpus = hv_restore_record(work, HV_RECORD_VCPUS)->data;

	for (uint32_t i = 0; i < work->general.vcpus; i++) {
		struct hv_vcpu *vcpu = &work->domain->vcpus.vcpus[i];

		if (vcpus[i].run > HV_VCPU_RUNNABLE || vcpus[i].reserved)
			return "the state of a vCPU is wrong";
		vcpu->ip = vcpus[i].ip;
		vcpu->hypercall = vcpus[i].hypercall;
		vcpu->left = vcpus[i].left;
		vcpu->done = vcpus[i].done;
		vcpu->run = (uint8_t)vcpus[i].run;
		memcpy(vcpu->state, vcpus[i].state, sizeof(vcpu->state));
	}
	return NULL;
}

static const char *restore_target(struct hv_restore *restore, struct hv_restore_domain *work)
{
	struct hv_restore_domain *target = hv_restore_find(restore, work->general.target);

	if (work->general.target == HV_DOMID_INVALID)
		return NULL;
	if (!target || target == work)
		return "the domain that it is the device model of does not exist";
	__atomic_fetch_add(&target->domain->refs, 1, __ATOMIC_RELAXED);
	work->domain->target = target->domain;
	return NULL;
}

/* One server; nothing is made when it is wrong. */
static const char *restore_server(struct hv_restore *restore, struct hv_restore_domain *work,
				  const struct hv_stream_server *server)
{
	struct hv_restore_domain *emulator = hv_restore_find(restore, server->emulator);
	struct hv_memory *memory = restore->hv->memory;
	int error = 0;

	if (!emulator || emulator == work)
		return "its device model does not exist";
	/* Who failed emulates no more. */
	if (hv_restore_failed(emulator, HV_PASS_REST))
		return NULL;
	if (emulator->domain->life != HV_ALIVE)
		return "its device model is dying";
	if (memory)
		error = hv_frame_reference(&memory->table, server->frame, work->domid);
	if (error == -XEN_ENOMEM)
		return hv_restore_no_memory(restore);
	if (error)
		return "the frame of an I/O request server is not its own";
	work->domain->ioreq[server->id] = (struct hv_ioreq_server){true, emulator->domid,
								   server->frame};
	__atomic_fetch_add(&emulator->domain->emulates, 1, __ATOMIC_RELAXED);
	return NULL;
}

static const char *restore_servers(struct hv_restore *restore, struct hv_restore_domain *work)
{
	const struct hv_read_record *record = hv_restore_record(work, HV_RECORD_IOREQ);
	const struct hv_stream_server *servers = record->data;
	struct hv_domain *domain = work->domain;
	const char *reason = NULL;

	if (!record->count)
		return NULL;
	if (!domain->hvm)
		return "it has an I/O request server without being an HVM guest";
	domain->ioreq = hv_allocate(&restore->allocator, HV_IOREQ_SERVERS * sizeof(*domain->ioreq));
	if (!domain->ioreq)
		return hv_restore_no_memory(restore);
	for (uint64_t i = 0; !reason && i < record->count; i++) {
		if (servers[i].id >= HV_IOREQ_SERVERS || (i && servers[i].id <= servers[i - 1].id))
			reason = "an I/O request server is wrong";
		else
			reason = restore_server(restore, work, &servers[i]);
	}
	return reason;
}

/* Is all of this memory the domain's? */
static bool owns(struct hv_restore *restore, const struct hv_restore_domain *work, uint64_t first,
		 uint64_t count)
{
	uint64_t position = first;
	struct hv_frames frames;

	while (position - first < count) {
		if (!hv_frames_walk(&restore->hv->memory->table, &position, &frames) ||
		    frames.owner != work->domid || frames.type != HV_FRAME_RAM)
			return false;
	}
	return true;
}

/* Devices reach what is mapped at this very moment: it must be the domain's. */
static const char *restore_iommu(struct hv_restore *restore, struct hv_restore_domain *work)
{
	const struct hv_read_record *record = hv_restore_record(work, HV_RECORD_IOMMU);
	struct hv_p2m *iommu = &work->domain->iommu;
	const char *reason;

	if (record->count && !restore->hv->memory)
		return "its devices reach memory that is not there";
	reason = hv_restore_extents(restore, record, iommu);
	for (uint32_t i = 0; !reason && i < iommu->count; i++) {
		if (!owns(restore, work, iommu->extents[i].mfn, iommu->extents[i].count))
			reason = "its devices reach memory that is not its own";
	}
	return reason;
}

const char *hv_restore_rest(struct hv_restore *restore, struct hv_restore_domain *work)
{
	const char *reason = hv_restore_mappings(restore, work);

	if (!reason)
		reason = restore_vcpus(work);
	if (!reason)
		reason = restore_target(restore, work);
	if (!reason)
		reason = hv_restore_ports(restore, work);
	if (!reason)
		reason = restore_servers(restore, work);
	if (!reason)
		reason = restore_iommu(restore, work);
	if (!reason)
		return NULL;
	hv_restore_undo_mappings(restore, work);
	hv_restore_undo_ports(restore, work);
	return reason;
}
