/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image that another one has started. Until it serves, every end of the program is the way
 * back; the state and the file of the image before are not touched before that.
 */
#include "stubdom/update-parts.h"

#include <stdio.h>
#include <string.h>

#include "core/domains.h"
#include "daemon/log.h"
#include "liveupdate/abilities.h"
#include "stubdom/ring0/clock.h"
#include "stubdom/ring0/kexec.h"
#include "stubdom/ring0/memory.h"
#include "stubdom/ring0/state.h"
#include "stubdom/ring0/watch.h"

/* What this image can take over, for the one that looks at its file. */
static const struct {
	uint32_t name_size, size, type;
	char name[12]; /* padded to words */
	struct kernel_note contents;
} note __attribute__((section(".note.xenstored-stubdom"), used, aligned(4))) = {
	.name_size = sizeof(KERNEL_NOTE_NAME),
	.size = sizeof(struct kernel_note),
	.type = KERNEL_NOTE_TYPE,
	.name = KERNEL_NOTE_NAME,
	.contents = {.layout = LAYOUT_VERSION,
		     .records = ABILITIES_RECORDS,
		     .takes = KERNEL_TAKES_MEMORY | KERNEL_TAKES_FILE},
};

const struct handover *stubdom_update_found(void)
{
	const struct handover *handover = (const struct handover *)LAYOUT_HANDOVER;

	if (!ring0_updated)
		return NULL;
	if (!handover_is_good(handover) ||
	    !handover_range_fits(&handover->state, LAYOUT_IMAGE, ring0_memory.end) ||
	    !handover_range_fits(&handover->previous, LAYOUT_IMAGE, ring0_memory.end))
		fatal("live-update: what the image before has left is damaged");
	return handover;
}

const struct ninep_saved *stubdom_update_files(const struct handover *handover)
{
	static struct ninep_saved saved;

	if (!handover || handover->files_size != sizeof(saved))
		return NULL;
	memcpy(&saved, handover->files, sizeof(saved));
	return &saved;
}

/* The failure of an image that was tried is its reason and ends it. */
_Noreturn static void give_up(const char *why)
{
	log_message(LOG_ERR, "live-update: %s", why);
	kexec_go_back(why);
	fatal("live-update: %s", why);
}

static void free_range(const struct handover_range *range)
{
	if (range->size)
		memory_unmap(&ring0_memory, range->start, range->size);
}

/*
 * On the way back the image before goes on with the connection that this one uses, which may be
 * taken at any time.
 */
static void hand_over_files(void *files)
{
	update_file_hand_over(files, (struct handover *)LAYOUT_HANDOVER);
}

/* Where the state is; it is read from the file if it has to be. */
static struct handover_range find_state(struct stubdom_update *update,
					const struct handover *handover, char *why)
{
	struct handover_range range = handover->state;
	bool done;
	char *state;

	/* A copy of what is in the file is believed more than the file, by whom it was made for. */
	if (handover->kind == HANDOVER_MEMORY ||
	    (range.size && kexec_back()->state == KEXEC_BACK_TAKEN))
		return range;
	range.size = handover->state_size;
	state = update_memory_get(range.size, why);
	if (!state)
		give_up(why);
	ninep_on_send(update->files->ninep, hand_over_files, update->files);
	done = update_file_read(update->files, state, range.size, why);
	ninep_on_send(update->files->ninep, NULL, NULL);
	if (ninep_port(update->files->ninep))
		hand_over_files(update->files);
	if (!done)
		give_up(why);
	range.start = (uintptr_t)state;
	return range;
}

void stubdom_update_restore(struct stubdom_update *update, const struct handover *handover)
{
	struct kexec_back *back = kexec_back();
	bool failed = back->state == KEXEC_BACK_TAKEN;
	struct image_report report;
	char why[KERNEL_WHY_MAX];
	struct handover_range range;
	const void *state;

	stubdom_host_stand(update->host, true);
	range = find_state(update, handover, why);
	state = (const void *)range.start;
	if (handover_sum(&handover->key, state, handover->state_size) != handover->state_sum)
		give_up(range.start == handover->state.start
				? "The state was damaged on its way."
				: "The file state_dump was changed: it is not what was written.");
	if (!update_state_check(state, handover->state_size, why))
		give_up(why);
	update->process.failure = failed ? back->why : NULL;
	if (image_restore(update->core, &update->process, state, handover->state_size, &report)) {
		snprintf(why, sizeof(why), "The state cannot be restored: %.100s", report.error);
		give_up(why);
	}
	/* From here on it serves, and there is no way back. */
	watch_end();
	back->state = 0;
	if (failed)
		log_message(LOG_ERR, "live-update: failed, the image before goes on: %s",
			    back->why);
	log_message(LOG_NOTICE,
		    "live-update: %llu bytes of state taken over; the pause was %llu ms",
		    (unsigned long long)handover->state_size,
		    (unsigned long long)(clock_monotonic_ns() - handover->started) / 1000000);
	free_range(&handover->previous);
	free_range(&range);
	if (range.start != handover->state.start)
		free_range(&handover->state);
	if (handover->kind == HANDOVER_FILE)
		update_file_remove(update->files);
	memory_shrink(&ring0_memory);
	stubdom_host_stand(update->host, false);
	core_recheck_domains(update->core);
}
