/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the process gives to an image and makes of one: connections for descriptors and ports, and
 * the settings of the trace.
 */
#include "daemon/update-parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/log.h"

static struct client *adopt_socket(void *data, int fd)
{
	struct update *update = data;

	return sockets_adopt(update->sockets, fd);
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
	const char *name = update->trace->name ? update->trace->name : "";

	log->flags = update->trace->fd >= 0 ? STREAM_LOG_ON : 0;
	log->switches = update->trace->switches;
	log->file = (struct stream_text){name, (uint32_t)strlen(name)};
}

static void set_log(void *data, const struct stream_log *log)
{
	struct update *update = data;
	struct trace *trace = update->trace;
	bool same = trace->name && !strcmp(trace->name, log->file.data);

	/* A command line that names another file means it. */
	if (trace->name && !same)
		return;
	for (enum trace_class i = 0; i < TRACE_CLASSES; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%c%s", log->switches & (1u << i) ? '+' : '-',
			 trace_class_name(i));
		trace_switch(trace, text);
	}
	if (!(log->flags & STREAM_LOG_ON))
		trace_close(trace);
	else if ((!same || trace->fd < 0) && trace_open(trace, log->file.data))
		log_message(LOG_WARNING, "Could not open trace file %s: %s", log->file.data,
			    strerror(errno));
}

void update_process_init(struct update *update)
{
	update->process.data = update;
	update->process.adopt_socket = adopt_socket;
	update->process.adopt_ring = adopt_ring;
	update->process.get_log = get_log;
	update->process.set_log = set_log;
}
