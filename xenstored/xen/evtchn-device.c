/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The event channel device of Linux. */
#include <xenevtchn.h>

#include "xen/evtchn-device.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "core/core.h"

/* Events taken in one turn. */
#define EVENTS_AT_ONCE 64

static struct evtchn_device *of(struct evtchn *evtchn)
{
	return (struct evtchn_device *)(void *)evtchn;
}

/* The library says -1 and errno, mostly. */
static int result_of(int port)
{
	if (port >= 0)
		return port;
	return errno ? -errno : -EIO;
}

static int bind_domain(struct evtchn *evtchn, unsigned int domid, uint32_t remote_port)
{
	errno = 0;
	return result_of(xenevtchn_bind_interdomain(of(evtchn)->handle, domid, remote_port));
}

static int bind_virq(struct evtchn *evtchn, unsigned int virq)
{
	errno = 0;
	return result_of(xenevtchn_bind_virq(of(evtchn)->handle, virq));
}

static void unbind(struct evtchn *evtchn, uint32_t port)
{
	xenevtchn_unbind(of(evtchn)->handle, port);
}

static void notify(struct evtchn *evtchn, uint32_t port)
{
	xenevtchn_notify(of(evtchn)->handle, port);
}

static const struct evtchn_ops device_ops = {
	.bind = bind_domain,
	.bind_virq = bind_virq,
	.unbind = unbind,
	.notify = notify,
};

int evtchn_device_open(struct evtchn_device *device, int fd)
{
	int flags;

	memset(device, 0, sizeof(*device));
	evtchn_init(&device->evtchn, &device_ops);
	device->handle = fd < 0 ? xenevtchn_open(NULL, 0) : xenevtchn_fdopen(NULL, fd, 0);
	if (!device->handle)
		return -errno;
	device->source.fd = xenevtchn_fd(device->handle);
	flags = fcntl(device->source.fd, F_GETFL);
	if (flags < 0 || fcntl(device->source.fd, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	return 0;
}

/*
 * Let the ports fire again. The device takes them all at once, but where it is stood in for by a
 * stream, that may be full for a moment; a port that is not given back would be deaf for ever.
 */
static int give_back(const struct evtchn_device *device, const evtchn_port_t *port, size_t count)
{
	struct pollfd room = {.fd = device->source.fd, .events = POLLOUT};
	const char *from = (const char *)port;
	size_t left = count * sizeof(*port);

	while (left) {
		ssize_t done = write(device->source.fd, from, left);

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
	struct evtchn_device *device = source->data;
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
	error = give_back(device, port, count);
	if (error)
		core_log(loop->core, LOG_ERR, "event channel device: %s", strerror(-error));
	for (size_t i = 0; i < count; i++)
		evtchn_fired(&device->evtchn, port[i]);
}

int evtchn_device_give_all_back(struct evtchn_device *device)
{
	const struct evtchn *evtchn = &device->evtchn;
	int error = 0;

	for (uint32_t port = 1; port < evtchn->ports && !error; port++)
		if (evtchn->by_port[port])
			error = give_back(device, &port, 1);
	return error;
}

bool evtchn_device_close_stray(struct evtchn_device *device, uint32_t port)
{
	if (port < device->evtchn.ports && device->evtchn.by_port[port])
		return false;
	return !xenevtchn_unbind(device->handle, port);
}

int evtchn_device_start(struct evtchn_device *device, struct loop *loop)
{
	device->source.ready = deliver;
	device->source.data = device;
	return loop_add(loop, &device->source, false);
}
