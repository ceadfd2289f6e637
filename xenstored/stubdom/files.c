/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 9pfs front-end's platform, and descriptors on top of it. */
#include "stubdom/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/log.h"
#include "daemon/paths.h"
#include "stubdom/layout.h"
#include "stubdom/ring0/clock.h"
#include "stubdom/ring0/console.h"
#include "stubdom/ring0/events.h"
#include "stubdom/ring0/grants.h"
#include "stubdom/ring0/memory.h"
#include "stubdom/ring0/state.h"
#include "stubdom/ring0/system-call.h"

#define NS_PER_MS 1000000u

#define LOG_FILE "xenstored.log"

/* Descriptors. */
#define TRACE_FD  SYSTEM_FIRST_FILE
#define REPORT_FD (SYSTEM_FIRST_FILE + 1)

/* Below our home; the watch's events are not looked into. */
#define DEVICE	"device/9pfs/0"
#define BACKEND DEVICE "/backend"

/* The system calls know no context: there is one program. */
static struct files *the_files;

static struct files *of_platform(struct ninep_platform *platform)
{
	return (struct files *)(void *)platform;
}

/* ---- what the front-end needs ---- */

static uint64_t now(struct ninep_platform *platform)
{
	(void)platform;
	return clock_monotonic_ns() / NS_PER_MS;
}

static void notify(struct ninep_platform *platform, uint32_t port)
{
	evtchn_notify(of_platform(platform)->evtchn, port);
}

/* Other events that come in meanwhile are noted by their listeners, and served afterwards. */
static void wait_for_event(struct ninep_platform *platform, uint32_t port, uint64_t deadline)
{
	struct files *files = of_platform(platform);

	(void)port;
	files->event = false;
	files->events(files->events_data);
	while (!files->event && now(platform) < deadline) {
		events_wait(deadline >= UINT64_MAX / NS_PER_MS ? EVENTS_NEVER
							       : deadline * NS_PER_MS);
		files->events(files->events_data);
	}
}

static int read_node(struct ninep_platform *platform, const char *path, char *value, size_t size)
{
	return own_client_read(&of_platform(platform)->own, path, value, size);
}

static int write_node(struct ninep_platform *platform, const char *path, const char *value)
{
	return own_client_write(&of_platform(platform)->own, path, value);
}

/* Each page has its entry, so that the next image knows it without being told. */
static int grant(struct ninep_platform *platform, unsigned int domid, void *page, uint32_t *ref)
{
	(void)platform;
	*ref = LAYOUT_GRANT_9PFS +
	       (uint32_t)(((uintptr_t)page - ring0_state()->files_pages) >> LAYOUT_PAGE_SHIFT);
	return grants_give(*ref, domid, page);
}

static int ungrant(struct ninep_platform *platform, uint32_t ref)
{
	(void)platform;
	return grants_take_back(ref);
}

static int alloc_port(struct ninep_platform *platform, unsigned int domid, uint32_t *port)
{
	struct files *files = of_platform(platform);
	int result = events_alloc(domid), error;

	if (result < 0)
		return result;
	error = evtchn_adopt_port(files->evtchn, (uint32_t)result, &files->listener);
	if (error) {
		events_close((uint32_t)result);
		return error;
	}
	*port = (uint32_t)result;
	return 0;
}

static void close_port(struct ninep_platform *platform, uint32_t port)
{
	evtchn_unbind(of_platform(platform)->evtchn, port);
}

/* What the front-end has to say is not for its own files. */
static void message(struct ninep_platform *platform, const char *text)
{
	(void)platform;
	console_write(text, strlen(text));
	console_write("\n", 1);
}

static const struct ninep_platform_ops platform_ops = {
	.now = now,
	.notify = notify,
	.wait = wait_for_event,
	.read = read_node,
	.write = write_node,
	.grant = grant,
	.ungrant = ungrant,
	.alloc_port = alloc_port,
	.close_port = close_port,
	.message = message,
};

/* ---- descriptors ---- */

/* The name below the shared directory, or NULL for a file elsewhere. */
static const char *name_of(const char *path)
{
	static const char directory[] = XENSTORED_LIBDIR "/";

	return strncmp(path, directory, sizeof(directory) - 1) ? NULL
							       : path + sizeof(directory) - 1;
}

static void report_done(struct ninep_job *job, int error)
{
	struct files *files = the_files;

	(void)job;
	files->report_queued = false;
	free(files->report);
	files->report = NULL;
	if (error)
		log_message(LOG_WARNING, "Could not write %s: %s", files->report_name,
			    strerror(-error));
}

static ssize_t report_piece(struct ninep_job *job, uint64_t offset, void *piece, size_t room)
{
	const struct files *files = the_files;
	size_t left = files->report_len - (size_t)offset;

	(void)job;
	if (room > left)
		room = left;
	memcpy(piece, files->report + offset, room);
	return (ssize_t)room;
}

static long open_report(struct files *files, const char *name)
{
	if (files->report_open || files->report_queued)
		return -EBUSY;
	if (strlen(name) > NINEP_NAME_MAX)
		return -ENAMETOOLONG;
	files->report = malloc(FILES_REPORT_MAX);
	if (!files->report)
		return -ENOMEM;
	strcpy(files->report_name, name);
	files->report_len = 0;
	files->report_open = true;
	return REPORT_FD;
}

static long open_file(const char *path, int flags)
{
	struct files *files = the_files;
	const char *name = name_of(path);
	int error;

	if (!name)
		return -ENOENT;
	if ((flags & O_ACCMODE) != O_WRONLY)
		return -EACCES;
	if (!files->trace->name || strcmp(path, files->trace->name) != 0)
		return open_report(files, name);
	/* A report that goes where the trace goes is a part of it. */
	error = ninep_append_open(files->ninep, NINEP_TRACE, name);
	return error ? error : TRACE_FD;
}

static long write_report(struct files *files, const void *data, size_t len)
{
	if (len > FILES_REPORT_MAX - files->report_len)
		return -EFBIG;
	memcpy(files->report + files->report_len, data, len);
	files->report_len += len;
	return (long)len;
}

static long write_file(int fd, const void *data, size_t len)
{
	struct files *files = the_files;

	if (fd == REPORT_FD && files->report_open)
		return write_report(files, data, len);
	if (fd != TRACE_FD)
		return -EBADF;
	/* Tracing what tracing does would not end. */
	if (!files->own.busy)
		ninep_append(files->ninep, NINEP_TRACE, data, len);
	return (long)len;
}

static long close_file(int fd)
{
	struct files *files = the_files;

	/* What is queued for the trace is still written. */
	if (fd == TRACE_FD)
		return 0;
	if (fd != REPORT_FD || !files->report_open)
		return -EBADF;
	files->report_open = false;
	files->report_queued = true;
	files->report_job = (struct ninep_job){
		.kind = NINEP_WRITE,
		.name = files->report_name,
		.fill = report_piece,
		.done = report_done,
	};
	if (ninep_submit(files->ninep, &files->report_job))
		report_done(&files->report_job, -EINVAL);
	return 0;
}

static const struct system_files system_files = {
	.open = open_file,
	.write = write_file,
	.close = close_file,
};

/* ---- the loop's side ---- */

static void fired(struct evtchn_listener *listener)
{
	struct files *files = (struct files *)(void *)((char *)listener -
						       offsetof(struct files, listener));

	files->event = true;
}

static void watch_fired(void *data)
{
	struct files *files = data;

	files->changed = true;
}

int files_init(struct files *files, const struct trace *trace, const struct ninep_saved *saved)
{
	struct ninep_memory memory = {.order = LAYOUT_FILES_ORDER};
	struct ring0_state *state = ring0_state();

	memset(files, 0, sizeof(*files));
	if (!state->files_pages)
		state->files_pages = memory_map_top(&ring0_memory,
						    LAYOUT_FILES_PAGES * LAYOUT_PAGE);
	if (!state->files_pages)
		return -ENOMEM;
	memory.interface = (void *)(uintptr_t)state->files_pages;
	memory.data = (char *)memory.interface + LAYOUT_PAGE;
	files->platform.ops = &platform_ops;
	files->trace = trace;
	files->listener.fired = fired;
	files->own.fired = watch_fired;
	files->own.data = files;
	files->ninep = ninep_new(&files->platform, &memory, saved);
	if (!files->ninep)
		return -ENOMEM;
	the_files = files;
	ninep_append_open(files->ninep, NINEP_LOG, LOG_FILE);
	system_set_files(&system_files);
	return 0;
}

void files_listen(struct files *files, struct evtchn *evtchn, void (*events)(void *data),
		  void *events_data)
{
	uint32_t port = ninep_port(files->ninep);

	files->evtchn = evtchn;
	files->events = events;
	files->events_data = events_data;
	if (port)
		evtchn_adopt_port(evtchn, port, &files->listener);
}

int files_start(struct files *files, struct core *core)
{
	int error;

	error = own_client_open(&files->own, core);
	if (!error)
		error = own_client_watch(&files->own, DEVICE, true);
	files->changed = true;
	return error;
}

/* The back-end's state is not below our device: watch it there. */
static void watch_backend(struct files *files)
{
	char path[sizeof(files->backend)] = "";

	if (own_client_read(&files->own, BACKEND, path, sizeof(path) - sizeof("/state")))
		path[0] = 0;
	else
		strcat(path, "/state");
	if (!strcmp(path, files->backend))
		return;
	if (files->backend[0])
		own_client_watch(&files->own, files->backend, false);
	files->backend[0] = 0;
	if (path[0] == '/' && !own_client_watch(&files->own, path, true))
		strcpy(files->backend, path);
}

int files_turn(struct files *files)
{
	uint64_t due, time;

	if (!files->own.client)
		return -1;
	if (files->changed) {
		files->changed = false;
		watch_backend(files);
		ninep_changed(files->ninep);
	}
	files->event = false;
	ninep_turn(files->ninep);
	due = ninep_timeout(files->ninep);
	if (files->changed || files->event)
		return 0;
	if (due == NINEP_NEVER)
		return -1;
	time = now(&files->platform);
	return due <= time ? 0 : due - time < INT32_MAX ? (int)(due - time) : INT32_MAX;
}

void files_go_on(struct files *files)
{
	ninep_append_open(files->ninep, NINEP_LOG, LOG_FILE);
	if (files->trace->name)
		ninep_append_open(files->ninep, NINEP_TRACE, name_of(files->trace->name));
}

void files_log(struct files *files, const char *text)
{
	char line[LOG_TEXT_MAX + 32];
	time_t seconds = (time_t)(clock_wall_ns() / 1000000000u);
	struct tm tm;
	size_t len;

	if (!gmtime_r(&seconds, &tm))
		return;
	len = strftime(line, sizeof(line), "%Y-%m-%d %H:%M:%S ", &tm);
	len += (size_t)snprintf(line + len, sizeof(line) - len, "%s", text);
	if (len >= sizeof(line) - 1)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	ninep_append(files->ninep, NINEP_LOG, line, len);
}
