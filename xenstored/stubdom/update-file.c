/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state by way of the file state_dump, in the domain that has our files: the name, place and
 * format of other stub domains. (spec: stubdom.md section 6, live-update.md section 5)
 *
 * It needs that domain and time, but no memory between the two images; and the file can be looked
 * at. It is removed when the new image serves. What is read is believed by its sum, whose key the
 * domain that keeps the file does not know.
 */
#include "stubdom/update-parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/log.h"
#include "stubdom/layout.h"
#include "stubdom/ring0/clock.h"
#include "stubdom/update/stream-window.h"

#define NAME "state_dump"

/* The smallest window that is worth a pass over the state. */
#define WINDOW_MIN 65536u

struct transfer {
	struct ninep_job job; /* first */
	struct stream_window window;
	char *bytes; /* of the whole, or NULL */
	struct siphash sum;
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
	if (!transfer->bytes)
		return stream_window_read(&transfer->window, offset, piece, room);
	if (room > transfer->size - offset)
		room = transfer->size - (size_t)offset;
	memcpy(piece, transfer->bytes + offset, room);
	return (ssize_t)room;
}

static int take(struct ninep_job *job, uint64_t offset, const void *piece, size_t length)
{
	struct transfer *transfer = of_job(job);

	if (offset != transfer->done || length > transfer->size - transfer->done)
		return -EFBIG;
	if (transfer->bytes)
		memcpy(transfer->bytes + transfer->done, piece, length);
	siphash_add(&transfer->sum, piece, length);
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

/* As long as everything can still be refused. */
static bool read_back(struct files *files, const struct update_memory *memory, char *why)
{
	struct transfer transfer = {
		.job = {.kind = NINEP_READ, .name = NAME, .take = take},
		.size = memory->state_size,
	};
	int error;

	handover_sum_begin(&transfer.sum, &memory->key);
	error = finish(files, &transfer);
	if (!error && handover_sum_end(&transfer.sum) == memory->state_sum)
		return true;
	snprintf(why, KERNEL_WHY_MAX, "The state cannot be read back: file " NAME ": %s",
		 error ? strerror(-error) : "it is not what was written");
	return false;
}

bool update_file_write(struct stubdom_update *update, const struct update_memory *memory, char *why)
{
	struct transfer transfer = {
		.job = {.kind = NINEP_WRITE, .name = NAME, .fill = fill},
		.size = memory->state_size,
		.bytes = memory->state,
	};
	size_t room = memory->state_size;
	char *window = NULL;
	int error;

	if (!memory->state) {
		window = get_window(&room, why);
		if (!window)
			return false;
		stream_window_init(&transfer.window, update_state_save, update, window, room);
	}
	error = finish(update->files, &transfer);
	update_memory_give_back(&window, room);
	if (error)
		snprintf(why, KERNEL_WHY_MAX, "Dump state open error: file " NAME ": %s",
			 strerror(-error));
	return !error && read_back(update->files, memory, why);
}

bool update_file_read(struct files *files, char *state, size_t size, char *why)
{
	struct transfer transfer = {
		.job = {.kind = NINEP_READ, .name = NAME, .take = take},
		.bytes = state,
		.size = size,
	};
	int error = finish(files, &transfer);

	if (error == -EFBIG || (!error && transfer.done != size))
		snprintf(why, KERNEL_WHY_MAX,
			 "The file " NAME " was changed: it is not as long as it was.");
	else if (error)
		snprintf(why, KERNEL_WHY_MAX, "The state cannot be read: file " NAME ": %s",
			 strerror(-error));
	return !error && transfer.done == size;
}

static int count(struct ninep_job *job, uint64_t offset, const void *piece, size_t length)
{
	struct transfer *transfer = of_job(job);

	(void)piece;
	/* Nothing of that length could be read anyway. */
	if (offset != transfer->done || length > LAYOUT_RAM_END - transfer->done)
		return -EFBIG;
	transfer->done += length;
	return 0;
}

bool update_file_measure(struct files *files, size_t *size, char *why)
{
	struct transfer transfer = {.job = {.kind = NINEP_READ, .name = NAME, .take = count}};
	int error = finish(files, &transfer);

	*size = transfer.done;
	if (!error && !*size)
		error = -ENODATA;
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
