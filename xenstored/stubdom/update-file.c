/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state by way of the file state_dump, in the domain that has our files: the name, place and
 * format of other stub domains. (spec: stubdom.md section 6, live-update.md section 5)
 *
 * It needs that domain and time, but no memory between the two images; and the file can be looked
 * at. It is removed when the new image serves.
 */
#include "stubdom/update-parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/log.h"
#include "stubdom/ring0/clock.h"
#include "stubdom/update/stream-window.h"

#define NAME "state_dump"

/* The smallest window that is worth a pass over the state. */
#define WINDOW_MIN 65536u

struct transfer {
	struct ninep_job job; /* first */
	struct stream_window window;
	char *bytes;
	size_t size, done;
};

static struct transfer *of_job(struct ninep_job *job)
{
	return (struct transfer *)(void *)job;
}

static ssize_t fill(struct ninep_job *job, uint64_t offset, void *piece, size_t room)
{
	struct transfer *transfer = of_job(job);

	if (offset >= transfer->size)
		return 0;
	return stream_window_read(&transfer->window, offset, piece, room);
}

static int take(struct ninep_job *job, uint64_t offset, const void *piece, size_t length)
{
	struct transfer *transfer = of_job(job);

	if (offset != transfer->done || length > transfer->size - transfer->done)
		return -EFBIG;
	memcpy(transfer->bytes + transfer->done, piece, length);
	transfer->done += length;
	return 0;
}

static int finish(struct files *files, struct transfer *transfer)
{
	return ninep_finish(files->ninep, &transfer->job,
			    clock_monotonic_ns() / 1000000u + UPDATE_FILE_SECONDS * 1000u);
}

/* As much as there is memory for, up to the whole. */
static char *get_window(size_t *size, char *why)
{
	char *window = update_memory_get(*size, why);

	while (!window && *size > WINDOW_MIN) {
		*size /= 2;
		window = update_memory_get(*size, why);
	}
	return window;
}

bool update_file_write(struct stubdom_update *update, size_t size, char *why)
{
	struct transfer transfer = {
		.job = {.kind = NINEP_WRITE, .name = NAME, .fill = fill},
		.size = size,
	};
	size_t room = size;
	char *window = get_window(&room, why);
	int error;

	if (!window)
		return false;
	stream_window_init(&transfer.window, update_state_save, update, window, room);
	error = finish(update->files, &transfer);
	update_memory_give_back(&window, room);
	if (error)
		snprintf(why, KERNEL_WHY_MAX, "Dump state open error: file " NAME ": %s",
			 strerror(-error));
	return !error;
}

bool update_file_read(struct files *files, char *state, size_t size, char *why)
{
	struct transfer transfer = {
		.job = {.kind = NINEP_READ, .name = NAME, .take = take},
		.bytes = state,
		.size = size,
	};
	int error = finish(files, &transfer);

	if (!error && transfer.done != size)
		error = -EIO;
	if (error)
		snprintf(why, KERNEL_WHY_MAX, "The state cannot be read: file " NAME ": %s",
			 strerror(-error));
	return !error;
}

void update_file_hand_over(const struct files *files, struct handover *handover)
{
	struct ninep_saved saved;

	_Static_assert(sizeof(saved) <= sizeof(handover->files), "it fits");
	ninep_save(files->ninep, &saved);
	handover->files_size = sizeof(saved);
	memcpy(handover->files, &saved, sizeof(saved));
	handover_seal(handover);
}

static void removed(struct ninep_job *job, int error)
{
	(void)job;
	if (error)
		log_message(LOG_WARNING, "live-update: file " NAME " was not removed: %s",
			    strerror(-error));
}

void update_file_remove(struct files *files)
{
	static struct ninep_job job = {.kind = NINEP_REMOVE, .name = NAME, .done = removed};

	ninep_submit(files->ninep, &job);
}
