/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file's name, on or off, and a switch for each class. */
#include "daemon/trace-state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/log.h"

void trace_save(const struct trace *trace, struct stream_log *log)
{
	const char *name = trace->name ? trace->name : "";

	log->flags = trace->fd >= 0 ? STREAM_LOG_ON : 0;
	log->switches = trace->switches;
	log->file = (struct stream_text){name, (uint32_t)strlen(name)};
}

void trace_restore(struct trace *trace, const struct stream_log *log)
{
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
