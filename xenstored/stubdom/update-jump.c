/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the next image finds, what the way back needs, and the jump. */
#include "stubdom/update-parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/options.h"
#include "stubdom/ring0/clock.h"
#include "stubdom/ring0/kexec.h"
#include "stubdom/ring0/watch.h"
#include "stubdom/update/start-info.h"
#include "stubdom/update/trampoline-page.h"

#define NS_PER_S 1000000000u

_Static_assert(sizeof(struct handover) <= LAYOUT_HANDOVER_END - LAYOUT_HANDOVER, "one page");
/* Milliseconds for the last lines of the log. */
#define FLUSH_MS 250u

static bool append(char *line, size_t room, const char *word)
{
	size_t len = strlen(line);

	if (len + strlen(word) + 2 > room)
		return false;
	snprintf(line + len, room - len, "%s%s", len ? " " : "", word);
	return true;
}

static bool is_update_option(const char *word)
{
	return !strcmp(word, "-U") || !strcmp(word, "--live-update");
}

/* The words of this image; those that @foreign ones know. */
static bool old_line(const struct stubdom_update *update, bool foreign, char *line, size_t room)
{
	line[0] = 0;
	for (int i = 1; i < update->argc; i++) {
		size_t skip = foreign ? options_own_words(update->argv + i) : 0;

		if (skip)
			i += (int)skip - 1;
		else if (!is_update_option(update->argv[i]) && !append(line, room, update->argv[i]))
			return false;
	}
	return append(line, room, "-U");
}

bool update_command_line(const struct stubdom_update *update, bool foreign, char *line, size_t room)
{
	if (!update->session.cmdline)
		return old_line(update, foreign, line, room);
	line[0] = 0;
	return append(line, room, update->session.cmdline) && append(line, room, "-U");
}

static bool prepare_start(const struct stubdom_update *update, const struct update_memory *memory)
{
	const struct start_module module[] = {
		{(uintptr_t)memory->previous, memory->previous_size, MODULE_PREVIOUS},
		{(uintptr_t)memory->state, memory->state_size, MODULE_STATE},
	};
	char line[KEXEC_LINE_MAX];

	return update_command_line(update, false, line, sizeof(line)) &&
	       start_info_make((void *)LAYOUT_START_INFO, LAYOUT_START_INFO_END - LAYOUT_START_INFO,
			       LAYOUT_START_INFO, module, memory->state ? 2 : 1, line);
}

static bool fill(uintptr_t page, const struct kernel_image *image, const char *file)
{
	return trampoline_fill((struct trampoline *)page, trampoline_code,
			       (size_t)(trampoline_code_end - trampoline_code), image,
			       (uintptr_t)file, LAYOUT_START_INFO);
}

/* The way back is this image, with its own command line and the same modules. */
static bool prepare_back(const struct stubdom_update *update, const struct update_memory *memory)
{
	const struct kernel_room room = {LAYOUT_IMAGE, (uintptr_t)memory->previous};
	struct kexec_back *back = kexec_back();
	struct kernel_image image;
	char why[KERNEL_WHY_MAX];

	memset(back, 0, sizeof(*back));
	if (!kernel_image_check(memory->previous, memory->previous_size, &room, LAYOUT_VERSION,
				&image, why)) {
		log_message(LOG_ERR, "live-update: no way back: %s", why);
		return false;
	}
	return old_line(update, false, back->command_line, sizeof(back->command_line)) &&
	       fill(KEXEC_BACK_PAGE, &image, memory->previous);
}

/*
 * How many seconds the new image may take to serve, if the requester has not said it: so many times
 * what has been spent since @started, writing and checking the state, that only an image which
 * hangs takes longer. One that waits for the file gives up by itself.
 */
static uint32_t patience(const struct stubdom_update *update, const struct update_memory *memory,
			 uint64_t started)
{
	uint64_t spent = (clock_monotonic_ns() - started) / NS_PER_S;
	uint64_t seconds = WATCH_SECONDS + (memory->in_file ? UPDATE_FILE_SECONDS : 0) + 10 * spent;

	if (update->session.serving)
		return update->session.serving;
	return seconds < WATCH_SECONDS_MAX ? (uint32_t)seconds : WATCH_SECONDS_MAX;
}

static void fill_handover(const struct stubdom_update *update, const struct update_memory *memory,
			  uint64_t started)
{
	struct handover *handover = (struct handover *)LAYOUT_HANDOVER;

	memset(handover, 0, sizeof(*handover));
	handover->kind = memory->in_file ? HANDOVER_FILE : HANDOVER_MEMORY;
	handover->key = memory->key;
	handover->state_size = memory->state_size;
	handover->state_sum = memory->state_sum;
	if (memory->state)
		handover->state = (struct handover_range){(uintptr_t)memory->state,
							  memory->state_size};
	handover->previous = (struct handover_range){(uintptr_t)memory->previous,
						     memory->previous_size};
	handover->virq_port = update->host->virq_port;
	handover->started = started;
	update_file_hand_over(update->files, handover);
}

void update_jump(struct stubdom_update *update, const struct kernel_image *image,
		 const struct update_memory *memory, uint64_t started)
{
	if (!prepare_start(update, memory) || !prepare_back(update, memory) ||
	    !fill(LAYOUT_TRAMPOLINE, image, update->kernel))
		return;
	log_message(LOG_NOTICE, "live-update: %zu bytes of state in %s; starting the new image",
		    memory->state_size, memory->in_file ? "a file" : "memory");
	/* What waits to be written does not cross. A back-end that is not there costs this much. */
	ninep_flush(update->files->ninep, clock_monotonic_ns() / 1000000u + FLUSH_MS);
	fill_handover(update, memory, started);
	kexec_back()->seconds = patience(update, memory, started);
	kexec_back()->state = KEXEC_BACK_READY;
	kexec_jump();
}
