/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An update of a test machine's hypervisor, in steps: xen#1 hands over, xen#2 boots in
 * boot memory and takes over.
 *
 * Included by test programs.
 */
#ifndef HYPERVISOR_TEST_TAKE_OVER_H
#define HYPERVISOR_TEST_TAKE_OVER_H

#include "hypervisor/test-host.h"

#include "hypervisor/handover.h"
#include "hypervisor/quiesce.h"
#include "hypervisor/restore.h"
#include "hypervisor/save.h"

/* Two guests with memory in small pieces, and a page of one mapped by domain 0. */
static inline struct host *busy_host(const struct hv_image_note *note, uint64_t liveupdate)
{
	struct host *host = host_new(FRAMES_OF(1 * GIB), liveupdate, note);
	struct hypervisor *hv = &host->machine->hv;
	uint32_t handle;
	uint64_t frame;

	hv_heap_scatter(&host->memory.heap, 4, 3);
	for (unsigned int domid = 1; domid <= 2; domid++) {
		assert_int_equal(machine_create(host->machine, domid), domid);
		assert_int_equal(hv_populate(hv, 0, domid, 0, 500), 500);
	}
	hv_heap_scatter(&host->memory.heap, 0, 0);
	frame = hv_p2m_mfn(&hv_domain_find(hv, 1)->p2m, 7);
	assert_int_equal(hv_foreign_map(hv, 0, 1, frame, &handle), 0);
	return host;
}

/* A hand-over and how far it is. */
struct update {
	struct hv_handover handover;
	struct hv_quiesce quiesce;
	struct hv_writer writer;
	bool stopping, handing;
};

/*
 * One step of an update: 0 when there is another one, 1 when the breadcrumb is written, or the
 * error. Steps are as small as the interface allows: a page of the stream is one, too.
 */
enum phase { BEGIN, STOP, SAVE, SEAL, RELOCATE, FINISH, DONE };

static inline int step(struct host *host, struct update *update, enum phase *phase)
{
	struct hypervisor *hv = &host->machine->hv;
	const struct hv_page_source pages = {hv_handover_page, &update->handover};
	struct hv_frames offender;
	int error = 0;

	switch (*phase) {
	case STOP:
		error = hv_quiesce_begin(hv, &update->quiesce, 10);
		update->stopping = !error;
		if (!error)
			error = hv_quiesce_step(hv, &update->quiesce, 0);
		break;
	case BEGIN:
		error = hv_handover_begin(&update->handover, &host->kexec);
		update->handing = !error;
		break;
	case SAVE:
		hv_writer_init(&update->writer, &pages, host->kexec.image->stream_version);
		error = hv_save(hv, &update->writer);
		break;
	case SEAL:
		error = hv_handover_seal(&update->handover, &offender);
		break;
	case RELOCATE:
		if (hv_handover_relocate(&update->handover))
			return 0;
		break;
	case FINISH:
		error = hv_handover_finish(&update->handover);
		break;
	case DONE:
		return 1;
	}
	if (!error)
		(*phase)++;
	return error;
}

/* The running hypervisor carries on. */
static inline void carry_on(struct host *host, struct update *update)
{
	if (update->handing)
		hv_handover_undo(&update->handover);
	if (update->stopping)
		hv_quiesce_undo(&host->machine->hv, &update->quiesce);
	*update = (struct update){.handing = false};
}

/* Run xen#2 on what xen#1 left. @boot keeps what it found. Returns an error. */
static inline int take_over(struct host *host, const struct hv_image_note *note,
			    const struct hv_frame_span *image, uint64_t liveupdate_size,
			    uint64_t base, struct hv_boot *boot, struct hv_memory *memory,
			    struct machine *machine)
{
	struct hv_config config = {
		.allocator = {machine_allocate, machine_release, machine},
		.callbacks = {machine_upcall, machine_freed, machine_hides, machine},
		.memory = memory};
	struct hv_liveupdate_option option;
	struct hv_restore restore;
	char text[64];
	int error;

	assert_true(hv_liveupdate_option_format(liveupdate_size, base, text, sizeof(text)) > 0);
	assert_int_equal(hv_liveupdate_option_parse(text, strlen(text), &option), 0);
	error = hv_boot_update(boot, &note->memory, image, &option, 0);
	if (!error)
		error = hv_boot_find_stream(boot, &host->physical->mapper, host->physical->frames);
	if (error)
		return error;
	error = hv_boot_finish(boot, memory, &config.allocator, host->ram, HOST_RAM - 1);
	if (error) {
		hv_boot_abandon(boot);
		return error;
	}
	error = hv_restore_begin(&restore, &machine->hv, &config, boot->stream,
				 boot->breadcrumb.pages * HV_PAGE_SIZE);
	if (!error) {
		hv_restore_all(&restore);
		error = hv_restore_finish(&restore);
	}
	boot->reason = restore.reason;
	hv_restore_end(&restore);
	if (error) {
		hv_memory_deinit(memory);
		hv_boot_abandon(boot);
		return error;
	}
	assert_int_equal(restore.failed, 0);
	hv_boot_plug(memory);
	hv_boot_drop_stream(boot, memory);
	hv_boot_free_init(memory, &note->memory);
	return 0;
}

/*
 * The whole of it: @host is the machine with its next hypervisor afterwards. False: it was refused
 * because it does not fit.
 */
static inline bool update_to(struct host *host, const struct hv_image_note *note)
{
	struct update update = {.handing = false};
	struct hv_memory *memory;
	struct machine *machine;
	struct hv_frame_span image, region;
	enum phase phase = BEGIN;
	struct hv_boot boot;
	int error;

	error = host_load(host, note, 0x77, 0);
	if (error == -XEN_ENOSPC)
		return false;
	assert_int_equal(error, 0);
	memory = calloc(1, sizeof(*memory));
	machine = calloc(1, sizeof(*machine));
	assert_non_null(memory);
	assert_non_null(machine);
	image = host->kexec.image->plan.image;
	region = host->kexec.image->plan.region;
	while (phase != DONE)
		assert_int_equal(step(host, &update, &phase), 0);
	hv_handover_leave(&update.handover);
	hv_quiesce_undo(&host->machine->hv, &update.quiesce);
	machine->hidden = HV_DOMID_INVALID;
	assert_int_equal(take_over(host, note, &image, region.count << HV_PAGE_SHIFT,
				   region.first << HV_PAGE_SHIFT, &boot, memory, machine),
			 0);
	/* xen#1 is gone, and gives nothing back. */
	hv_kexec_deinit(&host->kexec);
	hv_memory_deinit(&host->memory);
	host->machine->hv.memory = NULL;
	machine_free(host->machine);
	host->machine = machine;
	host->memory = *memory;
	free(memory);
	/* Its parts point to each other. */
	host->memory.heap.table = &host->memory.table;
	host->memory.heap.bootmem = &host->memory.bootmem;
	host->memory.table.allocator = &host->machine->hv.allocator;
	host->machine->hv.memory = &host->memory;
	hv_kexec_init(&host->kexec, &host->machine->hv, &host->physical->mapper, note);
	return true;
}

#endif
