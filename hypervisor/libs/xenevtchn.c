/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks like libxenevtchn.so.1, on a simulated host. The open device is a socket
 * to the host (see hypervisor/host/protocol.h) and every bound port belongs to
 * it, so a handle made from an inherited descriptor has all the ports of the old one.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <xenevtchn.h>

#include "client.h"

struct xenevtchn_handle {
	int fd;
	uint64_t cookie;
	struct simxen_client *client;
};

static xenevtchn_handle *handle_of(int fd)
{
	xenevtchn_handle *xce = calloc(1, sizeof(*xce));
	int error = xce ? 0 : -ENOMEM;

	if (xce) {
		xce->fd = fd;
		error = simxen_evtchn_cookie(fd, &xce->cookie);
		if (error == 0)
			error = simxen_client_open(&xce->client);
	}
	if (error < 0) {
		free(xce);
		errno = -error;
		return NULL;
	}
	return xce;
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
	xenevtchn_handle *xce;
	char buffer[64];
	int fd;

	(void)logger;
	if (flags & ~(unsigned int)XENEVTCHN_NO_CLOEXEC) {
		errno = EINVAL;
		return NULL;
	}
	fd = simxen_evtchn_connect(simxen_directory(buffer, sizeof(buffer)), simxen_own_domid(),
				   !(flags & XENEVTCHN_NO_CLOEXEC));
	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	xce = handle_of(fd);
	if (!xce)
		close(fd);
	return xce;
}

xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd, unsigned int flags)
{
	(void)logger;
	if (flags) {
		errno = EINVAL;
		return NULL;
	}
	return handle_of(fd);
}

int xenevtchn_close(xenevtchn_handle *xce)
{
	int result;

	if (!xce)
		return 0;
	result = close(xce->fd);
	simxen_client_free(xce->client);
	free(xce);
	return result;
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
	return xce->fd;
}

int xenevtchn_restrict(xenevtchn_handle *xce, domid_t domid)
{
	(void)xce;
	(void)domid;
	errno = EOPNOTSUPP;
	return -1;
}

static int answer(int result)
{
	if (result >= 0)
		return result;
	errno = -result;
	return -1;
}

/* A word that is not answered; what is no port at all is refused at once. */
static int send_port(xenevtchn_handle *xce, evtchn_port_t port, uint32_t flags)
{
	if (port & SIMXEN_EVTCHN_NOTIFY)
		return answer(-EINVAL);
	return answer(simxen_evtchn_send(xce->fd, port | flags));
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
	return send_port(xce, port, SIMXEN_EVTCHN_NOTIFY);
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
	return send_port(xce, port, 0);
}

xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *xce, uint32_t domid)
{
	return answer(simxen_client_ask(xce->client, SIMXEN_EVTCHN_UNBOUND, xce->cookie, domid, 0));
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid,
						     evtchn_port_t remote_port)
{
	return answer(simxen_client_ask(xce->client, SIMXEN_EVTCHN_INTERDOMAIN, xce->cookie, domid,
					remote_port));
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce, unsigned int virq)
{
	return answer(simxen_client_ask(xce->client, SIMXEN_EVTCHN_VIRQ, xce->cookie, virq, 0));
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
	return answer(simxen_client_ask(xce->client, SIMXEN_EVTCHN_UNBIND, xce->cookie, port, 0));
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
	evtchn_port_t port;
	ssize_t length = read(xce->fd, &port, sizeof(port));

	if (length == (ssize_t)sizeof(port))
		return (xenevtchn_port_or_error_t)port;
	if (length >= 0)
		errno = ENODEV;
	return -1;
}
