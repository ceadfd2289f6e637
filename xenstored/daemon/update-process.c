/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the process gives to an image and makes of one: connections for descriptors and ports, and
 * the settings of the trace.
 */
#include "daemon/update-parts.h"

#include <errno.h>
#include <time.h>

#include "daemon/trace-state.h"

static struct client *adopt_socket(void *data, int fd)
{
	struct update *update = data;

	return sockets_adopt(update->sockets, inheritance_take(update->inheritance, fd));
}

static int adopt_ring(void *data, unsigned int domid, uint32_t port, struct transport **transport)
{
	struct update *update = data;

	if (!update->host->has_rings)
		return -ENODEV;
	return xen_rings_adopt(&update->host->rings, domid, port, transport);
}

static void get_log(void *data, struct stream_log *log)
{
	const struct update *update = data;

	trace_save(update->trace, log);
}

static void set_log(void *data, const struct stream_log *log)
{
	struct update *update = data;

	trace_restore(update->trace, log);
}

void update_describe_process(struct update *update)
{
	update->process.created = (uint64_t)time(NULL);
	update->process.listen_fd = update->listener->fd;
	update->process.evtchn_fd = update->host->has_rings ? update->host->device.source.fd : -1;
}

void update_process_init(struct update *update)
{
	update->process.data = update;
	update->process.adopt_socket = adopt_socket;
	update->process.adopt_ring = adopt_ring;
	update->process.get_log = get_log;
	update->process.set_log = set_log;
}
