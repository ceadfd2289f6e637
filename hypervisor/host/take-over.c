/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order is that of a hypervisor that boots: memory map, boot memory, breadcrumb,
 * stream, domains; then the cables. Until the watchdog is told, nothing is changed
 * that the former program would need, were it to come back.
 */
#include "take-over.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "boot.h"
#include "cpus.h"
#include "hand-over.h"
#include "hypervisor/boot.h"
#include "hypervisor/restore.h"
#include "live-update.h"
#include "release.h"
#include "watchdog.h"

/* What the machine's records do not forgive is said in the report; a domain's end is in the log. */
static void tell_failures(const struct hv_restore *restore)
{
	for (uint32_t i = 0; restore->failed && i < restore->domain_count; i++) {
		unsigned int domid;
		const char *verdict = hv_restore_verdict(restore, i, &domid);

		if (verdict)
			fprintf(stderr, "simxen: domain %u is lost: %s\n", domid, verdict);
	}
}

static int refuse(struct simxen_update *report, int error, const char *what, const char *why)
{
	snprintf(report->refusal, sizeof(report->refusal), "%s %s: %s", release_own()->name, what,
		 why ? why : strerror(-error));
	return error;
}

/* Boot memory and the stream in it, which nothing is known of but what the stream says. */
static int boot_in_bootmem(struct host *host, const struct hand_over *head,
			   const char *command_line, struct hv_boot *boot)
{
	struct hv_liveupdate_option option;
	int error = hv_liveupdate_option_parse(command_line, strlen(command_line), &option);

	if (!error)
		error = hv_boot_update(boot, &release_own()->image.memory, &head->image, &option,
				       head->loaded);
	if (!error)
		error = hv_boot_find_stream(boot, &host->update.mapper, MEMORY_FRAMES);
	return error;
}

/* The domains, from the stream. */
static int restore_domains(struct host *host, const struct hv_boot *boot,
			   struct simxen_update *report)
{
	struct hv_config config = host_config(host);
	struct hv_restore restore;
	int error = hv_restore_begin(&restore, &host->hv, &config, boot->stream,
				     boot->breadcrumb.pages * HV_PAGE_SIZE);

	if (!error) {
		report->domains = restore.domain_count;
		report->cpus = cpus_online();
		cpus_restore(&restore, report->cpus);
		error = hv_restore_finish(&restore);
	}
	if (error) {
		refuse(report, error, "cannot restore the machine", restore.reason);
	} else {
		report->failed = restore.failed;
		tell_failures(&restore);
	}
	hv_restore_end(&restore);
	return error;
}

/* Everything that the mechanism has. The stream stays where it is. */
static int restore(struct host *host, const struct hand_over *head, const char *command_line,
		   struct hv_boot *boot, struct simxen_update *report)
{
	const struct hv_frame_span ram = {0, MEMORY_FRAMES};
	int error = boot_in_bootmem(host, head, command_line, boot);

	if (!error)
		error = hv_boot_finish(boot, &host->machine, &host_allocator, &ram, 1);
	if (error)
		return refuse(report, error, "does not boot", boot->reason);
	error = restore_domains(host, boot, report);
	if (error)
		return error;
	hv_boot_plug(&host->machine);
	hv_boot_free_init(&host->machine, &release_own()->image.memory);
	error = memory_hide_rings(host);
	return error ? refuse(report, error, "cannot set up memory", NULL) : 0;
}

/* The cables, from the hand-over file. */
static int connect_all(struct host *host, int file, struct hand_over *head)
{
	struct simxen_update *report = &head->report;
	unsigned int odd = 0;
	int error;

	host->domains = calloc(HV_DOMID_FIRST_RESERVED, sizeof(*host->domains));
	error = host->domains ? hand_over_read(file, host, &odd) : -ENOMEM;
	if (!error)
		error = host_listen(host, head->control_listener, head->evtchn_listener);
	if (error)
		refuse(report, error, "cannot take the connections over", NULL);
	if (odd)
		fprintf(stderr, "simxen: %u ports or mappings of processes are gone\n", odd);
	return error;
}

/* Executes the former program, if that is not what has just happened. */
static int go_back(int file, struct hand_over *head, bool again)
{
	struct boot boot = {.image = head->previous, .hand_over = file};
	int error;

	fprintf(stderr, "simxen: %s\n", head->report.refusal);
	if (!again) {
		strcpy(boot.command_line, head->previous_command_line);
		error = hand_over_turn_back(file, head);
		if (!error)
			error = boot_exec(&boot);
		fprintf(stderr, "simxen: the former program does not start: %s\n",
			strerror(-error));
	}
	/* The watchdog's program is the same: it could do no better. */
	watchdog_end(head->watchdog);
	fprintf(stderr, "simxen: stopped; nothing of the machine's memory was changed\n");
	return -ENOTRECOVERABLE;
}

/* A domain that could not be restored is dying, and its processes end with it. */
static void end_lost_domains(struct host *host)
{
	struct hv_domain *domain = hv_domain_next(&host->hv, 0);

	for (; domain; domain = hv_domain_next(&host->hv, domain->domid + 1U))
		if (domain->life != HV_ALIVE)
			domains_end_processes(host, domain->domid);
}

static void report_to_requester(struct host *host, const struct hand_over *head)
{
	struct control *control = host->controls;

	while (control && control->source.fd != head->requester)
		control = control->next;
	live_update_answer(host, control, head->report.refusal[0] ? -EOPNOTSUPP : 0, &head->report);
}

int take_over(struct host *host, int file, const char *command_line)
{
	static struct hand_over head;
	int64_t begun = live_update_now(), restored;
	struct hv_boot boot = {.reason = NULL};
	bool again;
	int error;

	error = hand_over_read_head(file, &head);
	if (error) {
		/* The watchdog, which reads it too, goes on from here. */
		fprintf(stderr, "simxen: the hand-over file cannot be read: %s\n",
			strerror(-error));
		return error;
	}
	again = head.report.refusal[0] != '\0';
	prctl(PR_SET_NAME, "simxen");
	host_adopt(host, &head);
	host->update.mapper = memory_mapper(host);
	error = memory_open(host, head.memory);
	if (error)
		refuse(&head.report, error, "cannot map the memory", NULL);
	if (!error)
		error = restore(host, &head, command_line, &boot, &head.report);
	if (!error)
		error = connect_all(host, file, &head);
	if (error)
		return go_back(file, &head, again);
	host_kexec_init(host);
	restored = live_update_now();
	if (head.check_memory)
		head.report.hash_after = memory_hash(host);
	watchdog_claim(file);
	watchdog_end(head.watchdog);
	hv_boot_drop_stream(&boot, &host->machine);
	close(head.previous);
	close(file);
	head.report.boot = begun - head.paused_at - head.report.save;
	head.report.restore = restored - begun;
	head.report.pause = restored - head.paused_at;
	end_lost_domains(host);
	host_settle(host);
	handle_flush_all(host);
	report_to_requester(host, &head);
	return 0;
}
