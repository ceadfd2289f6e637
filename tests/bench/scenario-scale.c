/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scale: a host full of guests, once, phase by phase.
 *
 * The scale is the number of guests.  Each gets a home from domain 0, is introduced, makes 49
 * nodes below it and sets 10 watches through its ring, reads back, and is told of a change.
 * Then one dies, its domid is used again, and all die.  Every reply and every event is checked.
 * For each phase there are samples of the seconds, the daemon's CPU seconds, the memory that it
 * added to its own, and all its resident memory afterwards.  There are no blocks.
 */
#define _GNU_SOURCE 1
#include "bulk.h"
#include "client.h"
#include "crowd.h"
#include "fail.h"
#include "guest.h"
#include "sample.h"
#include "scenario.h"
#include "turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAVES	48 /* with the home and "data" a guest has 50 nodes */
#define WATCHES 10
#define FLIGHT	12   /* requests of a guest in flight: below the quota, and they fit a ring */
#define BATCH	500u /* guests played at a time; each needs two descriptors on the host */

struct phase {
	uint64_t ns, cpu;
	double grown; /* memory that is the daemon's alone */
};

enum { CREATE, HOMES, INTRODUCE, NODES, READS, WATCHING, EVENTS, DEATH, REUSE, DEATHS, PHASES };

struct state {
	struct machine *machine;
	struct client *dom0, *watcher;
	struct phase phase[PHASES];
	uint64_t begin, cpu;
	size_t memory;
};

static void begin(struct state *state)
{
	state->cpu = subject_settle(state->machine->subject);
	state->memory = subject_private(state->machine->subject);
	state->begin = now_ns();
}

/* Settling after the clock has stopped: the wait for silence is not part of the phase. */
static void end(struct state *state, int which)
{
	state->phase[which].ns += now_ns() - state->begin;
	state->phase[which].cpu += subject_settle(state->machine->subject) - state->cpu;
	state->phase[which].grown += (double)subject_private(state->machine->subject) -
				     (double)state->memory;
}

static void report(const struct state *state, int which, const char *name)
{
	const struct subject *subject = state->machine->subject;

	sample_print(subject, name, 0, "s", (double)state->phase[which].ns / 1e9);
	sample_print(subject, name, 0, "cpu_s", (double)state->phase[which].cpu / 1e9);
	sample_print(subject, name, 0, "grown", state->phase[which].grown);
	sample_print(subject, name, 0, "bytes", (double)subject_rss(subject));
	fflush(stdout);
}

/* ---- what guests do ---- */

/* The same requests by each member of a crowd, some of them in flight. */
struct job {
	size_t total;
	uint32_t type;
	uint32_t *first_id;
	size_t *sent, *received;
};

static void put(struct client *client, uint32_t type, size_t number)
{
	char path[32], token[16];
	const void *more = value_text(VALUE_SIZE);
	size_t len = VALUE_SIZE;

	snprintf(path, sizeof(path), "data/n%zu", number);
	if (type == XS_WATCH) {
		len = (size_t)snprintf(token, sizeof(token), "t%zu", number) + 1;
		more = token;
	} else if (type == XS_READ) {
		len = 0;
	}
	client_put_path(client, type, 0, path, more, len);
}

static bool step(void *context, size_t member, struct client *client, const struct reply *reply)
{
	struct job *job = context;
	size_t wanted = reply ? 1 : FLIGHT;

	if (!reply) {
		job->first_id[member] = client->last_id + 1;
		job->sent[member] = job->received[member] = 0;
	} else {
		bool read = job->type == XS_READ;

		client_check(client, reply, job->type,
			     job->first_id[member] + (uint32_t)job->received[member]++, 0,
			     read ? value_text(VALUE_SIZE) : "OK", read ? VALUE_SIZE : 3);
	}
	for (; wanted && job->sent[member] < job->total; wanted--)
		put(client, job->type, job->sent[member]++);
	return job->received[member] < job->total;
}

static void perform(struct state *state, struct crowd *crowd, int which, uint32_t type,
		    size_t total)
{
	struct job job = {.total = total, .type = type};

	job.first_id = calloc(crowd->count, sizeof(*job.first_id));
	job.sent = calloc(crowd->count, sizeof(*job.sent));
	job.received = calloc(crowd->count, sizeof(*job.received));
	if (!job.first_id || !job.sent || !job.received)
		fail("out of memory");
	begin(state);
	crowd_run(crowd, step, &job);
	if (type == XS_WATCH)
		crowd_await_events(crowd, total);
	end(state, which);
	free(job.first_id);
	free(job.sent);
	free(job.received);
}

/* Domain 0 changes one node of each guest of the crowd, and each is told of it once. */
static void change(struct state *state, struct crowd *crowd, unsigned int first)
{
	struct bulk bulk = {.client = state->dom0};
	char path[64];

	begin(state);
	for (size_t i = 0; i < crowd->count; i++) {
		snprintf(path, sizeof(path), "/local/domain/%zu/data/n%zu", first + i, i % WATCHES);
		bulk_put(&bulk, XS_WRITE, path, value_text(VALUE_SIZE), VALUE_SIZE);
	}
	bulk_finish(&bulk);
	crowd_await_events(crowd, WATCHES + 1);
	end(state, EVENTS);
}

static void play_all(struct state *state, unsigned int count)
{
	for (unsigned int first = 1; first <= count; first += BATCH) {
		unsigned int some = count - first + 1 < BATCH ? count - first + 1 : BATCH;
		struct crowd *crowd = crowd_guests(state->machine, first, some);

		perform(state, crowd, NODES, XS_WRITE, LEAVES);
		perform(state, crowd, READS, XS_READ, LEAVES);
		perform(state, crowd, WATCHING, XS_WATCH, WATCHES);
		change(state, crowd, first);
		crowd_free(crowd);
	}
	report(state, NODES, "nodes");
	report(state, READS, "reads");
	report(state, WATCHING, "watches");
	report(state, EVENTS, "events");
}

/* ---- life and death ---- */

static void expect_error(struct client *client, const char *path, const char *name)
{
	uint32_t id = client_put_path(client, XS_READ, 0, path, NULL, 0);
	struct reply reply;

	client_flush(client);
	client_take(client, &reply);
	if (!client_is_error(client, &reply, id, 0, name))
		fail("%s: READ of %s is not answered with %s", client->subject->name, path, name);
}

static void death(struct state *state, unsigned int domid, unsigned int other)
{
	char path[64];

	begin(state);
	machine_destroy(state->machine, domid);
	client_await_events(state->watcher, 1);
	end(state, DEATH);
	snprintf(path, sizeof(path), "/local/domain/%u/data/n0", domid);
	expect_error(state->dom0, path, "ENOENT");
	snprintf(path, sizeof(path), "/local/domain/%u/data/n0", other);
	client_read(state->dom0, path, VALUE_SIZE);
	report(state, DEATH, "death");
}

static void reuse(struct state *state, unsigned int domid)
{
	struct client *guest;

	begin(state);
	machine_create_one(state->machine, domid);
	machine_homes(state->machine, state->dom0, domid, domid);
	machine_introduce(state->machine, state->dom0, domid, domid);
	guest = guest_client(state->machine, domid);
	expect_error(guest, "data/n0", "ENOENT");
	client_write(guest, "data/n0", VALUE_SIZE);
	client_read(guest, "data/n0", VALUE_SIZE);
	end(state, REUSE);
	/* The watches of the one before are not its own. */
	client_drain(guest);
	if (guest->events)
		fail("%s: a new guest is told what another one watched", guest->subject->name);
	client_free(guest);
	report(state, REUSE, "reuse");
}

static void deaths(struct state *state, unsigned int count)
{
	struct reply reply;
	uint32_t id;

	begin(state);
	for (unsigned int domid = 1; domid <= count; domid++) {
		machine_destroy(state->machine, domid);
		client_drain(state->watcher);
	}
	client_await_events(state->watcher, count + 1);
	end(state, DEATHS);
	client_drain(state->watcher);
	if (state->watcher->events != count + 1)
		fail("%s: more than one @releaseDomain for a death", state->dom0->subject->name);
	id = client_put_path(state->dom0, XS_DIRECTORY, 0, "/local/domain", NULL, 0);
	client_flush(state->dom0);
	client_take(state->dom0, &reply);
	client_check(state->dom0, &reply, XS_DIRECTORY, id, 0, "", 0);
	report(state, DEATHS, "deaths");
}

static void prepare(struct subject *subject, const struct plan *plan)
{
	struct state *state = calloc(1, sizeof(*state));
	unsigned int count = subject->scale;

	(void)plan;
	if (!state)
		fail("out of memory");
	if (count < 2 || count >= DOMIDS)
		fail("there can be 2 to %u guests", DOMIDS - 1);
	state->machine = machine_new(subject);
	state->dom0 = client_new(subject);
	state->watcher = client_new(subject);
	begin(state);
	machine_create(state->machine, count);
	end(state, CREATE);
	report(state, CREATE, "create");
	begin(state);
	machine_homes(state->machine, state->dom0, 1, count);
	end(state, HOMES);
	report(state, HOMES, "homes");
	begin(state);
	machine_introduce(state->machine, state->dom0, 1, count);
	end(state, INTRODUCE);
	report(state, INTRODUCE, "introduce");
	play_all(state, count);
	client_watch(state->watcher, "@releaseDomain", "t");
	client_await_events(state->watcher, 1);
	state->watcher->events = 0;
	death(state, count / 2, count);
	reuse(state, count / 2);
	deaths(state, count);
	sample_print(subject, "whole", 0, "turn_us", turn_longest_us(state->dom0));
}

static void no_block(struct subject *subject, const struct plan *plan, int block)
{
	(void)subject;
	(void)plan;
	(void)block;
}

const struct scenario scale_scenarios[] = {
	{"scale", prepare, no_block},
	{0},
};
