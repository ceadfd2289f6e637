/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ports and what happens on them. Every operation first finds all it needs (a free
 * port, room in the array, the record of changes for the virq), which may fail,
 * and then changes states, which cannot.
 *
 * The array may move when it grows: pointers into it are taken afterwards.
 */
#include "hypervisor/evtchn.h"

#include <stddef.h>
#include <string.h>

#include "hypervisor/hypervisor.h"

void hv_evtchn_table_init(struct hv_evtchn_table *table, enum hv_evtchn_abi abi, uint32_t max_port)
{
	memset(table, 0, sizeof(*table));
	table->first_free = 1; /* 0 is "no port" */
	table->limit = abi == HV_EVTCHN_FIFO ? HV_EVTCHN_FIFO_PORTS : HV_EVTCHN_2LEVEL_PORTS;
	table->max_port = max_port ? max_port : UINT32_MAX;
}

void hv_evtchn_table_deinit(struct hypervisor *hv, struct hv_evtchn_table *table)
{
	hv_release(&hv->allocator, table->ports, table->capacity * sizeof(*table->ports));
	table->ports = NULL;
	table->capacity = 0;
}

/* A domain that can do things: it exists and is not dying. */
static struct hv_domain *living(struct hypervisor *hv, unsigned int domid)
{
	struct hv_domain *domain = hv_domain_find(hv, domid);

	return domain && domain->life == HV_ALIVE ? domain : NULL;
}

/* The port if it is in use, else NULL. */
static struct hv_evtchn *used_port(const struct hv_domain *domain, uint32_t port)
{
	const struct hv_evtchn_table *table = &domain->evtchns;

	if (port >= table->capacity || table->ports[port].state == HV_EVTCHN_CLOSED)
		return NULL;
	return &table->ports[port];
}

/* Find the lowest free port and make room for it. It is not taken before take_port(). */
static int free_port(struct hypervisor *hv, struct hv_domain *domain, uint32_t *port)
{
	struct hv_evtchn_table *table = &domain->evtchns;
	uint32_t free = table->first_free;
	void *ports = table->ports;
	int error;

	while (free < table->capacity && table->ports[free].state != HV_EVTCHN_CLOSED)
		free++;
	table->first_free = free;
	if (free >= table->limit || free > table->max_port)
		return -XEN_ENOSPC;
	error = hv_grow(&hv->allocator, &ports, sizeof(*table->ports), &table->capacity, free + 1,
			table->limit);
	table->ports = ports;
	*port = free;
	return error;
}

static struct hv_evtchn *take_port(struct hv_domain *domain, uint32_t port,
				   enum hv_evtchn_state state)
{
	struct hv_evtchn *evtchn = &domain->evtchns.ports[port];

	evtchn->state = (uint8_t)state;
	evtchn->pending = false;
	evtchn->masked = true;
	domain->evtchns.first_free = port + 1;
	return evtchn;
}

void hv_evtchn_raise(struct hypervisor *hv, struct hv_domain *domain, uint32_t port)
{
	struct hv_evtchn *evtchn = &domain->evtchns.ports[port];

	if (evtchn->pending)
		return;
	evtchn->pending = true;
	if (!evtchn->masked)
		hv->callbacks.upcall(hv->callbacks.data, domain->domid, port);
}

int hv_evtchn_alloc_unbound(struct hypervisor *hv, unsigned int caller, unsigned int domid,
			    unsigned int remote, uint32_t *port)
{
	unsigned int owner = hv_domid(caller, domid);
	struct hv_domain *domain = hv_domain_find(hv, owner);
	struct hv_evtchn *evtchn;
	int error;

	if (!domain)
		return -XEN_ESRCH;
	if (owner != caller && !hv_is_control_of(hv, caller, domain))
		return -XEN_EPERM;
	if (domain->life != HV_ALIVE)
		return -XEN_EINVAL;
	error = free_port(hv, domain, port);
	if (error)
		return error;
	evtchn = take_port(domain, *port, HV_EVTCHN_UNBOUND);
	evtchn->remote = (uint16_t)hv_domid(caller, remote);
	evtchn->number = 0;
	return 0;
}

int hv_evtchn_bind_interdomain(struct hypervisor *hv, unsigned int caller, unsigned int remote,
			       uint32_t remote_port, uint32_t *port)
{
	struct hv_domain *domain = living(hv, caller);
	struct hv_domain *other = hv_domain_find(hv, hv_domid(caller, remote));
	struct hv_evtchn *here, *there;
	int error;

	if (!domain || !other)
		return -XEN_ESRCH;
	there = used_port(other, remote_port);
	if (!there || there->state != HV_EVTCHN_UNBOUND || there->remote != domain->domid)
		return -XEN_EINVAL;
	error = free_port(hv, domain, port);
	if (error)
		return error;

	here = take_port(domain, *port, HV_EVTCHN_INTERDOMAIN);
	here->remote = other->domid;
	here->number = remote_port;
	there = used_port(other, remote_port);
	there->state = HV_EVTCHN_INTERDOMAIN;
	there->remote = domain->domid;
	there->number = *port;
	/* What the other side sent before anybody was bound is not lost. */
	hv_evtchn_raise(hv, domain, *port);
	return 0;
}

/* May @domain bind this virq now? */
static int check_virq(struct hypervisor *hv, const struct hv_domain *domain, unsigned int virq,
		      unsigned int vcpu)
{
	if (virq >= HV_VIRQ_COUNT)
		return -XEN_EINVAL;
	if (vcpu) /* a domain has one vCPU here */
		return hv_virq_is_global(virq) ? -XEN_EINVAL : -XEN_ENOENT;
	if (hv_virq_is_global(virq) && hv_virq_handler(hv, virq) != domain)
		return -XEN_EBUSY;
	return domain->evtchns.bound_virqs >> virq & 1 ? -XEN_EEXIST : 0;
}

int hv_evtchn_bind_virq(struct hypervisor *hv, unsigned int caller, unsigned int virq,
			unsigned int vcpu, uint32_t *port)
{
	struct hv_domain *domain = living(hv, caller);
	struct hv_evtchn *evtchn;
	int error;

	if (!domain)
		return -XEN_ESRCH;
	error = check_virq(hv, domain, virq, vcpu);
	if (!error)
		error = free_port(hv, domain, port);
	if (!error && virq == HV_VIRQ_DOM_EXC)
		error = hv_changes_start(hv);
	if (error)
		return error;

	evtchn = take_port(domain, *port, HV_EVTCHN_VIRQ);
	evtchn->remote = domain->domid;
	evtchn->number = virq;
	domain->evtchns.bound_virqs |= 1u << virq;
	if (hv_virq_is_global(virq))
		hv->virqs[virq].port = *port;
	return 0;
}

static void unbind_virq(struct hypervisor *hv, struct hv_domain *domain, unsigned int virq)
{
	domain->evtchns.bound_virqs &= ~(1u << virq);
	if (!hv_virq_is_global(virq))
		return;
	hv->virqs[virq].port = 0;
	if (virq == HV_VIRQ_DOM_EXC)
		hv_changes_stop(hv);
}

/* Close a port that is in use. */
static void close_port(struct hypervisor *hv, struct hv_domain *domain, uint32_t port)
{
	struct hv_evtchn *evtchn = &domain->evtchns.ports[port];

	if (evtchn->state == HV_EVTCHN_VIRQ)
		unbind_virq(hv, domain, evtchn->number);
	if (evtchn->state == HV_EVTCHN_INTERDOMAIN) {
		/* Who is bound to something exists: a domain that dies closes its ports first. */
		struct hv_domain *other = hv_domain_find(hv, evtchn->remote);
		struct hv_evtchn *there = &other->evtchns.ports[evtchn->number];

		there->state = HV_EVTCHN_UNBOUND;
		there->remote = domain->domid;
		there->number = 0;
	}
	memset(evtchn, 0, sizeof(*evtchn));
	if (port < domain->evtchns.first_free)
		domain->evtchns.first_free = port;
}

void hv_evtchn_close_all(struct hypervisor *hv, struct hv_domain *domain)
{
	for (uint32_t port = 1; port < domain->evtchns.capacity; port++) {
		if (used_port(domain, port))
			close_port(hv, domain, port);
	}
}

/* The caller's own port, for the operations on one. */
static int own_port(struct hypervisor *hv, unsigned int caller, uint32_t port,
		    struct hv_domain **domain, struct hv_evtchn **evtchn)
{
	*domain = living(hv, caller);
	if (!*domain)
		return -XEN_ESRCH;
	*evtchn = used_port(*domain, port);
	return *evtchn ? 0 : -XEN_EINVAL;
}

int hv_evtchn_close(struct hypervisor *hv, unsigned int caller, uint32_t port)
{
	struct hv_evtchn *evtchn;
	struct hv_domain *domain;
	int error = own_port(hv, caller, port, &domain, &evtchn);

	if (!error)
		close_port(hv, domain, port);
	return error;
}

int hv_evtchn_send(struct hypervisor *hv, unsigned int caller, uint32_t port)
{
	struct hv_evtchn *evtchn;
	struct hv_domain *domain;
	int error = own_port(hv, caller, port, &domain, &evtchn);

	if (error)
		return error;
	if (evtchn->state == HV_EVTCHN_INTERDOMAIN)
		hv_evtchn_raise(hv, hv_domain_find(hv, evtchn->remote), evtchn->number);
	return evtchn->state == HV_EVTCHN_VIRQ ? -XEN_EINVAL : 0;
}

int hv_evtchn_mask(struct hypervisor *hv, unsigned int caller, uint32_t port)
{
	struct hv_evtchn *evtchn;
	struct hv_domain *domain;
	int error = own_port(hv, caller, port, &domain, &evtchn);

	if (!error)
		evtchn->masked = true;
	return error;
}

int hv_evtchn_unmask(struct hypervisor *hv, unsigned int caller, uint32_t port)
{
	struct hv_evtchn *evtchn;
	struct hv_domain *domain;
	int error = own_port(hv, caller, port, &domain, &evtchn);

	if (error || !evtchn->masked)
		return error;
	evtchn->masked = false;
	if (evtchn->pending)
		hv->callbacks.upcall(hv->callbacks.data, caller, port);
	return 0;
}

int hv_evtchn_take(struct hypervisor *hv, unsigned int caller, uint32_t port)
{
	struct hv_evtchn *evtchn;
	struct hv_domain *domain;
	int error = own_port(hv, caller, port, &domain, &evtchn);
	bool pending;

	if (error)
		return error;
	pending = evtchn->pending;
	evtchn->pending = false;
	return pending;
}

int hv_evtchn_status(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint32_t port,
		     struct hv_evtchn_status *status)
{
	unsigned int owner = hv_domid(caller, domid);
	struct hv_domain *domain = hv_domain_find(hv, owner);
	const struct hv_evtchn *evtchn;

	if (!domain)
		return -XEN_ESRCH;
	if (owner != caller && !hv_is_control_of(hv, caller, domain))
		return -XEN_EPERM;
	if (!port || port >= domain->evtchns.limit)
		return -XEN_EINVAL;
	memset(status, 0, sizeof(*status));
	evtchn = used_port(domain, port);
	if (!evtchn)
		return 0; /* closed */
	status->state = evtchn->state;
	status->pending = evtchn->pending;
	status->masked = evtchn->masked;
	status->remote = evtchn->remote;
	status->number = evtchn->number;
	return 0;
}

int hv_evtchn_reset(struct hypervisor *hv, unsigned int caller, unsigned int domid)
{
	unsigned int owner = hv_domid(caller, domid);
	struct hv_domain *domain = hv_domain_find(hv, owner);

	if (!domain)
		return -XEN_ESRCH;
	if (owner != caller && !hv_is_control_of(hv, caller, domain))
		return -XEN_EPERM;
	hv_evtchn_close_all(hv, domain);
	return 0;
}

int hv_evtchn_use_fifo(struct hypervisor *hv, unsigned int caller)
{
	struct hv_domain *domain = living(hv, caller);

	if (!domain)
		return -XEN_ESRCH;
	domain->evtchns.limit = HV_EVTCHN_FIFO_PORTS;
	return 0;
}
