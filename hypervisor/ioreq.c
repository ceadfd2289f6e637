/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * I/O request servers. The emulator counts how many it has, so that the end of a
 * domain that never was one does not have to look for them.
 */
#include "hypervisor/ioreq.h"

#include <stddef.h>
#include <string.h>

#include "hypervisor/hypervisor.h"

static struct hv_domain *living(struct hypervisor *hv, unsigned int domid)
{
	struct hv_domain *domain = hv_domain_find(hv, domid);

	return domain && domain->life == HV_ALIVE ? domain : NULL;
}

static struct hv_ioreq_server *server_of(const struct hv_domain *domain, uint32_t id)
{
	if (!domain->ioreq || id >= HV_IOREQ_SERVERS || !domain->ioreq[id].used)
		return NULL;
	return &domain->ioreq[id];
}

int hv_ioreq_create(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint64_t frame,
		    uint32_t *id)
{
	struct hv_domain *emulator = living(hv, caller);
	struct hv_domain *domain = living(hv, domid);
	uint32_t free = 0;

	if (!emulator || !domain)
		return -XEN_ESRCH;
	if (!hv_is_control_of(hv, caller, domain))
		return -XEN_EPERM;
	if (!domain->hvm || domain == emulator)
		return -XEN_EINVAL;
	while (domain->ioreq && free < HV_IOREQ_SERVERS && domain->ioreq[free].used)
		free++;
	if (free == HV_IOREQ_SERVERS)
		return -XEN_ENOSPC;
	if (!domain->ioreq)
		domain->ioreq = hv_allocate(&hv->allocator,
					    HV_IOREQ_SERVERS * sizeof(*domain->ioreq));
	if (!domain->ioreq)
		return -XEN_ENOMEM;
	if (hv->memory) {
		int error = hv_frame_reference(&hv->memory->table, frame, domain->domid);

		if (error)
			return error == -XEN_EBUSY ? -XEN_EINVAL : error;
	}
	domain->ioreq[free] = (struct hv_ioreq_server){true, emulator->domid, frame};
	emulator->emulates++;
	*id = free;
	return 0;
}

/* Nobody will answer: the accesses are completed as those to a device that is not there. */
static void end_server(struct hypervisor *hv, struct hv_domain *domain, uint32_t id)
{
	struct hv_domain *emulator = hv_domain_find(hv, domain->ioreq[id].emulator);

	for (uint32_t i = 0; i < domain->vcpus.count; i++) {
		if (domain->vcpus.vcpus[i].emulation == id + 1)
			domain->vcpus.vcpus[i].emulation = 0;
	}
	if (hv->memory)
		(void)hv_frame_unreference(&hv->memory->table, domain->ioreq[id].frame);
	memset(&domain->ioreq[id], 0, sizeof(domain->ioreq[id]));
	emulator->emulates--;
}

int hv_ioreq_destroy(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint32_t id)
{
	struct hv_domain *domain = living(hv, domid);
	struct hv_ioreq_server *server;

	if (!domain)
		return -XEN_ESRCH;
	server = server_of(domain, id);
	if (!server)
		return -XEN_EINVAL;
	if (server->emulator != caller)
		return -XEN_EPERM;
	end_server(hv, domain, id);
	return 0;
}

int hv_ioreq_send(struct hypervisor *hv, unsigned int domid, uint32_t number, uint32_t id)
{
	struct hv_vcpu *vcpu;
	struct hv_domain *domain;
	int error = hv_vcpu_running(hv, domid, number, &vcpu);

	if (error)
		return error;
	domain = hv_domain_find(hv, domid);
	if (!server_of(domain, id))
		return -XEN_EINVAL;
	if (vcpu->hypercall != HV_NO_HYPERCALL)
		return -XEN_EBUSY;
	if (domain->stop != HV_STOP_NOT)
		return -XEN_EAGAIN;
	vcpu->emulation = (uint8_t)(id + 1);
	return 0;
}

int hv_ioreq_answer(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint32_t number)
{
	struct hv_domain *emulator = living(hv, caller);
	struct hv_domain *domain = living(hv, domid);
	struct hv_vcpu *vcpu;

	if (!emulator || !domain)
		return -XEN_ESRCH;
	if (number >= domain->vcpus.count || !domain->vcpus.vcpus[number].emulation)
		return -XEN_EINVAL;
	vcpu = &domain->vcpus.vcpus[number];
	if (domain->ioreq[vcpu->emulation - 1].emulator != caller)
		return -XEN_EPERM;
	if (emulator->stop == HV_STOPPED)
		return -XEN_EAGAIN;
	vcpu->emulation = 0;
	return 0;
}

static void end_servers(struct hypervisor *hv, struct hv_domain *domain, unsigned int emulator)
{
	for (uint32_t id = 0; id < HV_IOREQ_SERVERS; id++) {
		if (server_of(domain, id) &&
		    (emulator == HV_DOMID_ANY || domain->ioreq[id].emulator == emulator))
			end_server(hv, domain, id);
	}
}

void hv_ioreq_forget(struct hypervisor *hv, struct hv_domain *domain)
{
	struct hv_domain *served = hv_table_next(&hv->domains, 0);

	end_servers(hv, domain, HV_DOMID_ANY);
	while (domain->emulates && served) {
		end_servers(hv, served, domain->domid);
		served = hv_table_next(&hv->domains, served->domid + 1u);
	}
}

void hv_ioreq_deinit(struct hypervisor *hv, struct hv_domain *domain)
{
	if (domain->ioreq)
		hv_release(&hv->allocator, domain->ioreq,
			   HV_IOREQ_SERVERS * sizeof(*domain->ioreq));
	domain->ioreq = NULL;
}
