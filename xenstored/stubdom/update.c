/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A session's words for a new image that comes in pieces, and the steps of an update. */
#include "stubdom/update-parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/trace-state.h"
#include "liveupdate/abilities.h"
#include "stubdom/ring0/clock.h"
#include "stubdom/ring0/memory.h"
#include "stubdom/ring0/pristine.h"
#include "stubdom/ring0/state.h"

/* No image is that large; a number beyond is a mistake. */
#define KERNEL_SIZE_MAX (64u << 20)

/* Memory that a new image needs besides its file and the state, more or less. */
#define COPY_SLACK (1u << 20)

/* ---- what the process gives to an image of the state, and makes of one ---- */

static struct client *adopt_socket(void *data, int fd)
{
	(void)data;
	(void)fd;
	return NULL; /* there are none */
}

static int adopt_ring(void *data, unsigned int domid, uint32_t port, struct transport **transport)
{
	struct stubdom_update *update = data;

	return xen_rings_adopt(&update->host->rings, domid, port, transport);
}

static void get_log(void *data, struct stream_log *log)
{
	const struct stubdom_update *update = data;

	trace_save(update->trace, log);
}

static void set_log(void *data, const struct stream_log *log)
{
	struct stubdom_update *update = data;

	trace_restore(update->trace, log);
}

/* ---- sessions ---- */

static void session_ended(void *data)
{
	struct stubdom_update *update = data;

	if (update->kernel)
		memory_unmap(&ring0_memory, (uintptr_t)update->kernel, update->kernel_size);
	update->kernel = NULL;
	memory_shrink(&ring0_memory);
}

void stubdom_update_init(struct stubdom_update *update, struct core *core,
			 struct stubdom_host *host, struct files *files, struct trace *trace,
			 int argc, char **argv)
{
	memset(update, 0, sizeof(*update));
	update->core = core;
	update->host = host;
	update->files = files;
	update->trace = trace;
	update->argc = argc;
	update->argv = argv;
	update->process = (struct image_process){.listen_fd = -1,
						 .evtchn_fd = -1,
						 .has_own_ring = true,
						 .data = update,
						 .adopt_socket = adopt_socket,
						 .adopt_ring = adopt_ring,
						 .get_log = get_log,
						 .set_log = set_log};
	update_session_init(&update->session, core, session_ended, update);
}

/* A whole number of at most @max, or 0. */
static size_t number(const struct arg *arg, size_t max)
{
	size_t value = 0;

	for (size_t i = 0; i < arg->len; i++) {
		if (arg->text[i] < '0' || arg->text[i] > '9')
			return 0;
		value = value * 10 + (size_t)(arg->text[i] - '0');
		if (value > max)
			return 0;
	}
	return value;
}

static int control_begin(struct stubdom_update *update, struct request *request,
			 const struct arg *size, struct control_text *out)
{
	char why[KERNEL_WHY_MAX];
	size_t bytes = number(size, KERNEL_SIZE_MAX);

	if (!bytes)
		return EINVAL;
	if (!update_session_open(&update->session, request, out))
		return 0;
	update->kernel_size = bytes;
	update->kernel_received = 0;
	update->kernel = update_memory_get(bytes, why);
	if (!update->kernel) {
		control_print(out, "%s", why);
		update_session_end(&update->session);
		return 0;
	}
	log_message(LOG_INFO, "live-update: a new image of %zu bytes is announced", bytes);
	return 0;
}

/* The bytes follow the NUL of their number, and may contain NULs themselves. */
static int control_data(struct stubdom_update *update, struct request *request,
			const struct arg *size, struct control_text *out)
{
	const char *data = size->text + size->len + 1;
	size_t there = (size_t)(request->payload + request->len - data);
	size_t bytes = number(size, WIRE_PAYLOAD_MAX);

	if (!update_session_is_mine(&update->session, request, out))
		return 0;
	if (!bytes || bytes > there)
		return EINVAL;
	if (update->session.started || bytes > update->kernel_size - update->kernel_received) {
		control_print(out, "Too much kernel data.");
		return 0;
	}
	memcpy(update->kernel + update->kernel_received, data, bytes);
	update->kernel_received += bytes;
	return 0;
}

static int control(void *data, struct request *request, const struct arg *args, size_t count,
		   struct control_text *out)
{
	struct stubdom_update *update = data;

	if (count == 2 && arg_is(&args[0], "-b"))
		return control_begin(update, request, &args[1], out);
	if (count >= 2 && arg_is(&args[0], "-d"))
		return control_data(update, request, &args[1], out);
	return update_session_control(&update->session, request, args, count, out);
}

static void client_gone(void *data, const struct client *client)
{
	struct stubdom_update *update = data;

	update_session_client_gone(&update->session, client);
}

const struct administration_update stubdom_update_administration = {
	.control = control,
	.client_gone = client_gone,
};

/* ---- the update ---- */

/* Whether the domain can become this image, loaded below @high; else @why. */
static bool check_kernel(const struct stubdom_update *update, uintptr_t high,
			 struct kernel_image *image, char *why)
{
	uintptr_t files = ring0_state()->files_pages;
	const struct kernel_room room = {LAYOUT_IMAGE, high < files ? high : files};

	if (update->kernel_received < update->kernel_size) {
		snprintf(why, KERNEL_WHY_MAX, "The kernel is incomplete: %zu of %zu bytes.",
			 update->kernel_received, update->kernel_size);
		return false;
	}
	return kernel_image_check(update->kernel, update->kernel_size, &room, LAYOUT_VERSION, image,
				  why);
}

/* The file of this image, for the way back. */
static bool keep_this_image(struct update_memory *memory, char *why)
{
	memory->previous_size = pristine_size();
	if (!memory->previous_size) {
		snprintf(why, KERNEL_WHY_MAX,
			 "There would be no way back: this image is not kept.");
		return false;
	}
	memory->previous = update_memory_get(memory->previous_size, why);
	if (memory->previous)
		pristine_write(memory->previous);
	return memory->previous;
}

/* The new image must not be loaded over what it needs. */
static uintptr_t lowest(const struct stubdom_update *update, const struct update_memory *memory)
{
	const char *low = update->kernel < memory->previous ? update->kernel : memory->previous;

	return (uintptr_t)(memory->state && memory->state < low ? memory->state : low);
}

static bool by_memory(struct stubdom_update *update, struct update_memory *memory, char *why)
{
	memory->state = update_memory_get(memory->state_size, why);
	return memory->state && update_state_write(update, memory, why);
}

/*
 * In the file; and, for the way back, in memory as well, if that leaves the new image room to read
 * the file. Without this copy the domain depends on whoever keeps the file until it serves again.
 */
static bool by_file(struct stubdom_update *update, struct update_memory *memory, char *why)
{
	size_t room = memory_available(&ring0_memory) * LAYOUT_PAGE;

	memory->in_file = true;
	if (room >= COPY_SLACK && (room - COPY_SLACK) / 2 >= memory->state_size &&
	    !by_memory(update, memory, why) && memory->state)
		return false;
	return update_file_write(update, memory, why);
}

/*
 * Put the state where the new image finds it: in memory if there is enough, else in the file,
 * unless the requester has decided. Returns false with @why.
 */
static bool hand_over(struct stubdom_update *update, struct update_memory *memory, char *why)
{
	enum update_session_kind kind = update->session.kind;

	/* What is written more than once must be the same each time. */
	stubdom_host_stand(update->host, true);
	if (!update_state_measure(update, memory, why))
		return false;
	if (kind != UPDATE_SESSION_FILE && by_memory(update, memory, why))
		return true;
	if (kind == UPDATE_SESSION_MEMORY || memory->state)
		return false;
	if (kind == UPDATE_SESSION_ANY && !ninep_connected(update->files->ninep))
		return false;
	return by_file(update, memory, why);
}

static bool is_taken(const struct stubdom_update *update, const struct kernel_image *image)
{
	uint32_t ways = KERNEL_TAKES_MEMORY | KERNEL_TAKES_FILE;

	if (update->session.kind != UPDATE_SESSION_ANY)
		ways = update->session.kind == UPDATE_SESSION_FILE ? KERNEL_TAKES_FILE
								   : KERNEL_TAKES_MEMORY;
	return image->note.records == ABILITIES_RECORDS && (image->note.takes & ways) == ways;
}

/*
 * Returns only when the update is refused, and @why says why; or when it has to wait: ms until it
 * is to be tried again.
 */
static int perform(struct stubdom_update *update, char *why)
{
	uint64_t started = clock_monotonic_ns();
	struct update_memory memory = {0};
	struct kernel_image image;

	if (!check_kernel(update, (uintptr_t)update->kernel, &image, why))
		return 0;
	if (!image.own)
		return update_exchange(update, why);
	if (!is_taken(update, &image)) {
		snprintf(why, KERNEL_WHY_MAX, "The kernel cannot read this version's state.");
		return 0;
	}
	if (keep_this_image(&memory, why) && hand_over(update, &memory, why) &&
	    check_kernel(update, lowest(update, &memory), &image, why)) {
		update_jump(update, &image, &memory, started);
		snprintf(why, KERNEL_WHY_MAX, "The command line is too long.");
	}
	if (memory.in_file)
		update_file_remove(update->files);
	update_memory_free(&memory);
	stubdom_host_stand(update->host, false);
	return 0;
}

int stubdom_update_run(struct stubdom_update *update)
{
	char why[KERNEL_WHY_MAX];
	int wait;

	if (!update->session.started)
		return -1;
	update->process.created = clock_wall_ns() / 1000000000u;
	wait = perform(update, why);
	if (wait)
		return wait;
	update_session_answer(&update->session, why);
	return 0;
}
