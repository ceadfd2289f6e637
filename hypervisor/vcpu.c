/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What vCPUs do, and where they can be left. A hypercall's progress is the
 * hypervisor's own while it lasts; leaving turns it into a smaller argument, which
 * is the guest's.
 */
#include "hypervisor/vcpu.h"

#include <stddef.h>
#include <string.h>

#include "hypervisor/hypervisor.h"

bool hv_vcpu_at_boundary(const struct hv_vcpu *vcpu)
{
	return !vcpu->progress && !vcpu->emulation;
}

bool hv_vcpus_at_boundary(const struct hv_domain *domain)
{
	for (uint32_t i = 0; i < domain->vcpus.count; i++) {
		if (!hv_vcpu_at_boundary(&domain->vcpus.vcpus[i]))
			return false;
	}
	return true;
}

bool hv_vcpus_leave(struct hv_domain *domain)
{
	for (uint32_t i = 0; i < domain->vcpus.count; i++) {
		struct hv_vcpu *vcpu = &domain->vcpus.vcpus[i];

		vcpu->left -= vcpu->progress;
		vcpu->progress = 0;
	}
	return hv_vcpus_at_boundary(domain);
}

void hv_vcpus_deinit(struct hypervisor *hv, struct hv_vcpus *vcpus)
{
	hv_release(&hv->allocator, vcpus->vcpus, vcpus->count * sizeof(*vcpus->vcpus));
	vcpus->vcpus = NULL;
	vcpus->count = 0;
}

/* The domain whose vCPUs a control domain sets. Returns 0 or the error. */
static int controlled(struct hypervisor *hv, unsigned int caller, unsigned int domid,
		      struct hv_domain **domain)
{
	if (!hv_is_control(hv, caller))
		return -XEN_EPERM;
	*domain = hv_domain_find(hv, hv_domid(caller, domid));
	return *domain && (*domain)->life == HV_ALIVE ? 0 : -XEN_ESRCH;
}

int hv_vcpus_create(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint32_t count)
{
	struct hv_domain *domain;
	struct hv_vcpu *vcpus;
	int error = controlled(hv, caller, domid, &domain);

	if (error)
		return error;
	if (!count || count > HV_MAX_VCPUS || domain->vcpus.count)
		return -XEN_EINVAL;
	vcpus = hv_allocate(&hv->allocator, count * sizeof(*vcpus));
	if (!vcpus)
		return -XEN_ENOMEM;
	domain->vcpus.vcpus = vcpus;
	domain->vcpus.count = count;
	return 0;
}

int hv_vcpu_set(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint32_t number,
		uint64_t ip, const uint8_t *state, enum hv_vcpu_run run)
{
	struct hv_domain *domain;
	struct hv_vcpu *vcpu;
	int error = controlled(hv, caller, domid, &domain);

	if (error)
		return error;
	if (number >= domain->vcpus.count || run > HV_VCPU_RUNNABLE)
		return -XEN_EINVAL;
	vcpu = &domain->vcpus.vcpus[number];
	if (!hv_vcpu_at_boundary(vcpu))
		return -XEN_EBUSY;
	vcpu->ip = ip;
	vcpu->hypercall = HV_NO_HYPERCALL;
	vcpu->left = 0;
	memcpy(vcpu->state, state, HV_VCPU_STATE);
	vcpu->run = (uint8_t)run;
	return 0;
}

int hv_vcpu_running(struct hypervisor *hv, unsigned int domid, uint32_t number,
		    struct hv_vcpu **vcpu)
{
	struct hv_domain *domain = hv_domain_find(hv, domid);

	if (!domain || domain->life != HV_ALIVE)
		return -XEN_ESRCH;
	if (number >= domain->vcpus.count)
		return -XEN_EINVAL;
	*vcpu = &domain->vcpus.vcpus[number];
	if (!hv_domain_runs(domain) || (*vcpu)->run != HV_VCPU_RUNNABLE || (*vcpu)->emulation)
		return -XEN_EAGAIN;
	return 0;
}

int hv_vcpu_hypercall(struct hypervisor *hv, unsigned int domid, uint32_t number, uint64_t call,
		      uint64_t units)
{
	struct hv_vcpu *vcpu;
	int error = hv_vcpu_running(hv, domid, number, &vcpu);

	if (error)
		return error;
	if (call == HV_NO_HYPERCALL)
		return -XEN_EINVAL;
	if (vcpu->hypercall != HV_NO_HYPERCALL)
		return -XEN_EBUSY;
	vcpu->hypercall = call;
	vcpu->left = units;
	return 0;
}

int hv_vcpu_run(struct hypervisor *hv, unsigned int domid, uint32_t number)
{
	struct hv_vcpu *vcpu;
	uint64_t units;
	int error = hv_vcpu_running(hv, domid, number, &vcpu);

	if (error)
		return error;
	if (vcpu->hypercall == HV_NO_HYPERCALL)
		return 0;
	units = vcpu->left - vcpu->progress;
	if (units > HV_VCPU_STEP)
		units = HV_VCPU_STEP;
	vcpu->done += units;
	vcpu->progress += units;
	if (vcpu->progress < vcpu->left)
		return 1;
	vcpu->hypercall = HV_NO_HYPERCALL;
	vcpu->left = 0;
	vcpu->progress = 0;
	vcpu->ip += HV_INSTRUCTION;
	return 0;
}
