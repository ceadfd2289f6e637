/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Log, trace and reports. */
#include "daemon/administration.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/control.h"
#include "daemon/log.h"
#include "daemon/paths.h"
#include "verbs/transaction.h"

static struct administration *of(struct logger *logger)
{
	return (struct administration *)logger; /* its first member */
}

static enum trace_class trace_class_of(enum log_class class)
{
	switch (class) {
	case LOG_OBJ:
		return TRACE_OBJ;
	case LOG_IO:
		return TRACE_IO;
	case LOG_WRL:
		return TRACE_WRL;
	case LOG_ACC:
		return TRACE_ACC;
	case LOG_TDB:
		return TRACE_TDB;
	case LOG_CLASS_NONE:
		break;
	}
	return TRACE_CLASSES; /* its bit is TRACE_ANY */
}

static void log_text(struct logger *logger, int priority, const char *text)
{
	(void)logger;
	log_message(priority, "%s", text);
}

static bool log_enabled(struct logger *logger, enum log_class class)
{
	return trace_enabled(&of(logger)->trace, trace_class_of(class));
}

static void log_trace(struct logger *logger, enum log_class class, const char *text)
{
	if (class == LOG_CLASS_NONE)
		trace_line(&of(logger)->trace, "%s", text);
	else
		trace_class(&of(logger)->trace, trace_class_of(class), "%s", text);
}

static void log_io(struct logger *logger, enum log_direction direction, uint64_t client,
		   unsigned int domid, uint32_t type, const void *payload, size_t len)
{
	trace_io(&of(logger)->trace, direction == LOG_IN ? TRACE_IN : TRACE_OUT, client, domid,
		 type, payload, len);
}

void administration_init(struct administration *administration)
{
	administration->logger.message = log_text;
	administration->logger.enabled = log_enabled;
	administration->logger.trace = log_trace;
	administration->logger.io = log_io;
}

static int log_switch(void *data, const char *how)
{
	struct administration *administration = data;

	if (!strcmp(how, "on"))
		trace_reopen(&administration->trace);
	else if (!strcmp(how, "off"))
		trace_close(&administration->trace);
	else if (trace_switch(&administration->trace, how))
		return EINVAL;
	return 0;
}

static void log_settings(void *data, struct control_text *out)
{
	struct administration *administration = data;

	for (enum trace_class i = 0; i < TRACE_CLASSES; i++)
		control_print(out, "%-8s: %s\n", trace_class_name(i),
			      trace_class_is_on(&administration->trace, i) ? "on" : "off");
}

static int logfile(void *data, const char *name)
{
	struct administration *administration = data;

	trace_open(&administration->trace, name);
	return 0;
}

static void print(void *data, const char *text)
{
	(void)data;
	log_print("control: %s", text);
}

/* One line for each thing that takes memory. */
static void report(const struct core *core, FILE *out)
{
	const struct state *state = &core->state;
	struct mallinfo2 heap = mallinfo2();

	fprintf(out, "memory report:\n");
	fprintf(out, "store: %zu bytes in nodes and pages, %zu nodes\n", state->store.bytes,
		state->store.nodes);
	fprintf(out, "live tree: %zu bytes\n", state->live.bytes);
	fprintf(out, "snapshots: %zu bytes held by %u transactions\n", transaction_held_bytes(core),
		core->transaction_count);
	fprintf(out, "permission lists: %zu bytes in %zu lists\n", state->store.perms.bytes,
		state->store.perms.lists.count);
	fprintf(out, "ownership roots: %zu bytes\n", state->ownership.bytes);
	fprintf(out, "watches: %zu bytes in %u watches\n", core->watches.bytes,
		core->watches.count);
	fprintf(out, "clients: %u\n", core->client_count);
	fprintf(out, "queued output: %llu bytes\n", (unsigned long long)core->output_bytes);
	fprintf(out, "domains: %u\n", state->domains.count);
	fprintf(out, "heap: %zu bytes in use, %zu free, %zu mapped\n", heap.uordblks, heap.fordblks,
		heap.hblkhd);
}

static int memreport(void *data, const char *name)
{
	struct administration *administration = data;
	const char *trace = administration->trace.name;
	char path[PATH_SIZE];
	FILE *out;
	int fd;

	if (!name) {
		if (!trace || !administration->trace.active)
			return EINVAL;
		name = trace;
	}
	if (paths_below_libdir(path, sizeof(path), XENSTORED_LIBDIR, name))
		return EINVAL;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0600);
	if (fd < 0)
		return EINVAL;
	out = fdopen(fd, "a");
	if (!out) {
		close(fd);
		return EINVAL;
	}
	report(administration->core, out);
	if (administration->report)
		administration->report(out);
	fclose(out);
	return 0;
}

static int live_update(void *data, struct request *request, const struct arg *args, size_t count,
		       struct control_text *out)
{
	struct administration *administration = data;

	return administration->update->control(administration->update_data, request, args, count,
					       out);
}

static int migrate(void *data, struct request *request, const struct arg *args, size_t count,
		   struct control_text *out)
{
	struct administration *administration = data;

	return migration_control(&administration->migration, request, args, count, out);
}

static void client_gone(void *data, const struct client *client)
{
	struct administration *administration = data;

	migration_client_gone(&administration->migration, client);
	administration->update->client_gone(administration->update_data, client);
}

static const struct control_ops control = {
	.live_update = live_update,
	.migrate = migrate,
	.client_gone = client_gone,
	.log_switch = log_switch,
	.log_settings = log_settings,
	.logfile = logfile,
	.memreport = memreport,
	.print = print,
};

void administration_attach(struct administration *administration, struct core *core,
			   const struct administration_update *update, void *update_data)
{
	administration->update = update;
	administration->update_data = update_data;
	administration->core = core;
	core->control = &control;
	core->control_data = administration;
}
