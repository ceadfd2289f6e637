/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the administrator sees and asks of the process: the core's log and
 * trace, and those CONTROL commands that concern files.
 */
#ifndef XENSTORED_DAEMON_ADMINISTRATION_H
#define XENSTORED_DAEMON_ADMINISTRATION_H

#include "core/core.h"
#include "daemon/trace.h"
#include "liveupdate/migration.h"

struct administration {
	struct logger logger; /* for struct world */
	struct trace trace;   /* the caller initializes it */
	struct core *core;
	struct update *update;
	struct migration migration;
};

/** Connect the trace, the log and the control commands to @core. */
void administration_attach(struct administration *administration, struct core *core,
			   struct update *update);

/** Fill administration->logger, before the core is made. */
void administration_init(struct administration *administration);

#endif
