/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The settings of the trace, which are made at run time, in an image. */
#ifndef XENSTORED_DAEMON_TRACE_STATE_H
#define XENSTORED_DAEMON_TRACE_STATE_H

#include "daemon/trace.h"
#include "liveupdate/stream-own.h"

/** Describe @trace; @log points into it. */
void trace_save(const struct trace *trace, struct stream_log *log);

/** Set @trace as described, unless the command line has named another file. */
void trace_restore(struct trace *trace, const struct stream_log *log);

#endif
