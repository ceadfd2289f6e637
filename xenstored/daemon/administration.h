/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the administrator sees and asks of the process: the core's log and
 * trace, and those CONTROL commands that concern files.
 */
#ifndef XENSTORED_DAEMON_ADMINISTRATION_H
#define XENSTORED_DAEMON_ADMINISTRATION_H

#include <stdio.h>

#include "control/control.h"
#include "core/core.h"
#include "daemon/trace.h"
#include "liveupdate/migration.h"

/* Who replaces the program; as in struct control_ops. */
struct administration_update {
	int (*control)(void *data, struct request *request, const struct arg *args, size_t count,
		       struct control_text *out);
	void (*client_gone)(void *data, const struct client *client);
};

struct administration {
	struct logger logger; /* for struct world */
	struct trace trace;   /* the caller initializes it */
	struct core *core;
	const struct administration_update *update;
	void *update_data;
	struct migration migration;
	void (*report)(FILE *out); /* the platform's lines of a memory report, or NULL */
};

/** Connect the trace, the log and the control commands to @core. */
void administration_attach(struct administration *administration, struct core *core,
			   const struct administration_update *update, void *update_data);

/** Fill administration->logger, before the core is made. */
void administration_init(struct administration *administration);

#endif
