/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * To another xenstored that is a domain: upstream's stub domain, or whatever reads what that one
 * leaves. It knows nothing of our fixed places, loads its image over them, has the older interface
 * to event channels only, and looks for three things: the pages of its 9pfs device in a module of
 * the start information, the state in the file state_dump, and -U on the command line.
 *
 *	| new image | start information | new heap -> ...  9pfs pages ... | tables, trampoline |
 *file | 0                                                  (kexec-module.h)
 *
 * It has no way back to us. So all that can be known is found out before, and the last steps are
 * such that cannot fail, or change nothing when they do. (spec: stubdom.md section 6)
 */
#include "stubdom/update-parts.h"

#include <stdio.h>
#include <string.h>

#include "core/domains.h"
#include "daemon/log.h"
#include "liveupdate/foreign.h"
#include "stubdom/ring0/clock.h"
#include "stubdom/ring0/events.h"
#include "stubdom/ring0/grants.h"
#include "stubdom/ring0/kexec.h"
#include "stubdom/ring0/ring0.h"
#include "stubdom/ring0/state.h"
#include "stubdom/update/kexec-module.h"
#include "stubdom/update/start-info.h"
#include "stubdom/update/trampoline-page.h"

/* For the start information behind the image; the command line is most of it. */
#define START_INFO_SIZE (2u * LAYOUT_PAGE)

/* Longer command lines are cut off by that kernel. */
#define OPTIONS_MAX 1024u

/* Milliseconds for closing our files: a round trip for each, and what is queued. */
#define LEAVE_MS 5000u

static bool refuse(char *why, const char *text)
{
	snprintf(why, KERNEL_WHY_MAX, "%s", text);
	return false;
}

/* Whether it is a xenstored that finds what we can leave, and asked for as what it is. */
static bool is_taken(struct stubdom_update *update, struct foreign *foreign, char *why)
{
	foreign_parse(update->kernel, update->kernel_size, foreign);
	if (foreign->kind != FOREIGN_XENSTORED ||
	    !memmem(update->kernel, update->kernel_size, KEXEC_MODULE_MAGIC,
		    strlen(KEXEC_MODULE_MAGIC)))
		return refuse(why, "The kernel is no xenstored that could take over.");
	if (update->session.kind != UPDATE_SESSION_FILE)
		return refuse(why,
			      "The kernel is another xenstored, which takes over by a file, and "
			      "from which there is no way back: say -m file if that is meant.");
	if (update->session.version > foreign->version_max)
		return refuse(why, "That xenstored does not read this version of the stream.");
	if (!ninep_connected(update->files->ninep))
		return refuse(why, "The kernel takes over by a file, and nobody keeps our files.");
	if (events_can_leave())
		return refuse(why, "There are more event channels than the kernel could have.");
	return true;
}

/* ---- what it finds ---- */

/* The memory that is needed besides the state. */
struct launch {
	char *place; /* for kexec_leave(), and the start information */
	struct kernel_image image;
};

#define LAUNCH_SIZE (KEXEC_LEAVE_SIZE + START_INFO_SIZE)

/* Whether the image and the start information behind it fit below all that is still needed. */
static bool check_room(const struct stubdom_update *update, const struct update_memory *memory,
		       struct launch *launch, char *why)
{
	uintptr_t high = ring0_state()->files_pages;
	const char *const needed[] = {update->kernel, memory->state, launch->place};
	struct kernel_room room;

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if ((uintptr_t)needed[i] < high)
			high = (uintptr_t)needed[i];
	room = (struct kernel_room){LAYOUT_IMAGE, high - START_INFO_SIZE};
	return kernel_image_check(update->kernel, update->kernel_size, &room, LAYOUT_VERSION,
				  &launch->image, why);
}

static bool fill_launch(const struct stubdom_update *update, struct launch *launch, char *why)
{
	const struct start_module module = {ring0_state()->files_pages, KEXEC_MODULE_SIZE, ""};
	struct trampoline *trampoline = (void *)(launch->place + KEXEC_LEAVE_TRAMPOLINE);
	char *info = launch->place + KEXEC_LEAVE_SIZE, line[OPTIONS_MAX];
	uint64_t behind = launch->image.end;

	if (!update_command_line(update, true, line, sizeof(line)) ||
	    !start_info_make(info, START_INFO_SIZE, (uint32_t)behind, &module, 1, line) ||
	    !trampoline_fill(trampoline, trampoline_code,
			     (size_t)(trampoline_code_end - trampoline_code), &launch->image,
			     (uintptr_t)update->kernel, (uint32_t)behind))
		return refuse(why, "The command line is too long.");
	trampoline_add(trampoline, behind, (uintptr_t)info, START_INFO_SIZE);
	return true;
}

/*
 * The state as that xenstored reads it. Written into memory first, since what nobody could take
 * back is checked as a whole.
 */
static bool write_state(struct stubdom_update *update, struct update_memory *memory, char *why)
{
	memory->in_file = true;
	if (!update_state_measure(update, memory, why))
		return false;
	memory->state = update_memory_get(memory->state_size, why);
	return memory->state && update_state_write(update, memory, why) &&
	       update_file_write(update, memory, why);
}

static void fill_module(const struct stubdom_update *update)
{
	char *last = (char *)(uintptr_t)ring0_state()->files_pages + KEXEC_MODULE_SIZE -
		     LAYOUT_PAGE;
	struct kexec_module_files files;
	struct ninep_saved saved;

	ninep_save(update->files->ninep, &saved);
	files = (struct kexec_module_files){.ring_ref = saved.refs[0],
					    .port = saved.port,
					    .out_prod = saved.out_prod,
					    .in_cons = saved.in_cons};
	kexec_module_write(last, &files);
}

/* ---- the steps ---- */

/* Everything that can be done before files and channels are given up. */
static bool prepare(struct stubdom_update *update, struct update_memory *memory,
		    struct launch *launch, char *why)
{
	if (!write_state(update, memory, why))
		return false;
	launch->place = update_memory_get(LAUNCH_SIZE, why);
	return launch->place && check_room(update, memory, launch, why) &&
	       fill_launch(update, launch, why);
}

/* Returns only when nothing has changed. */
static bool leave(struct stubdom_update *update, const struct launch *launch, char *why)
{
	log_message(LOG_NOTICE,
		    "live-update: the state is in the file; starting another xenstored");
	if (ninep_leave(update->files->ninep, clock_monotonic_ns() / 1000000u + LEAVE_MS))
		return refuse(why, "The files could not be closed.");
	if (events_leave())
		return refuse(why, "The event channels could not be handed over.");
	fill_module(update);
	grants_unmap_all();
	kexec_leave(launch->place);
}

/* Returns only when it is refused; @why says why. */
static void perform(struct stubdom_update *update, const struct foreign *foreign, char *why)
{
	struct update_memory memory = {0};
	struct launch launch = {0};
	int port = ring0.store_port ? events_bind(ring0.hypervisor.domid, ring0.store_port) : 0;

	update->dialect = foreign->dialect;
	update->process.own_port = port > 0 ? (uint32_t)port : 0;
	stubdom_host_stand(update->host, true);
	if (prepare(update, &memory, &launch, why))
		leave(update, &launch, why);
	files_go_on(update->files);
	update_file_remove(update->files);
	update_memory_give_back(&launch.place, LAUNCH_SIZE);
	update_memory_free(&memory);
	stubdom_host_stand(update->host, false);
	update->dialect = NULL;
	if (port > 0)
		events_close((uint32_t)port);
}

int update_exchange(struct stubdom_update *update, char *why)
{
	struct foreign foreign;
	const char *text;
	int wait;

	if (!is_taken(update, &foreign, why))
		return 0;
	wait = update_session_become_quiet(&update->session, &text);
	if (wait)
		return wait;
	if (text) {
		refuse(why, text);
		return 0;
	}
	perform(update, &foreign, why);
	return 0;
}
