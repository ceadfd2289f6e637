/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the command line sets, in whatever process the core runs.
 */
#ifndef XENSTORED_DAEMON_SETTINGS_H
#define XENSTORED_DAEMON_SETTINGS_H

#include "core/core.h"
#include "daemon/options.h"
#include "daemon/trace.h"

/** Read the command line. Ends the process where it is wrong, or only asks for a text. */
void settings_read(struct options *options, int argc, char **argv);

/** What of it concerns the core: quotas, timeouts, orphans. */
void settings_fill(const struct options *options, struct core_config *config);

/** Initialize @trace, set its switches, and open its file if there is one; no failure is fatal. */
void settings_open_trace(const struct options *options, struct trace *trace);

#endif
