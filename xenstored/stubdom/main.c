/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenstored as a domain of its own: the core and its loop, on a machine that has
 * nothing but the hypervisor.
 *
 * Whoever waits for the first answer, and that is all of domain 0, waits for this
 * file: so nothing is done before the loop that could take long or fail for a
 * reason outside of this domain. (spec: stubdom.md section 4)
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/domains.h"
#include "daemon/administration.h"
#include "daemon/log.h"
#include "daemon/settings.h"
#include "stubdom/files.h"
#include "stubdom/host.h"
#include "stubdom/ring0/clock.h"
#include "stubdom/ring0/console.h"
#include "stubdom/ring0/events.h"
#include "stubdom/ring0/memory.h"
#include "stubdom/ring0/ring0.h"
#include "stubdom/ring0/state.h"
#include "stubdom/update.h"

#define NS_PER_MS 1000000u

struct stubdom {
	int argc;
	char **argv;
	struct options options;
	struct administration administration;
	struct world world;
	struct stubdom_host host;
	struct core *core;
	struct files files;
	struct stubdom_update update;
};

static uint64_t monotonic_ms(struct world *world)
{
	(void)world;
	return clock_monotonic_ns() / NS_PER_MS;
}

/*
 * Put aside, so that a domain that has used its memory up can still answer, and still remove what
 * it has too much of. Small enough to come out of the heap, not out of pages of its own.
 */
#define SPARE_BYTES (96u * 1024)

static void *spare;

static bool make_room(struct world *world)
{
	bool had = spare;

	(void)world;
	free(spare);
	spare = NULL;
	return had;
}

static void put_aside(void)
{
	if (!spare)
		spare = malloc(SPARE_BYTES);
}

/* As long as it could not be put aside again. */
static bool is_short(struct world *world)
{
	(void)world;
	return !spare;
}

static void say_what_there_is(void)
{
	const struct hypervisor_info *hypervisor = &ring0.hypervisor;

	log_message(LOG_NOTICE,
		    "xenstored " XENSTORED_VERSION " as domain %u on Xen %u.%u: %zu KB of memory, "
		    "up to %zu KB, %s event channels",
		    hypervisor->domid, hypervisor->version >> 16, hypervisor->version & 0xffff,
		    (size_t)ring0_memory.end / 1024, (size_t)ring0_memory.limit / 1024,
		    events_abi() == EVENTS_FIFO ? "FIFO" : "2-level");
}

/* Defaults that a machine with little memory cannot afford are parts of what it can have. */
static void limit_by_memory(struct core_config *config)
{
	size_t most = memory_available(&ring0_memory) * LAYOUT_PAGE;

	if (config->output_max > most / 8)
		config->output_max = most / 8;
	if (config->snapshot_min > most / 4)
		config->snapshot_min = most / 4;
}

static void make_core(struct stubdom *stubdom, uint32_t virq_port)
{
	struct core_config config;

	core_config_defaults(&config);
	settings_fill(&stubdom->options, &config);
	limit_by_memory(&config);
	stubdom_host_open(&stubdom->host, &stubdom->options, virq_port, &config, &stubdom->world);
	/* Above all that an earlier store on this host can have given out. */
	config.generation = clock_wall_ns() / 1000;
	if (getrandom(&config.secret, sizeof(config.secret), 0) != sizeof(config.secret))
		fatal_errno(errno, "random numbers");
	stubdom->world.log = &stubdom->administration.logger;
	stubdom->world.now = monotonic_ms;
	stubdom->world.make_room = make_room;
	stubdom->world.is_short = is_short;
	put_aside();
	stubdom->core = core_new(&stubdom->world, &config);
	if (!stubdom->core)
		fatal("out of memory");
	stubdom_host_attach(&stubdom->host, stubdom->core);
	stubdom_update_init(&stubdom->update, stubdom->core, &stubdom->host, &stubdom->files,
			    &stubdom->administration.trace, stubdom->argc, stubdom->argv);
	stubdom->update.process.migration = &stubdom->administration.migration;
	administration_attach(&stubdom->administration, stubdom->core,
			      &stubdom_update_administration, &stubdom->update);
}

static void report_memory(FILE *out)
{
	fprintf(out, "domain: %zu KB populated, up to %zu KB; %zu KB are outside of the heap\n",
		(size_t)ring0_memory.end / 1024, (size_t)ring0_memory.limit / 1024,
		memory_available(&ring0_memory) * (LAYOUT_PAGE / 1024));
	fprintf(out, "kept for emergencies: %u bytes\n", spare ? SPARE_BYTES : 0);
}

static void take_events(void *host)
{
	stubdom_host_events(host);
}

/* A message for the administrator, who may be at either place. */
static void log_line(void *data, const char *text)
{
	struct stubdom *stubdom = data;

	console_write(text, strlen(text));
	console_write("\n", 1);
	files_log(&stubdom->files, text);
}

static int sooner(int a, int b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* Returns the ms until the next turn is due at the latest; -1: only events can bring something. */
static int turn(struct stubdom *stubdom)
{
	int due;

	put_aside();
	take_events(&stubdom->host);
	due = core_turn(stubdom->core);
	due = sooner(due, files_turn(&stubdom->files));
	due = sooner(due, stubdom_update_run(&stubdom->update));
	/* The front-end may have asked the store for something. */
	return TAILQ_EMPTY(&stubdom->core->runnable) ? due : 0;
}

_Noreturn static void run(struct stubdom *stubdom)
{
	for (;;) {
		int due = turn(stubdom);

		if (due < 0)
			events_wait(EVENTS_NEVER);
		else if (due)
			events_wait(clock_monotonic_ns() + (uint64_t)due * NS_PER_MS);
	}
}

/* The state is that of the image before, of our kind or of another, or there is none yet. */
static void begin(struct stubdom *stubdom, const struct handover *handover)
{
	if (handover) {
		stubdom_update_restore(&stubdom->update, handover);
		return;
	}
	if (stubdom->options.live_update) {
		stubdom_update_adopt(&stubdom->update);
		return;
	}
	if (stubdom->options.event_port <= 0)
		fatal("--event PORT is missing: there is no way to domain 0");
	stubdom_host_introduce(&stubdom->host, (unsigned int)stubdom->options.event_port);
}

int main(int argc, char **argv)
{
	static struct stubdom stubdom;
	const struct handover *handover = stubdom_update_found();
	const struct ninep_saved *saved = stubdom_update_files(handover);

	stubdom.argc = argc;
	stubdom.argv = argv;
	settings_read(&stubdom.options, argc, argv);
	if (!handover && stubdom.options.live_update)
		saved = stubdom_update_adopt_files();
	if (files_init(&stubdom.files, &stubdom.administration.trace, saved))
		fatal("out of memory");
	log_redirect(log_line, &stubdom);
	say_what_there_is();
	if (stubdom.options.notes[0])
		log_message(LOG_NOTICE, "%s", stubdom.options.notes);
	administration_init(&stubdom.administration);
	settings_open_trace(&stubdom.options, &stubdom.administration.trace);
	stubdom.administration.report = report_memory;
	make_core(&stubdom, handover ? handover->virq_port : 0);
	files_listen(&stubdom.files, &stubdom.host.evtchn, take_events, &stubdom.host);
	begin(&stubdom, handover);
	if (files_start(&stubdom.files, stubdom.core))
		log_message(LOG_ERR, "no files: the device cannot be watched");
	run(&stubdom);
}
