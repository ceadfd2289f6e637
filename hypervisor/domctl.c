/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hypercall around the two operations: versions, sizes, and what the older one
 * says about a domain.
 */
#include "hypervisor/domctl.h"

#include <stdbool.h>
#include <string.h>

#include "hypervisor/hypervisor.h"

_Static_assert(sizeof(struct hv_get_domain_state) == HV_DOMCTL_SIZE, "one size for all");

/* From this version on getdomaininfo is about exactly the domain that was asked for. */
#define VERSION_EXACT 0x16u

/* The head that all operations share. */
struct head {
	uint32_t cmd;
	uint32_t interface_version;
	uint16_t domain;
};

static bool may_ask(struct hypervisor *hv, unsigned int caller, const struct hv_domain *domain)
{
	const struct hv_domain *self = hv_domain_find(hv, caller);

	return hv_is_control_of(hv, caller, domain) || (self && self->caps & HV_CAP_XENSTORE);
}

static uint32_t info_flags(const struct hv_domain *domain, bool asks_itself)
{
	uint32_t flags = (uint32_t)domain->shutdown_code << HV_INFO_SHUTDOWN_SHIFT;

	if (domain->life == HV_DEAD)
		flags |= HV_INFO_DYING;
	if (domain->hvm)
		flags |= HV_INFO_HVM | HV_INFO_HAP;
	if (domain->caps & HV_CAP_XENSTORE)
		flags |= HV_INFO_XENSTORE;
	if (domain->pause_count)
		flags |= HV_INFO_PAUSED;
	if (domain->shut_down)
		flags |= HV_INFO_SHUTDOWN;
	/* There is no processor here to be seen running on: whoever asks is running. */
	if (!domain->pause_count && !domain->shut_down && domain->life == HV_ALIVE)
		flags |= asks_itself ? HV_INFO_RUNNING : HV_INFO_BLOCKED;
	return flags;
}

static void fill_info(const struct hv_domain *domain, bool asks_itself,
		      struct hv_getdomaininfo *info)
{
	const size_t begin = offsetof(struct hv_getdomaininfo, domain_again);

	memset((char *)info + begin, 0, sizeof(*info) - begin);
	info->domain = domain->domid;
	info->domain_again = domain->domid;
	info->flags = info_flags(domain, asks_itself);
	info->pages = domain->life == HV_ALIVE ? domain->pages : 0;
	info->max_pages = domain->pages;
	info->shared_info_frame = UINT64_MAX;
	info->vcpus = 1;
	memcpy(info->handle, domain->handle, sizeof(info->handle));
}

int hv_getdomaininfo(struct hypervisor *hv, unsigned int caller, unsigned int domid,
		     struct hv_getdomaininfo *info)
{
	const struct hv_domain *domain = hv_domain_find(hv, domid);

	if (!domain)
		return -XEN_ESRCH;
	if (!may_ask(hv, caller, domain))
		return -XEN_EPERM;
	fill_info(domain, domain->domid == caller, info);
	return 0;
}

int hv_getdomaininfo_next(struct hypervisor *hv, unsigned int caller, unsigned int domid,
			  struct hv_getdomaininfo *info)
{
	const struct hv_domain *domain = hv_domain_next(hv, domid);

	while (domain && !may_ask(hv, caller, domain))
		domain = hv_domain_next(hv, domain->domid + 1u);
	if (!domain)
		return -XEN_ESRCH;
	fill_info(domain, domain->domid == caller, info);
	return 0;
}

int hv_domctl(struct hypervisor *hv, unsigned int caller, void *op, size_t size)
{
	struct head head;

	if (size < HV_DOMCTL_SIZE)
		return -XEN_EFAULT;
	memcpy(&head, op, sizeof(head));
	if (head.cmd == HV_DOMCTL_GET_DOMAIN_STATE && !hv->lacks_domain_state)
		return hv_get_domain_state(hv, caller, op);
	if (head.interface_version != hv->domctl_version)
		return -XEN_EACCES;
	if (head.cmd != HV_DOMCTL_GETDOMAININFO)
		return -XEN_ENOSYS;
	if (hv->domctl_version >= VERSION_EXACT)
		return hv_getdomaininfo(hv, caller, head.domain, op);
	return hv_getdomaininfo_next(hv, caller, head.domain, op);
}
