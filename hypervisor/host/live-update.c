/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "live-update.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hand-over.h"
#include "host.h"
#include "hypervisor/handover.h"
#include "hypervisor/liveupdate-option.h"
#include "hypervisor/save.h"
#include "watchdog.h"

/* If nothing else is said, domains that have not stopped after this time do not. */
#define STOP_MS 5000

int64_t live_update_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* ---- the hypercall ---- */

static int read_caller(void *data, void *to, uint64_t address, uint64_t size)
{
	const int *fd = data;

	if (address > INT64_MAX || pread(*fd, to, size, (off_t)address) != (ssize_t)size)
		return -EFAULT;
	return 0;
}

static int write_caller(void *data, uint64_t address, const void *from, uint64_t size)
{
	const int *fd = data;

	if (address > INT64_MAX || pwrite(*fd, from, size, (off_t)address) != (ssize_t)size)
		return -EFAULT;
	return 0;
}

void live_update_init(struct host *host)
{
	struct update *update = &host->update;

	update->mapper = memory_mapper(host);
	update->program = -1;
	hv_kexec_init(&update->kexec, &host->hv, &update->mapper, &release_own()->image);
}

static void drop_program(struct update *update)
{
	if (update->program >= 0)
		close(update->program);
	update->program = -1;
}

static void unload(struct update *update)
{
	hv_kexec_deinit(&update->kexec);
	drop_program(update);
}

void live_update_deinit(struct host *host)
{
	unload(&host->update);
}

/* What was loaded, put where it is going to run: a program that nobody can change any more. */
static int make_program(struct host *host)
{
	const struct hv_kexec_image *image = host->update.kexec.image;
	int fd = memfd_create("simxen", MFD_CLOEXEC | MFD_ALLOW_SEALING), error = 0;

	if (fd < 0)
		return -errno;
	for (uint32_t i = 0; i < image->count && !error; i++) {
		uint64_t at = image->dests[i] - image->plan.image.first;

		/* What was loaded into boot memory is no part of the program. */
		if (image->dests[i] >= image->plan.image.first &&
		    pwrite(fd, memory_frame(host, image->sources[i]), HV_PAGE_SIZE,
			   (off_t)(at * HV_PAGE_SIZE)) != HV_PAGE_SIZE)
			error = -EIO;
	}
	if (!error && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) < 0)
		error = -errno;
	if (error)
		close(fd);
	return error ? error : fd;
}

/* The mechanism has found nothing wrong; the rest only this process can compare. */
static int check_program(struct host *host)
{
	struct update *update = &host->update;
	char *message = update->kexec.message;
	int error;

	drop_program(update);
	update->program = make_program(host);
	if (update->program < 0)
		return update->program;
	error = release_read(update->program, &update->next);
	if (error == -ENOEXEC) {
		snprintf(message, HV_KEXEC_MESSAGE, "it is no program for this machine");
	} else if (!error && update->next.hand_over != release_own()->hand_over) {
		snprintf(message, HV_KEXEC_MESSAGE,
			 "its hand-over file has version %u, that of this one is %u",
			 update->next.hand_over, release_own()->hand_over);
		error = -EOPNOTSUPP;
	}
	return error;
}

/* Domains begin to stop. Memory for the stream is taken first, since it costs time. */
static int begin(struct host *host, struct control *requester, uint64_t flags, uint64_t patience)
{
	struct update *update = &host->update;
	uint64_t deadline = (uint64_t)live_update_now() + patience * 1000000;
	int error = hv_handover_begin(&update->handover, &update->kexec);

	if (!error) {
		error = hv_quiesce_begin(&host->hv, &update->quiesce, deadline);
		if (error)
			hv_handover_undo(&update->handover);
	}
	if (error) {
		hv_kexec_cancel(&update->kexec);
		return error;
	}
	update->stopping = true;
	update->requester = requester;
	update->check_memory = flags & SIMXEN_KEXEC_HASH;
	update->report = (struct simxen_update){.version = update->kexec.image->stream_version};
	strcpy(update->report.from, release_own()->name);
	strcpy(update->report.to, update->next.name);
	return 0;
}

int live_update_kexec(struct host *host, struct control *caller, unsigned int command,
		      uint64_t address, int memory, uint64_t flags, uint64_t patience)
{
	const struct hv_guest_memory guest = {read_caller, write_caller, &memory};
	struct update *update = &host->update;
	int error;

	update->kexec.message[0] = '\0';
	error = hv_kexec_op(&update->kexec, caller->domid, command, address, &guest);
	if (error)
		return error;
	if (command == HV_KEXEC_CMD_LOAD) {
		error = check_program(host);
		if (error)
			unload(update);
	}
	if (command == HV_KEXEC_CMD_UNLOAD && !update->kexec.image)
		drop_program(update);
	if (command == HV_KEXEC_CMD_EXEC)
		error = begin(host, caller, flags, patience ? patience : STOP_MS);
	return error;
}

/* ---- the way back, before the exec ---- */

void live_update_answer(struct host *host, struct control *requester, int error,
			const struct simxen_update *report)
{
	host->update.requester = NULL;
	if (requester && error)
		control_answer(host, requester, error, report->refusal, strlen(report->refusal));
	else if (requester)
		control_answer(host, requester, 0, report, sizeof(*report));
}

static void give_up(struct host *host, int error, const char *why)
{
	struct update *update = &host->update;

	hv_handover_undo(&update->handover);
	hv_quiesce_undo(&host->hv, &update->quiesce);
	update->stopping = false;
	snprintf(update->report.refusal, sizeof(update->report.refusal), "%s", why);
	host_settle(host);
	handle_flush_dirty(host);
	hv_kexec_cancel(&update->kexec);
	live_update_answer(host, update->requester, error, &update->report);
}

/* ---- the last turn of the loop ---- */

static void block_signals(bool block)
{
	sigset_t set;

	/* One that arrives in the middle is for the host, whoever it is then. */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(block ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

/* A command line that says where boot memory will be. */
static int command_line(char *text, const struct hv_frame_span *region)
{
	int length = hv_liveupdate_option_format(region->count << HV_PAGE_SHIFT,
						 region->first << HV_PAGE_SHIFT, text,
						 BOOT_COMMAND_LINE_MAX);

	return length < 0 ? length : 0;
}

/* The next program, and what it needs to know of this one; and how to come back. */
static int prepare(struct host *host, struct boot *boot, struct hand_over *head)
{
	const struct hv_bootmem *bootmem = &host->machine.bootmem;
	const struct update *update = &host->update;
	int error;

	*boot = (struct boot){.image = update->program, .hand_over = -1};
	*head = (struct hand_over){
		.previous = open("/proc/self/exe", O_RDONLY),
		.watchdog = -1,
		.requester = update->requester ? update->requester->source.fd : -1,
		.check_memory = update->check_memory,
		.paused_at = update->paused_at,
		.image = update->kexec.image->plan.image,
		.previous_image = bootmem->image,
		.loaded = update->kexec.image->loaded,
		.report = update->report,
	};
	error = head->previous < 0 ? -errno : 0;
	if (!error)
		error = command_line(boot->command_line, &update->kexec.image->plan.region);
	if (!error)
		error = command_line(head->previous_command_line, &bootmem->regions[0]);
	return error;
}

/* The last steps. Returns only if the next program cannot be executed. */
static int jump(struct hv_handover *handover, const struct boot *boot, struct hand_over *head)
{
	struct boot back = {.image = head->previous, .hand_over = boot->hand_over};
	int error;

	strcpy(back.command_line, head->previous_command_line);
	block_signals(true);
	head->watchdog = watchdog_start(&back);
	error = head->watchdog < 0 ? head->watchdog : hand_over_write_head(boot->hand_over, head);
	if (!error)
		error = hv_handover_finish(handover);
	if (!error) {
		error = boot_exec(boot);
		/* A real hypervisor could not come back from here. */
		handover->words[0] = 0;
	}
	watchdog_end(head->watchdog);
	block_signals(false);
	return error;
}

/* Returns only if it failed. */
static int execute(struct host *host)
{
	static struct hand_over head;
	struct boot boot;
	int error = prepare(host, &boot, &head);

	if (!error) {
		boot.hand_over = hand_over_write(host, &head);
		error = boot.hand_over < 0 ? boot.hand_over
					   : jump(&host->update.handover, &boot, &head);
	}
	if (boot.hand_over >= 0)
		close(boot.hand_over);
	if (head.previous >= 0)
		close(head.previous);
	return error;
}

/* The stream, in the machine's memory, and the image in its place. */
static int save(struct host *host)
{
	struct hv_handover *handover = &host->update.handover;
	const struct hv_page_source pages = {.add = hv_handover_page, .data = handover};
	struct simxen_update *report = &host->update.report;
	struct hv_frames offender;
	struct hv_writer writer;
	int error;

	hv_writer_init(&writer, &pages, report->version);
	error = hv_save(&host->hv, &writer);
	report->stream_bytes = writer.size;
	if (!error)
		error = hv_handover_seal(handover, &offender);
	while (!error && hv_handover_relocate(handover))
		;
	return error;
}

static void finish(struct host *host)
{
	struct update *update = &host->update;
	const char *why = "there is not enough memory for the stream";
	int error;

	if (update->check_memory)
		update->report.hash_before = memory_hash(host);
	handle_flush_dirty(host);
	update->paused_at = live_update_now();
	error = save(host);
	update->report.save = live_update_now() - update->paused_at;
	if (!error) {
		error = execute(host);
		why = "the next hypervisor does not start";
	}
	give_up(host, error, why);
}

void live_update_step(struct host *host)
{
	struct update *update = &host->update;
	char why[80];
	int error;

	if (!update->stopping)
		return;
	error = hv_quiesce_step(&host->hv, &update->quiesce, (uint64_t)live_update_now());
	if (error == 0) {
		finish(host);
	} else if (error != -EAGAIN) {
		snprintf(why, sizeof(why), "domain %u did not stop in time",
			 update->quiesce.awaited);
		give_up(host, error, why);
	}
}
