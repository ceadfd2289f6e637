/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who gets the virqs of the host. The handler's binding itself is a port like any
 * other (evtchn.c); here is only noted which port it is.
 */
#include "hypervisor/virq.h"

#include <stddef.h>

#include "hypervisor/hypervisor.h"

bool hv_virq_is_global(unsigned int virq)
{
	/* Timer, debug, and the two profilers (xenoprof, performance counters) belong to vCPUs. */
	const uint32_t of_vcpus = 1u << 0 | 1u << 1 | 1u << 7 | 1u << 13;

	return virq < HV_VIRQ_COUNT && !(of_vcpus >> virq & 1);
}

struct hv_domain *hv_virq_handler(struct hypervisor *hv, unsigned int virq)
{
	return hv->virqs[virq].handler ? hv->virqs[virq].handler : hv->hardware;
}

int hv_virq_set_handler(struct hypervisor *hv, unsigned int caller, unsigned int domid,
			unsigned int virq)
{
	struct hv_domain *domain = hv_domain_find(hv, hv_domid(caller, domid));

	if (!hv_is_control(hv, caller))
		return -XEN_EPERM;
	if (!domain)
		return -XEN_ESRCH;
	if (!hv_virq_is_global(virq))
		return -XEN_EINVAL;
	if (hv_virq_handler(hv, virq) == domain)
		return 0;
	if (domain->life != HV_ALIVE)
		return -XEN_EINVAL;
	if (hv->virqs[virq].port)
		return -XEN_EBUSY;
	hv->virqs[virq].handler = domain;
	return 0;
}

void hv_virq_raise(struct hypervisor *hv, unsigned int virq)
{
	if (hv->virqs[virq].port)
		hv_evtchn_raise(hv, hv_virq_handler(hv, virq), hv->virqs[virq].port);
}

void hv_virq_forget_handler(struct hypervisor *hv, const struct hv_domain *domain)
{
	for (unsigned int virq = 0; virq < HV_VIRQ_COUNT; virq++) {
		if (hv->virqs[virq].handler == domain)
			hv->virqs[virq].handler = NULL;
	}
}
