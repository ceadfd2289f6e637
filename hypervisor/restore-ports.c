/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event channels: each domain's ports as its own section has them. Whether the other
 * end of a channel says the same is seen when all ports are there.
 */
#include "hypervisor/restore-internal.h"

#include <string.h>

/* Is this a port as it could be, as far as the domain itself is concerned? */
static bool is_possible(const struct hv_restore *restore, const struct hv_restore_domain *work,
			const struct hv_stream_port *port)
{
	if (port->flags & ~(HV_STREAM_PENDING | HV_STREAM_MASKED) || port->reserved)
		return false;
	switch (port->state) {
	case HV_EVTCHN_UNBOUND:
		return !port->number;
	case HV_EVTCHN_INTERDOMAIN:
		return port->remote < HV_DOMID_FIRST_RESERVED && port->number;
	case HV_EVTCHN_VIRQ:
		if (port->number >= HV_VIRQ_COUNT || port->remote != work->domid ||
		    work->domain->evtchns.bound_virqs >> port->number & 1)
			return false;
		if (port->number == HV_VIRQ_DOM_EXC && !restore->hv->changes.bits)
			return false;
		return !hv_virq_is_global(port->number) ||
		       (restore->virq_handlers[port->number] == HV_DOMID_INVALID
				? restore->hardware
				: restore->virq_handlers[port->number]) == work->domid;
	default:
		return false;
	}
}

static void make_port(struct hv_restore *restore, struct hv_restore_domain *work,
		      const struct hv_stream_port *port)
{
	struct hv_evtchn_table *table = &work->domain->evtchns;
	struct hv_evtchn *evtchn = &table->ports[port->port];

	evtchn->state = port->state;
	evtchn->pending = port->flags & HV_STREAM_PENDING;
	evtchn->masked = port->flags & HV_STREAM_MASKED;
	evtchn->remote = port->remote;
	evtchn->number = port->number;
	if (evtchn->pending && !evtchn->masked)
		work->pending = true;
	if (port->state != HV_EVTCHN_VIRQ)
		return;
	table->bound_virqs |= 1u << port->number;
	/* One domain only can be the handler, so nobody else writes here. */
	if (hv_virq_is_global(port->number))
		restore->hv->virqs[port->number].port = port->port;
}

const char *hv_restore_ports(struct hv_restore *restore, struct hv_restore_domain *work)
{
	struct hv_evtchn_table *table = &work->domain->evtchns;
	const struct hv_read_record *record = hv_restore_record(
		work, table->limit == HV_EVTCHN_FIFO_PORTS ? HV_RECORD_EVTCHN_FIFO
							   : HV_RECORD_EVTCHN_2LEVEL);
	const struct hv_stream_port *ports = record->data;

	if (!record->count)
		return NULL;
	for (uint64_t i = 0; i < record->count; i++) {
		if (!ports[i].port || ports[i].port >= table->limit ||
		    ports[i].port > table->max_port || (i && ports[i].port <= ports[i - 1].port))
			return "an event channel has a wrong port";
	}
	table->capacity = ports[record->count - 1].port + 1;
	table->ports = hv_allocate(&restore->allocator, table->capacity * sizeof(*table->ports));
	if (!table->ports) {
		table->capacity = 0;
		return hv_restore_no_memory(restore);
	}
	for (uint64_t i = 0; i < record->count; i++) {
		if (!is_possible(restore, work, &ports[i]))
			return "an event channel is wrong";
		make_port(restore, work, &ports[i]);
	}
	return NULL;
}

void hv_restore_undo_ports(struct hv_restore *restore, struct hv_restore_domain *work)
{
	struct hv_evtchn_table *table = &work->domain->evtchns;

	for (uint32_t virq = 0; virq < HV_VIRQ_COUNT; virq++) {
		if (table->bound_virqs >> virq & 1 && hv_virq_is_global(virq))
			restore->hv->virqs[virq].port = 0;
	}
	table->bound_virqs = 0;
	table->first_free = 1;
	hv_evtchn_table_deinit(restore->hv, table);
}

/* Does the other end of this channel say that it leads here? */
static bool is_mutual(struct hv_restore *restore, const struct hv_domain *domain, uint32_t port)
{
	const struct hv_evtchn *here = &domain->evtchns.ports[port], *there;
	const struct hv_domain *other = hv_table_get(&restore->hv->domains, here->remote);

	if (!other || here->number >= other->evtchns.capacity)
		return false;
	there = &other->evtchns.ports[here->number];
	return there != here && there->state == HV_EVTCHN_INTERDOMAIN &&
	       there->remote == domain->domid && there->number == port;
}

/* See whether all channels of the ports from @first up to @end are mutual. */
static void match_some(struct hv_restore *restore, struct hv_restore_domain *work, uint64_t first,
		       uint64_t end)
{
	const struct hv_evtchn_table *table = &work->domain->evtchns;

	for (uint64_t port = first; port < end; port++) {
		if (table->ports[port].state == HV_EVTCHN_INTERDOMAIN &&
		    !is_mutual(restore, work->domain, (uint32_t)port))
			__atomic_store_n(&work->one_sided, true, __ATOMIC_RELAXED);
	}
}

void hv_restore_match_ports(struct hv_restore *restore, struct hv_restore_domain *work)
{
	if (!work->shared)
		match_some(restore, work, 0, work->domain->evtchns.capacity);
}

void hv_restore_match_share(struct hv_restore *restore, uint32_t index)
{
	for (uint32_t i = 0; i < restore->large_count && i < HV_RESTORE_LARGE; i++) {
		struct hv_restore_domain *work = restore->large[i];
		uint64_t first, end;

		hv_restore_slice(restore, index, work->domain->evtchns.capacity, &first, &end);
		match_some(restore, work, first, end);
	}
}

/* Changing one end decides nothing about others: who led here was not mutual either. */
void hv_restore_unbind(struct hv_restore *restore, struct hv_restore_domain *work)
{
	const struct hv_evtchn_table *table = &work->domain->evtchns;

	for (uint32_t port = 1; port < table->capacity; port++) {
		struct hv_evtchn *evtchn = &table->ports[port];

		if (evtchn->state != HV_EVTCHN_INTERDOMAIN ||
		    is_mutual(restore, work->domain, port))
			continue;
		evtchn->state = HV_EVTCHN_UNBOUND;
		evtchn->number = 0;
	}
}
