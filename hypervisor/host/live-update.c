/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Domains are stopped in steps between turns of the loop. All the rest is one turn, which
 * ends with another program in this process, or with everything as it was.
 */
#include "live-update.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hand-over.h"
#include "host.h"
#include "hypervisor/liveupdate-option.h"
#include "hypervisor/save.h"
#include "watchdog.h"

/* How long domains may take to stop, if nothing else is said, and at most. */
#define PATIENCE_MS	 5000U
#define PATIENCE_MOST_MS 3600000U

int64_t live_update_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int live_update_begin(struct host *host, struct control *requester, uint64_t flags,
		      uint64_t patience)
{
	struct update *update = &host->update;
	uint64_t deadline;
	int error;

	if (!patience || patience > PATIENCE_MOST_MS)
		patience = patience ? PATIENCE_MOST_MS : PATIENCE_MS;
	/* Memory for the stream is taken while domains run, since that takes time. */
	error = hv_handover_begin(&update->handover, &update->kexec);
	if (!error) {
		deadline = (uint64_t)live_update_now() + patience * 1000000;
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

void live_update_cancel(struct host *host)
{
	struct update *update = &host->update;

	if (!update->stopping)
		return;
	hv_handover_undo(&update->handover);
	hv_quiesce_undo(&host->hv, &update->quiesce);
	hv_kexec_cancel(&update->kexec);
	update->stopping = false;
}

static void give_up(struct host *host, int error, const char *why)
{
	struct update *update = &host->update;

	live_update_cancel(host);
	snprintf(update->report.refusal, sizeof(update->report.refusal), "%s", why);
	host_settle(host);
	handle_flush_dirty(host);
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
	host_keep_signal();
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
static int save(struct host *host, char *why, size_t size)
{
	struct hv_handover *handover = &host->update.handover;
	const struct hv_page_source pages = {.add = hv_handover_page, .data = handover};
	struct simxen_update *report = &host->update.report;
	struct hv_frames offender = {.count = 0};
	struct hv_writer writer;
	int error;

	hv_writer_init(&writer, &pages, report->version);
	error = hv_save(&host->hv, &writer);
	report->stream_bytes = writer.size;
	if (!error)
		error = hv_handover_seal(handover, &offender);
	while (!error && hv_handover_relocate(handover))
		;
	if (offender.count)
		snprintf(why, size, "frame %llu, which must survive, is in boot memory: %s",
			 (unsigned long long)offender.first, hv_frame_type_name(offender.type));
	else if (error)
		snprintf(why, size, "there is not enough memory for the stream");
	return error;
}

static void finish(struct host *host)
{
	struct update *update = &host->update;
	char why[120];
	int error;

	if (update->check_memory)
		update->report.hash_before = memory_hash(host);
	handle_flush_dirty(host);
	update->paused_at = live_update_now();
	error = save(host, why, sizeof(why));
	update->report.save = live_update_now() - update->paused_at;
	if (!error) {
		error = execute(host);
		snprintf(why, sizeof(why), "the next hypervisor does not start: %s",
			 strerror(-error));
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
