/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain's life, step by step. Each step does what belongs to it, and then says
 * so in the record of changes and by the virq, as the table in domain-state.h
 * has it. References decide when a dead domain is removed; the one of the life
 * itself is given back when it is dead.
 */
#include "hypervisor/domain.h"

#include <stddef.h>
#include <string.h>

#include "hypervisor/hypervisor.h"

#define MAX_PAUSES 255u

bool hv_is_control(struct hypervisor *hv, unsigned int caller)
{
	const struct hv_domain *domain = hv_domain_find(hv, caller);

	return caller == HV_DOMID_XEN || (domain && domain->caps & HV_CAP_CONTROL);
}

bool hv_is_control_of(struct hypervisor *hv, unsigned int caller, const struct hv_domain *domain)
{
	const struct hv_domain *self = hv_domain_find(hv, caller);

	return hv_is_control(hv, caller) || (self && self->target == domain);
}

unsigned int hv_domid(unsigned int caller, unsigned int domid)
{
	return domid == HV_DOMID_SELF ? caller : domid;
}

void hv_domain_ref(struct hv_domain *domain)
{
	domain->refs++;
}

void hv_domain_remove(struct hypervisor *hv, struct hv_domain *domain)
{
	struct hv_table *table = &hv->domains;

	domain->life = HV_REMOVED;
	domain->next = NULL;
	if (table->removed)
		table->removed_last->next = domain;
	else
		table->removed = domain;
	table->removed_last = domain;
	hv_changes_add(hv, domain);
}

void hv_domain_unref(struct hypervisor *hv, struct hv_domain *domain)
{
	if (--domain->refs == 0)
		hv_domain_remove(hv, domain);
}

static void free_domain(struct hypervisor *hv, struct hv_domain *domain)
{
	hv_evtchn_table_deinit(hv, &domain->evtchns);
	hv_grant_table_deinit(hv, &domain->grants);
	hv_mapping_table_deinit(hv, &domain->mappings);
	hv_vcpus_deinit(hv, &domain->vcpus);
	hv_ioreq_deinit(hv, domain);
	hv_p2m_deinit(&hv->allocator, &domain->p2m);
	hv_special_deinit(&hv->allocator, &domain->special);
	hv_p2m_deinit(&hv->allocator, &domain->iommu);
	hv_release(&hv->allocator, domain, sizeof(*domain));
}

/* What a configuration may not say. Returns 0 or the error. */
static int check_config(struct hypervisor *hv, unsigned int caller,
			const struct hv_domain_config *config)
{
	const unsigned int of_guests = HV_CAP_XENSTORE;
	const unsigned int all = HV_CAP_CONTROL | HV_CAP_HARDWARE | HV_CAP_XENSTORE;

	if (!hv_is_control(hv, caller))
		return -XEN_EPERM;
	if (config->caps & ~(caller == HV_DOMID_XEN ? all : of_guests))
		return -XEN_EINVAL;
	if (config->max_grants > HV_GRANT_MAX_ENTRIES ||
	    config->max_mappings > HV_GRANT_MAX_MAPPINGS)
		return -XEN_EINVAL;
	/* One machine, one hardware domain. */
	if (config->caps & HV_CAP_HARDWARE && hv->hardware)
		return -XEN_EINVAL;
	if (config->domid == HV_DOMID_ANY)
		return 0;
	if (config->domid >= HV_DOMID_FIRST_RESERVED)
		return -XEN_EINVAL;
	return hv_table_get(&hv->domains, config->domid) ? -XEN_EEXIST : 0;
}

static void init_domain(struct hv_domain *domain, const struct hv_domain_config *config)
{
	domain->caps = config->caps;
	domain->life = HV_ALIVE;
	domain->hvm = config->hvm;
	domain->shutdown_code = HV_SHUTDOWN_NONE;
	domain->pause_count = 1;
	domain->refs = 1;
	domain->pages = config->pages;
	memcpy(domain->handle, config->handle, sizeof(domain->handle));
	hv_evtchn_table_init(&domain->evtchns, config->evtchn_abi, config->max_port);
	hv_grant_table_init(&domain->grants, config->max_grants);
	hv_mapping_table_init(&domain->mappings, config->max_mappings);
}

int hv_domain_create(struct hypervisor *hv, unsigned int caller,
		     const struct hv_domain_config *config, unsigned int *domid)
{
	unsigned int chosen = config->domid;
	struct hv_domain *domain;
	int error = check_config(hv, caller, config);

	if (error)
		return error;
	if (chosen == HV_DOMID_ANY)
		chosen = hv_table_choose(&hv->domains);
	if (chosen == HV_DOMID_INVALID)
		return -XEN_ENOMEM;

	domain = hv_allocate(&hv->allocator, sizeof(*domain));
	if (!domain)
		return -XEN_ENOMEM;
	init_domain(domain, config);
	/* Where memory is modelled, a domain has what it is given. */
	if (hv->memory)
		domain->pages = 0;
	domain->domid = (uint16_t)chosen;
	error = hv_table_enter(hv, domain);
	if (error) {
		hv_release(&hv->allocator, domain, sizeof(*domain));
		return error;
	}

	/* Who comes while all are being stopped begins nothing that one would have to wait for. */
	domain->stop = hv->stopping ? HV_STOP_ASKED : HV_STOP_NOT;
	domain->unique_id = hv_id_next(&hv->ids);
	if (config->domid == HV_DOMID_ANY)
		hv->domains.latest = domain->domid;
	if (config->caps & HV_CAP_HARDWARE)
		hv->hardware = domain;
	hv_changes_add(hv, domain);
	*domid = chosen;
	return 0;
}

/* The domain that a control domain wants to do something to. Returns 0 or the error. */
static int controlled(struct hypervisor *hv, unsigned int caller, unsigned int domid,
		      struct hv_domain **domain)
{
	if (!hv_is_control(hv, caller))
		return -XEN_EPERM;
	*domain = hv_domain_find(hv, hv_domid(caller, domid));
	return *domain ? 0 : -XEN_ESRCH;
}

int hv_domain_pause(struct hypervisor *hv, unsigned int caller, unsigned int domid)
{
	struct hv_domain *domain;
	int error = controlled(hv, caller, domid, &domain);

	if (error)
		return error;
	if (domain->domid == caller)
		return -XEN_EINVAL;
	if (domain->pause_count == MAX_PAUSES)
		return -XEN_EUSERS;
	domain->pause_count++;
	return 0;
}

int hv_domain_unpause(struct hypervisor *hv, unsigned int caller, unsigned int domid)
{
	struct hv_domain *domain;
	int error = controlled(hv, caller, domid, &domain);

	if (error)
		return error;
	if (!domain->pause_count)
		return -XEN_EINVAL;
	domain->pause_count--;
	return 0;
}

int hv_domain_shutdown(struct hypervisor *hv, unsigned int caller, unsigned int domid,
		       unsigned int reason)
{
	struct hv_domain *domain = hv_domain_find(hv, hv_domid(caller, domid));

	if (hv_domid(caller, domid) != caller && !hv_is_control(hv, caller))
		return -XEN_EPERM;
	if (!domain)
		return -XEN_ESRCH;
	if (reason > HV_SHUTDOWN_SOFT_RESET || domain == hv->hardware)
		return -XEN_EINVAL;
	if (domain->shut_down)
		return 0;
	domain->shut_down = true;
	domain->shutdown_code = (uint8_t)reason;
	hv_changes_add(hv, domain);
	if (reason == HV_SHUTDOWN_SUSPEND && domain->suspend_port) {
		/* The guest may have closed the port meanwhile. Then nobody is told, as it asked
		 * for. */
		(void)hv_evtchn_send(hv, domain->domid, domain->suspend_port);
		return 0;
	}
	hv_virq_raise(hv, HV_VIRQ_DOM_EXC);
	return 0;
}

int hv_domain_resume(struct hypervisor *hv, unsigned int caller, unsigned int domid)
{
	struct hv_domain *domain;
	int error = controlled(hv, caller, domid, &domain);

	if (error)
		return error;
	if (domain->domid == caller)
		return -XEN_EINVAL;
	domain->shut_down = false;
	domain->shutdown_code = HV_SHUTDOWN_NONE;
	return 0;
}

int hv_domain_subscribe_suspend(struct hypervisor *hv, unsigned int caller, unsigned int domid,
				uint32_t port)
{
	struct hv_domain *domain;
	int error = controlled(hv, caller, domid, &domain);

	if (error)
		return error;
	domain->suspend_port = port;
	return 0;
}

int hv_domain_set_target(struct hypervisor *hv, unsigned int caller, unsigned int domid,
			 unsigned int target)
{
	struct hv_domain *to = hv_domain_find(hv, target);
	struct hv_domain *domain;
	int error = controlled(hv, caller, domid, &domain);

	if (error)
		return error;
	if (!to)
		return -XEN_ESRCH;
	if (to == domain || domain->target || domain->life != HV_ALIVE || to->life != HV_ALIVE)
		return -XEN_EINVAL;
	hv_domain_ref(to);
	domain->target = to;
	return 0;
}

static void kill_domain(struct hypervisor *hv, struct hv_domain *domain)
{
	if (domain->life != HV_ALIVE)
		return;
	domain->life = HV_DYING;
	hv_evtchn_close_all(hv, domain);
	hv_virq_forget_handler(hv, domain);
	hv_ioreq_forget(hv, domain);
	(void)hv_vcpus_leave(domain);
	hv_unmap_all(hv, domain);
	/* Its devices first, then its memory. */
	hv_p2m_deinit(&hv->allocator, &domain->iommu);
	/* What is still mapped by others goes when the domain is freed. */
	(void)hv_relinquish(hv, domain);
}

/* The domain to be destroyed, if it may be. */
static int doomed(struct hypervisor *hv, unsigned int caller, unsigned int domid,
		  struct hv_domain **domain)
{
	int error = controlled(hv, caller, domid, domain);

	if (error)
		return error;
	return (*domain)->domid == caller || *domain == hv->hardware ? -XEN_EINVAL : 0;
}

int hv_domain_kill(struct hypervisor *hv, unsigned int caller, unsigned int domid)
{
	struct hv_domain *domain;
	int error = doomed(hv, caller, domid, &domain);

	if (!error)
		kill_domain(hv, domain);
	return error;
}

int hv_domain_destroy(struct hypervisor *hv, unsigned int caller, unsigned int domid)
{
	struct hv_domain *domain;
	int error = doomed(hv, caller, domid, &domain);

	if (error || domain->life == HV_DEAD)
		return error;
	kill_domain(hv, domain);
	domain->life = HV_DEAD;
	hv_changes_add(hv, domain);
	hv_virq_raise(hv, HV_VIRQ_DOM_EXC);
	hv_domain_unref(hv, domain);
	return 0;
}

unsigned int hv_reclaim(struct hypervisor *hv)
{
	struct hv_table *table = &hv->domains;
	unsigned int count = 0;

	while (table->removed) {
		struct hv_domain *domain = table->removed;
		unsigned int domid = domain->domid;

		/* Splitting extents may take memory that there is not now. */
		if (hv_relinquish(hv, domain))
			break;
		table->removed = domain->next;
		/* May be the last that held its target, which then joins the queue. */
		if (domain->target)
			hv_domain_unref(hv, domain->target);
		hv_table_leave(hv, domain);
		free_domain(hv, domain);
		if (hv->callbacks.freed)
			hv->callbacks.freed(hv->callbacks.data, domid);
		hv_virq_raise(hv, HV_VIRQ_DOM_EXC);
		count++;
	}
	return count;
}

void hv_domains_deinit(struct hypervisor *hv)
{
	struct hv_domain *domain;

	while ((domain = hv_table_next(&hv->domains, 0))) {
		hv_table_leave(hv, domain);
		free_domain(hv, domain);
	}
}
