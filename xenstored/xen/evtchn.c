/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The event channel device of Linux. */
#include <xenevtchn.h>

#include "xen/evtchn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/core.h"

/* Events taken in one turn. */
#define EVENTS_AT_ONCE 64

int evtchn_open(struct evtchn *evtchn, int fd)
{
	int flags;

	memset(evtchn, 0, sizeof(*evtchn));
	evtchn->handle = fd < 0 ? xenevtchn_open(NULL, 0) : xenevtchn_fdopen(NULL, fd, 0);
	if (!evtchn->handle)
		return -errno;
	evtchn->source.fd = xenevtchn_fd(evtchn->handle);
	flags = fcntl(evtchn->source.fd, F_GETFL);
	if (flags < 0 || fcntl(evtchn->source.fd, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	return 0;
}

void evtchn_close(struct evtchn *evtchn)
{
	if (evtchn->handle)
		xenevtchn_close(evtchn->handle);
	free(evtchn->by_port);
	memset(evtchn, 0, sizeof(*evtchn));
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
		return errno ? -errno : -EIO;
	error = grow(evtchn, (uint32_t)port);
	if (error) {
		xenevtchn_unbind(evtchn->handle, (evtchn_port_t)port);
		return error;
	}
	evtchn->by_port[port] = listener;
	return port;
}

int evtchn_bind(struct evtchn *evtchn, unsigned int domid, uint32_t remote_port,
		struct evtchn_listener *listener)
{
	errno = 0;
	return listen_on(evtchn, xenevtchn_bind_interdomain(evtchn->handle, domid, remote_port),
			 listener);
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
	errno = 0;
	return listen_on(evtchn, xenevtchn_bind_virq(evtchn->handle, virq), listener);
}

void evtchn_unbind(struct evtchn *evtchn, uint32_t port)
{
	if (!port || port >= evtchn->ports)
		return;
	evtchn->by_port[port] = NULL;
	xenevtchn_unbind(evtchn->handle, port);
}

void evtchn_notify(struct evtchn *evtchn, uint32_t port)
{
	if (port)
		xenevtchn_notify(evtchn->handle, port);
}

/*
 * Let the ports fire again. The device takes them all at once, but where it is stood in for by a
 * stream, that may be full for a moment; a port that is not given back would be deaf for ever.
 */
static int give_back(const struct evtchn *evtchn, const evtchn_port_t *port, size_t count)
{
	struct pollfd room = {.fd = evtchn->source.fd, .events = POLLOUT};
	const char *from = (const char *)port;
	size_t left = count * sizeof(*port);

	while (left) {
		ssize_t done = write(evtchn->source.fd, from, left);

		if (done > 0) {
			from += done;
			left -= (size_t)done;
		} else if (!done) {
			return -EIO;
		} else if (errno == EAGAIN) {
			poll(&room, 1, -1);
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

static void deliver(struct loop *loop, struct loop_source *source, uint32_t events)
{
	struct evtchn *evtchn = source->data;
	evtchn_port_t port[EVENTS_AT_ONCE];
	ssize_t got = read(source->fd, port, sizeof(port));
	size_t count = got > 0 ? (size_t)got / sizeof(*port) : 0;
	int error;

	(void)events;
	if (!got || (got < 0 && errno != EAGAIN && errno != EINTR)) {
		/* Without events no guest is served and no death noticed: nothing to go on with. */
		core_log(loop->core, LOG_CRIT, "event channel device: %s",
			 got ? strerror(errno) : "end of file");
		loop->stop = true;
		return;
	}
	/* Given back before the rings are looked at: what comes in now is a new event. */
	error = give_back(evtchn, port, count);
	if (error)
		core_log(loop->core, LOG_ERR, "event channel device: %s", strerror(-error));
	for (size_t i = 0; i < count; i++)
		if (port[i] < evtchn->ports && evtchn->by_port[port[i]])
			evtchn->by_port[port[i]]->fired(evtchn->by_port[port[i]]);
}

int evtchn_give_all_back(struct evtchn *evtchn)
{
	int error = 0;

	for (uint32_t port = 1; port < evtchn->ports && !error; port++)
		if (evtchn->by_port[port])
			error = give_back(evtchn, &port, 1);
	return error;
}

bool evtchn_close_stray(struct evtchn *evtchn, uint32_t port)
{
	if (port < evtchn->ports && evtchn->by_port[port])
		return false;
	return !xenevtchn_unbind(evtchn->handle, port);
}

int evtchn_start(struct evtchn *evtchn, struct loop *loop)
{
	evtchn->source.ready = deliver;
	evtchn->source.data = evtchn;
	return loop_add(loop, &evtchn->source, false);
}
