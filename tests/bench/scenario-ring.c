/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rings: guests on a simulated host.
 *
 *     ring-write   one guest's WRITE; the scale is the number of introduced domains
 *     ring-read    the scale is a number of guests, each with one READ in flight
 *     ring-flood   READ of one guest after the other, alone and beside 10 guests that always
 *                  keep their rings full of READs; the scale is the number of guests
 *     ring-death   a domain dies and domain 0 is told; the scale is the number of domains
 */
#define _GNU_SOURCE 1
#include "bulk.h"
#include "client.h"
#include "crowd.h"
#include "fail.h"
#include "guest.h"
#include "neighbour.h"
#include "readers.h"
#include "sample.h"
#include "scenario.h"

#include <stdio.h>
#include <stdlib.h>

#define NODE	 "data"
#define FLOODERS 10u
#define FLIGHT	 40u /* READs of a flooding guest: more than its ring holds */

struct state {
	struct machine *machine;
	struct client *dom0, *watcher, *guest;
	struct crowd *crowd;
	struct neighbour *neighbour;
	struct timings timings;
	struct readers *readers;
	size_t next;
};

/* A host with so many introduced domains, each with a node of its own. */
static struct state *start(struct subject *subject)
{
	struct state *state = calloc(1, sizeof(*state));
	struct bulk bulk = {0};
	char path[64];

	if (!state)
		fail("out of memory");
	subject->state = state;
	state->machine = machine_new(subject);
	bulk.client = state->dom0 = client_new(subject);
	machine_create(state->machine, subject->scale);
	machine_homes(state->machine, state->dom0, 1, subject->scale);
	machine_introduce(state->machine, state->dom0, 1, subject->scale);
	for (unsigned int domid = 1; domid <= subject->scale; domid++) {
		snprintf(path, sizeof(path), "/local/domain/%u/" NODE, domid);
		bulk_put(&bulk, XS_WRITE, path, value_text(VALUE_SIZE), VALUE_SIZE);
	}
	bulk_finish(&bulk);
	return state;
}

static void write_prepare(struct subject *subject, const struct plan *plan)
{
	struct state *state = start(subject);

	(void)plan;
	state->guest = guest_client(state->machine, subject->scale / 2);
	subject_settle(subject);
}

static void write_block(struct subject *subject, const struct plan *plan, int block)
{
	struct state *state = subject->state;
	uint64_t cpu = subject_settle(subject), begin = now_ns();
	size_t done;

	timings_reset(&state->timings);
	for (done = 0; plan_more(plan, done, begin); done++) {
		uint64_t t = now_ns();

		client_write(state->guest, NODE, VALUE_SIZE);
		timings_add(&state->timings, now_ns() - t);
	}
	cpu = subject_settle(subject) - cpu;
	sample_print(subject, NULL, block, "us", timings_median_us(&state->timings));
	sample_print(subject, NULL, block, "cpu_us", (double)cpu / 1000.0 / (double)done);
}

static void read_prepare(struct subject *subject, const struct plan *plan)
{
	struct state *state = start(subject);

	(void)plan;
	state->readers = readers_new(crowd_guests(state->machine, 1, subject->scale), NODE);
	subject_settle(subject);
}

static void read_block(struct subject *subject, const struct plan *plan, int block)
{
	struct state *state = subject->state;

	readers_block(state->readers, subject, plan, block);
}

/* ---- a flood ---- */

struct flood {
	struct neighbour_shared *shared;
	uint32_t oldest[FLOODERS]; /* whose reply comes next */
};

static bool flood_step(void *context, size_t member, struct client *client,
		       const struct reply *reply)
{
	struct flood *flood = context;
	unsigned int wanted = reply ? 1 : FLIGHT;

	if (reply) {
		client_check(client, reply, XS_READ, flood->oldest[member]++, 0,
			     value_text(VALUE_SIZE), VALUE_SIZE);
		atomic_fetch_add(&flood->shared->done, 1);
	} else {
		flood->oldest[member] = client->last_id + 1;
	}
	for (; wanted && !atomic_load(&flood->shared->stop); wanted--)
		client_put_path(client, XS_READ, 0, NODE, NULL, 0);
	return flood->oldest[member] != client->last_id + 1;
}

/* The first guests flood; in the neighbour's process. */
static void flood(struct client *client, struct neighbour_shared *shared)
{
	static struct crowd *crowd;
	struct flood flood = {.shared = shared};

	if (!crowd) {
		const struct state *state = client->subject->state;

		crowd = crowd_guests(state->machine, 1, FLOODERS);
	}
	crowd_run(crowd, flood_step, &flood);
}

static void flood_prepare(struct subject *subject, const struct plan *plan)
{
	struct state *state = start(subject);

	(void)plan;
	if (subject->scale <= FLOODERS)
		fail("more than %u guests are needed", FLOODERS);
	state->neighbour = neighbour_new(subject, flood);
	state->crowd = crowd_guests(state->machine, FLOODERS + 1, subject->scale - FLOODERS);
}

static size_t reads(struct state *state, const struct plan *plan)
{
	uint64_t begin = now_ns();
	size_t done;

	timings_reset(&state->timings);
	for (done = 0; plan_more(plan, done, begin); done++) {
		struct client *client = state->crowd->members[state->next++ % state->crowd->count];
		uint64_t t = now_ns();

		client_read(client, NODE, VALUE_SIZE);
		timings_add(&state->timings, now_ns() - t);
	}
	return done;
}

static void flood_alone(struct subject *subject, const struct plan *plan, int block)
{
	struct state *state = subject->state;

	subject_settle(subject);
	reads(state, plan);
	sample_print(subject, "alone", block, "us", timings_median_us(&state->timings));
}

static void flood_beside(struct subject *subject, const struct plan *plan, int block)
{
	struct state *state = subject->state;
	unsigned int replies;
	size_t done;

	neighbour_go(state->neighbour, 0);
	done = reads(state, plan);
	replies = neighbour_stop(state->neighbour);
	/* A flood that other people's jobs kept from running proves nothing. */
	if (replies < done) {
		sample_print(subject, "beside", block, "void", 1);
		return;
	}
	sample_print(subject, "beside", block, "us", timings_median_us(&state->timings));
	sample_print(subject, "beside", block, "neighbour", (double)replies / (double)done);
}

static void flood_block(struct subject *subject, const struct plan *plan, int block)
{
	if (block & 1)
		flood_alone(subject, plan, block);
	flood_beside(subject, plan, block);
	if (!(block & 1))
		flood_alone(subject, plan, block);
}

/* ---- death ---- */

static void death_prepare(struct subject *subject, const struct plan *plan)
{
	struct state *state = start(subject);

	(void)plan;
	state->watcher = client_new(subject);
	client_watch(state->watcher, "@releaseDomain", "t");
	client_await_events(state->watcher, 1);
}

/* A few deaths, each followed by a new domain with the same domid that is not part of it. */
static void death_block(struct subject *subject, const struct plan *plan, int block)
{
	struct state *state = subject->state;
	uint64_t cpu = 0, begin = now_ns();
	size_t done;

	timings_reset(&state->timings);
	for (done = 0; plan_more(plan, done, begin); done++) {
		uint32_t domid = (uint32_t)(state->next++ % subject->scale) + 1;
		uint64_t before = subject_settle(subject), t = now_ns();
		char path[64];

		machine_destroy(state->machine, domid);
		client_await_events(state->watcher, state->watcher->events + 1);
		timings_add(&state->timings, now_ns() - t);
		cpu += subject_settle(subject) - before;
		machine_create_one(state->machine, domid);
		machine_homes(state->machine, state->dom0, domid, domid);
		machine_introduce(state->machine, state->dom0, domid, domid);
		snprintf(path, sizeof(path), "/local/domain/%u/" NODE, domid);
		client_write(state->dom0, path, VALUE_SIZE);
	}
	sample_print(subject, NULL, block, "us", timings_median_us(&state->timings));
	sample_print(subject, NULL, block, "cpu_us", (double)cpu / 1000.0 / (double)done);
}

const struct scenario ring_scenarios[] = {
	{"ring-write", write_prepare, write_block},
	{"ring-read", read_prepare, read_block},
	{"ring-flood", flood_prepare, flood_block},
	{"ring-death", death_prepare, death_block},
	{0},
};
