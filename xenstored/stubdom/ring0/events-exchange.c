/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event channels that go to a program of another kind, or come from one.
 *
 * Such a program knows the older interface only, and nothing of where our event words are; there is
 * no way back to it but to close everything. So everything is closed, and bound again: the other
 * end of a channel that was closed waits for us, and nobody at that end notices. Ports are given
 * out from the lowest free number on. Done in order, with place-holders for the numbers that were
 * free, each channel gets its old number, so a state that was written before stays true.
 */
#include "stubdom/ring0/events.h"

#include <errno.h>
#include <string.h>

#include "stubdom/layout.h"
#include "stubdom/ring0/hypercall.h"
#include "stubdom/ring0/ring0.h"
#include "stubdom/ring0/state.h"

#include <xen/event_channel.h>

/* All that the older interface can have. */
#define PORTS EVTCHN_2L_NR_CHANNELS

static struct old_port {
	uint32_t status; /* EVTCHNSTAT_ */
	domid_t domid;
	uint32_t remote; /* port */
} old[PORTS];

static int event_op(unsigned int op, void *argument)
{
	return (int)hypercall_op(__HYPERVISOR_event_channel_op, op, argument);
}

/* Returns an error for a port that there cannot be, as there cannot be any above it. */
static int port_status(uint32_t port, struct evtchn_status *status)
{
	*status = (struct evtchn_status){.dom = DOMID_SELF, .port = port};
	return event_op(EVTCHNOP_status, status);
}

int events_find_virq(unsigned int virq)
{
	struct evtchn_status status;

	for (uint32_t port = 1; !port_status(port, &status); port++)
		if (status.status == EVTCHNSTAT_virq && status.u.virq == virq)
			return (int)port;
	return -ENOENT;
}

int events_take_over(void)
{
	struct evtchn_status status;
	int error = 0;

	for (uint32_t port = 1; !error && !port_status(port, &status); port++)
		if (status.status != EVTCHNSTAT_closed)
			error = events_adopt(port);
	return error;
}

/* What there is, up to *@last. Returns -ENOSPC when the older interface cannot have it. */
static int look(uint32_t *last)
{
	struct evtchn_status status;

	*last = 0;
	memset(old, 0, sizeof(old));
	for (uint32_t port = 1; !port_status(port, &status); port++) {
		if (status.status == EVTCHNSTAT_closed)
			continue;
		if (port >= PORTS)
			return -ENOSPC;
		old[port].status = status.status;
		if (status.status == EVTCHNSTAT_unbound) {
			old[port].domid = status.u.unbound.dom;
		} else if (status.status == EVTCHNSTAT_interdomain) {
			old[port].domid = status.u.interdomain.dom;
			old[port].remote = status.u.interdomain.port;
		}
		*last = port;
	}
	return 0;
}

int events_can_leave(void)
{
	uint32_t last;

	return look(&last);
}

static int alloc(unsigned int domid)
{
	struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = (domid_t)domid};
	int error = event_op(EVTCHNOP_alloc_unbound, &alloc);

	return error ? error : (int)alloc.port;
}

static int bind(const struct old_port *port)
{
	struct evtchn_bind_interdomain bind = {.remote_dom = port->domid,
					       .remote_port = port->remote};
	int error = event_op(EVTCHNOP_bind_interdomain, &bind);

	return error ? error : (int)bind.local_port;
}

/* Have something at @port again, the next that is free. Returns whether it is a place-holder. */
static bool put_back(uint32_t port)
{
	const struct old_port *was = &old[port];
	/* Of a channel between two ends of ours the lower one waits for the other. */
	bool waits = was->status == EVTCHNSTAT_interdomain && was->remote > port &&
		     was->domid == ring0.hypervisor.domid;

	if (was->status == EVTCHNSTAT_unbound || waits)
		return alloc(was->domid) < 0;
	if (was->status == EVTCHNSTAT_interdomain && bind(was) >= 0)
		return false;
	/* Also for a guest that has gone meanwhile: whoever comes next learns of that. */
	alloc(DOMID_SELF);
	return true;
}

int events_leave(void)
{
	struct shared_info *shared = (struct shared_info *)(uintptr_t)LAYOUT_SHARED_INFO;
	struct evtchn_reset reset = {.dom = DOMID_SELF};
	uint32_t last;
	int error = look(&last);

	if (!error)
		error = event_op(EVTCHNOP_reset, &reset);
	if (error)
		return error;
	memset(shared->evtchn_mask, 0xff, sizeof(shared->evtchn_mask));
	memset(shared->evtchn_pending, 0, sizeof(shared->evtchn_pending));
	for (uint32_t port = 1; port <= last; port++)
		if (put_back(port))
			old[port].status = EVTCHNSTAT_closed;
	for (uint32_t port = 1; port <= last; port++)
		if (old[port].status == EVTCHNSTAT_closed)
			events_close(port);
	return 0;
}
