/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of listeners. */
#include "xen/evtchn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void evtchn_init(struct evtchn *evtchn, const struct evtchn_ops *ops)
{
	memset(evtchn, 0, sizeof(*evtchn));
	evtchn->ops = ops;
}

void evtchn_deinit(struct evtchn *evtchn)
{
	free(evtchn->by_port);
	evtchn->by_port = NULL;
	evtchn->ports = 0;
}

/* Room for @port in the table. */
static int grow(struct evtchn *evtchn, uint32_t port)
{
	uint32_t size = evtchn->ports ? evtchn->ports : 64;
	struct evtchn_listener **table;

	if (port >= EVTCHN_PORTS_MAX)
		return -EINVAL;
	while (size <= port)
		size *= 2;
	if (size == evtchn->ports)
		return 0;
	table = realloc(evtchn->by_port, size * sizeof(*table));
	if (!table)
		return -ENOMEM;
	memset(table + evtchn->ports, 0, (size - evtchn->ports) * sizeof(*table));
	evtchn->by_port = table;
	evtchn->ports = size;
	return 0;
}

static int listen_on(struct evtchn *evtchn, int port, struct evtchn_listener *listener)
{
	int error;

	if (port < 0)
		return port;
	error = grow(evtchn, (uint32_t)port);
	if (error) {
		evtchn->ops->unbind(evtchn, (uint32_t)port);
		return error;
	}
	evtchn->by_port[port] = listener;
	return port;
}

int evtchn_bind(struct evtchn *evtchn, unsigned int domid, uint32_t remote_port,
		struct evtchn_listener *listener)
{
	return listen_on(evtchn, evtchn->ops->bind(evtchn, domid, remote_port), listener);
}

int evtchn_adopt_port(struct evtchn *evtchn, uint32_t port, struct evtchn_listener *listener)
{
	int error = port ? grow(evtchn, port) : -EINVAL;

	if (!error && evtchn->by_port[port])
		error = -EBUSY;
	if (!error)
		evtchn->by_port[port] = listener;
	return error;
}

int evtchn_bind_virq(struct evtchn *evtchn, unsigned int virq, struct evtchn_listener *listener)
{
	return listen_on(evtchn, evtchn->ops->bind_virq(evtchn, virq), listener);
}

void evtchn_unbind(struct evtchn *evtchn, uint32_t port)
{
	if (!port || port >= evtchn->ports)
		return;
	evtchn->by_port[port] = NULL;
	evtchn->ops->unbind(evtchn, port);
}

void evtchn_notify(struct evtchn *evtchn, uint32_t port)
{
	if (port)
		evtchn->ops->notify(evtchn, port);
}

void evtchn_fired(struct evtchn *evtchn, uint32_t port)
{
	if (port < evtchn->ports && evtchn->by_port[port])
		evtchn->by_port[port]->fired(evtchn->by_port[port]);
}
