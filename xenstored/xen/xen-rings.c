/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Binding, and the transport of a ring. */
#include "xen/xen-rings.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"

struct xen_ring {
	struct ring ring; /* first */
	struct evtchn_listener listener;
	struct xen_rings *rings;
	struct client **slot;
	unsigned int domid;
	uint32_t port;	      /* local, 0 = none */
	uint32_t remote_port; /* the domain's, 0 = not known */
};

static struct xen_ring *of_transport(struct transport *transport)
{
	return (struct xen_ring *)(void *)transport;
}

static struct xen_rings *of_rings(struct rings *rings)
{
	return (struct xen_rings *)(void *)rings;
}

static void notify(struct ring *ring)
{
	struct xen_ring *xen = (struct xen_ring *)(void *)ring;

	evtchn_notify(xen->rings->evtchn, xen->port);
}

static ssize_t receive(struct transport *transport, void *data, size_t len)
{
	return ring_receive(&of_transport(transport)->ring, data, len);
}

static ssize_t send_bytes(struct transport *transport, const void *data, size_t len)
{
	return ring_send(&of_transport(transport)->ring, data, len);
}

static void fail(struct transport *transport, int error)
{
	struct xen_ring *xen = of_transport(transport);
	const struct domain *domain = domain_find(&xen->rings->core->state.domains, xen->domid);

	/* Only a guest that was offered the word may be told by it. */
	if (domain && (domain->features & XS_FEATURE_ERROR))
		ring_fail(&xen->ring, (uint32_t)error);
}

static void unmap(struct xen_ring *xen)
{
	struct ring_pages *pages = xen->rings->pages;

	pages->unmap(pages, xen->domid, (void *)(uintptr_t)xen->ring.page);
}

static void close_ring(struct transport *transport)
{
	struct xen_ring *xen = of_transport(transport);

	evtchn_unbind(xen->rings->evtchn, xen->port);
	unmap(xen);
	free(xen);
}

static void describe(struct transport *transport, struct transport_place *place)
{
	place->fd = -1;
	place->port = of_transport(transport)->port;
	place->remote_port = of_transport(transport)->remote_port;
}

static void bound(struct transport *transport, uint32_t remote_port)
{
	of_transport(transport)->remote_port = remote_port;
}

static const struct transport_ops ring_ops = {
	.receive = receive,
	.send = send_bytes,
	.fail = fail,
	.close = close_ring,
	.describe = describe,
	.bound = bound,
};

/* The guest has done something: look at both directions. */
static void fired(struct evtchn_listener *listener)
{
	struct xen_ring *xen = (struct xen_ring *)(void *)((char *)listener -
							   offsetof(struct xen_ring, listener));
	const struct domain *domain = domain_find(&xen->rings->core->state.domains, xen->domid);

	if (domain && domain->client)
		core_ready(xen->rings->core, domain->client, true, true, false);
}

/* A ring whose page is mapped, without a port. */
static int new_ring(struct xen_rings *rings, unsigned int domid, struct xen_ring **out)
{
	struct xen_ring *xen = calloc(1, sizeof(*xen));
	void *page;
	int result;

	if (!xen)
		return -ENOMEM;
	xen->rings = rings;
	xen->domid = domid;
	xen->ring.transport.ops = &ring_ops;
	xen->ring.notify = notify;
	xen->listener.fired = fired;
	result = rings->pages->map(rings->pages, domid, &page);
	if (result) {
		free(xen);
		return result;
	}
	ring_attach(&xen->ring, page);
	*out = xen;
	return 0;
}

static int connect_ring(struct rings *base, unsigned int domid, unsigned int port,
			unsigned int features, struct transport **out)
{
	struct xen_rings *rings = of_rings(base);
	struct xen_ring *xen;
	uint32_t stated;
	int result = new_ring(rings, domid, &xen);

	if (result)
		return result;
	/* A domain that the hypervisor set up says in its page which port it listens on. */
	stated = __atomic_load_n(&xen->ring.page->evtchn_port, __ATOMIC_SEQ_CST);
	if (stated)
		port = stated;
	result = port ? evtchn_bind(rings->evtchn, domid, port, &xen->listener) : -EINVAL;
	if (result < 0) {
		unmap(xen);
		free(xen);
		return result;
	}
	xen->port = (uint32_t)result;
	xen->remote_port = port;
	__atomic_store_n(&xen->ring.page->server_features, features, __ATOMIC_SEQ_CST);
	*out = &xen->ring.transport;
	return 0;
}

int xen_rings_adopt(struct xen_rings *rings, unsigned int domid, uint32_t port,
		    struct transport **out)
{
	struct xen_ring *xen;
	int result = new_ring(rings, domid, &xen);

	if (result)
		return result;
	result = evtchn_adopt_port(rings->evtchn, port, &xen->listener);
	if (result < 0) {
		unmap(xen);
		free(xen);
		return result;
	}
	xen->port = port;
	*out = &xen->ring.transport;
	return 0;
}

static int rebind(struct rings *base, struct transport *transport, unsigned int port)
{
	struct xen_ring *xen = of_transport(transport);
	struct xen_rings *rings = of_rings(base);
	int result = evtchn_bind(rings->evtchn, xen->domid, port, &xen->listener);

	/*
	 * The same port again is bound to us already, which makes binding it anew impossible
	 * until the old end is closed. For another port that must not be tried: there would be no
	 * way back. It is not known which port it is only after an update from an older version.
	 */
	if (result < 0 && xen->port && (!xen->remote_port || xen->remote_port == port)) {
		evtchn_unbind(rings->evtchn, xen->port);
		xen->port = 0;
		result = evtchn_bind(rings->evtchn, xen->domid, port, &xen->listener);
	}
	if (result < 0)
		return result;
	if (xen->port)
		evtchn_unbind(rings->evtchn, xen->port);
	xen->port = (uint32_t)result;
	xen->remote_port = port;
	return 0;
}

static void reset(struct rings *base, struct transport *transport)
{
	(void)base;
	ring_reset(&of_transport(transport)->ring);
}

static void connected(struct rings *base, struct transport *transport)
{
	(void)base;
	ring_connected(&of_transport(transport)->ring);
}

void xen_rings_init(struct xen_rings *rings, struct evtchn *evtchn, struct ring_pages *pages)
{
	memset(rings, 0, sizeof(*rings));
	rings->evtchn = evtchn;
	rings->pages = pages;
	rings->rings.connect = connect_ring;
	rings->rings.rebind = rebind;
	rings->rings.reset = reset;
	rings->rings.connected = connected;
}
