/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state as a stream, at the place where the next image reads it. Its length is counted first,
 * since memory that is too short must be known before anything is written.
 */
#include "stubdom/update-parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "liveupdate/stream-check.h"
#include "stubdom/ring0/memory.h"

char *update_memory_get(size_t size, char *why)
{
	uintptr_t address;
	size_t missing;

	memory_refresh_limit(&ring0_memory);
	address = memory_map_top(&ring0_memory, size);
	if (address)
		return (char *)address;
	missing = memory_missing(&ring0_memory, size) / 1024;
	snprintf(why, KERNEL_WHY_MAX,
		 "Allocation failure: %zu KB are missing. Raise the domain's limit to %zu MB (xl "
		 "mem-max) and try again.",
		 missing, (memory_limit_kb() + missing) / 1024 + 1);
	return NULL;
}

void update_memory_give_back(char **place, size_t size)
{
	if (*place)
		memory_unmap(&ring0_memory, (uintptr_t)*place, size);
	*place = NULL;
}

void update_memory_free(struct update_memory *memory)
{
	update_memory_give_back(&memory->state, memory->state_size);
	update_memory_give_back(&memory->previous, memory->previous_size);
}

static int measure(void *sink, const void *bytes, size_t len)
{
	siphash_add(sink, bytes, len);
	return 0;
}

struct place {
	char *at;
	size_t left;
};

static int put(void *sink, const void *bytes, size_t len)
{
	struct place *place = sink;

	if (len > place->left)
		return ENOSPC;
	memcpy(place->at, bytes, len);
	place->at += len;
	place->left -= len;
	return 0;
}

int update_state_save(void *data, int (*to)(void *, const void *, size_t), void *sink)
{
	struct stubdom_update *update = data;
	struct stream_writer writer;
	const char *dialect = update->dialect ? update->dialect : "own";
	int error = stream_writer_init(&writer, stream_dialect_find(dialect),
				       update->dialect ? update->session.version : 0, to, sink);

	return error ? error
		     : image_save(update->core, &update->process, &update->session.requester,
				  &writer);
}

bool update_state_check(const void *state, size_t size, char *why)
{
	struct stream_problem problem = {0};
	struct stream_report report = {.problem = &problem, .room = 1};
	struct hash_secret secret;
	int error;

	if (getrandom(&secret, sizeof(secret), 0) != sizeof(secret))
		memset(&secret, 0, sizeof(secret));
	error = stream_check(state, size, &secret, &report);
	/* Without memory for the check there is still the restoring, which notices as well. */
	if (!error || error == ENOMEM)
		return true;
	snprintf(why, KERNEL_WHY_MAX, "The state cannot be read back: at offset %zu: %.80s",
		 problem.offset, problem.text);
	return false;
}

static bool fail(int error, char *why)
{
	/* Only what is written for others has such an end. */
	if (error == EBUSY)
		snprintf(why, KERNEL_WHY_MAX,
			 "A domain is under construction, which that xenstored would not survive.");
	else if (error)
		snprintf(why, KERNEL_WHY_MAX, "Dump write error: %s", strerror(error));
	return error;
}

bool update_state_measure(struct stubdom_update *update, struct update_memory *memory, char *why)
{
	struct siphash sum;
	int error;

	if (getrandom(&memory->key, sizeof(memory->key), 0) != sizeof(memory->key))
		return !fail(EIO, why);
	handover_sum_begin(&sum, &memory->key);
	error = update_state_save(update, measure, &sum);
	memory->state_size = (size_t)sum.size;
	memory->state_sum = handover_sum_end(&sum);
	return !fail(error, why);
}

bool update_state_write(struct stubdom_update *update, struct update_memory *memory, char *why)
{
	struct place place = {memory->state, memory->state_size};
	int error = update_state_save(update, put, &place);

	if (!error && place.left)
		error = EIO;
	return !fail(error, why) && update_state_check(memory->state, memory->state_size, why);
}
