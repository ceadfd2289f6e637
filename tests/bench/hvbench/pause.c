/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The update from the first domain that stops to the moment when all run again. What
 * the old hypervisor had is freed later: it would be gone with it. Times are those of the
 * CPU, which other programs on the machine do not make longer.
 */
#include "pause.h"

#include <err.h>
#include <string.h>
#include <time.h>

#include "hypervisor/handover.h"
#include "hypervisor/quiesce.h"
#include "hypervisor/restore.h"
#include "hypervisor/save.h"
#include "hypervisor/test-range-list.h"

const char *const part_names[PARTS] = {"stop",	  "save",  "relocate", "boot",
				       "reserve", "begin", "passes",   "finish"};

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* The time since the last call belongs to this part. */
static void lap(struct pause *pause, uint64_t *since, enum part part)
{
	const uint64_t time = now();

	pause->nanoseconds[part] += time - *since;
	*since = time;
}

static void must(int error, const char *what)
{
	if (error)
		errx(1, "%s: error %d", what, -error);
}

/* Everything up to the breadcrumb. */
static void hand_over(struct world *world, struct hv_handover *handover, bool range_list,
		      struct range_list *list, struct pause *pause, uint64_t *since)
{
	const struct hv_page_source pages = {hv_handover_page, handover};
	struct hv_quiesce quiesce;
	struct hv_frames offender;
	struct hv_writer writer;

	must(hv_handover_begin(handover, &world->kexec), "hand over");
	*since = now();
	must(hv_quiesce_begin(&world->hv, &quiesce, 1), "stop");
	must(hv_quiesce_step(&world->hv, &quiesce, 0), "stop");
	lap(pause, since, PART_STOP);
	if (range_list)
		must(range_list_collect(list, &world->memory.table), "range list");
	hv_writer_init(&writer, &pages, world->kexec.image->stream_version);
	must(hv_save(&world->hv, &writer), "save");
	lap(pause, since, PART_SAVE);
	must(hv_handover_seal(handover, &offender), "seal");
	while (hv_handover_relocate(handover))
		;
	must(hv_handover_finish(handover), "breadcrumb");
	lap(pause, since, PART_RELOCATE);
	pause->pages = handover->pages;
	hv_handover_leave(handover);
	hv_quiesce_undo(&world->hv, &quiesce);
}

static void take_over(struct machine *machine, struct world *world,
		      const struct hv_bootmem_plan *plan, struct crew *crew,
		      const struct range_list *list, struct pause *pause, uint64_t *since)
{
	const struct hv_liveupdate_option option = {.size = plan->region.count << HV_PAGE_SHIFT,
						    .base = plan->region.first << HV_PAGE_SHIFT,
						    .has_base = true};
	const uint32_t ram_count = machine->ram[1].count ? 2 : 1;
	struct hv_config config = world_config(world);
	struct hv_restore restore;
	struct hv_boot boot;

	must(hv_boot_update(&boot, &machine->note.memory, &plan->image, &option, 0), "boot");
	must(hv_boot_find_stream(&boot, &machine->physical.mapper, machine->frames), "stream");
	must(hv_boot_finish(&boot, &world->memory, &config.allocator, machine->ram, ram_count),
	     "frame table");
	lap(pause, since, PART_BOOT);
	if (list) {
		pause->boots = range_list_boot(list, machine->ram, ram_count, &pause->regions) == 0;
		*since = now();
		must(range_list_reserve(list, &world->memory.table), "reserve");
		lap(pause, since, PART_RESERVE);
		/* The second pass is that of the restore, which wants them free. */
		for (uint64_t i = 0; i < list->count; i++)
			must(hv_frames_change(&world->memory.table, list->spans[i].first,
					      list->spans[i].count, 0, HV_FRAME_BAD, HV_FRAME_FREE),
			     "range list");
		*since = now();
	}
	must(hv_restore_begin(&restore, &world->hv, &config, boot.stream,
			      boot.breadcrumb.pages * HV_PAGE_SIZE),
	     "restore");
	lap(pause, since, PART_BEGIN);
	pause->nanoseconds[PART_PASSES] = crew_restore(crew, &restore);
	*since = now();
	must(hv_restore_finish(&restore), "restore");
	lap(pause, since, PART_FINISH);
	if (restore.failed)
		errx(1, "%u domains could not be restored", restore.failed);
	hv_restore_end(&restore);
	/* The allocator's copy of the boot is on this function's stack. */
	world->memory.table.allocator = &world->hv.allocator;
	hv_boot_plug(&world->memory);
	hv_boot_drop_stream(&boot, &world->memory);
	hv_boot_free_init(&world->memory, &machine->note.memory);
	hv_kexec_init(&world->kexec, &world->hv, &machine->physical.mapper, &machine->note);
}

void pause_measure(struct machine *machine, struct crew *crew, bool range_list, struct pause *pause)
{
	struct world *before = machine->world, *world = world_new(arena_used(&before->arena));
	struct range_list list = {.spans = NULL};
	struct hv_handover handover;
	struct hv_bootmem_plan plan;
	uint64_t since;

	machine_load(machine);
	plan = before->kexec.image->plan;
	memset(pause, 0, sizeof(*pause));
	pause->boots = true;
	hand_over(before, &handover, range_list, &list, pause, &since);
	since = now();
	take_over(machine, world, &plan, crew, range_list ? &list : NULL, pause, &since);
	range_list_deinit(&list);
	machine->world = world;
	world_free(before);
}
