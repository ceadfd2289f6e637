/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One client, one request at a time: what a user of xenstore-read feels.
 *
 *     read   the scale is a number of other, idle connections
 *     write  alone
 *     watch  WRITE while the scale is a number of watches, spread over 100 connections, on
 *            nodes that nobody writes (the connections exist without watches as well, so that
 *            only the watches differ)
 */
#define _GNU_SOURCE 1
#include "client.h"
#include "fail.h"
#include "sample.h"
#include "scenario.h"

#include <stdio.h>
#include <stdlib.h>

#define NODE	 "/bench/node"
#define WATCHERS 100

struct state {
	struct client *client;
	struct timings timings;
};

static struct state *start(struct subject *subject)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		fail("out of memory");
	state->client = client_new(subject);
	client_write(state->client, NODE, VALUE_SIZE);
	subject->state = state;
	return state;
}

static void read_prepare(struct subject *subject, const struct plan *plan)
{
	(void)plan;
	start(subject);
	for (unsigned int i = 0; i < subject->scale; i++)
		client_socket(subject);
	subject_settle(subject);
}

static void write_prepare(struct subject *subject, const struct plan *plan)
{
	(void)plan;
	start(subject);
}

static void watch_prepare(struct subject *subject, const struct plan *plan)
{
	unsigned int each = subject->scale / WATCHERS;
	char path[64], token[16];

	(void)plan;
	start(subject);
	for (unsigned int c = 0; c < WATCHERS; c++) {
		struct client *watcher = client_new(subject);

		for (unsigned int w = 0; w < each; w++) {
			snprintf(path, sizeof(path), "/bench/watched/c%u/n%u", c, w);
			snprintf(token, sizeof(token), "t%u", w);
			client_watch(watcher, path, token);
		}
		/* No more events may ever come: those would be for our write. */
		client_await_events(watcher, each);
	}
	subject_settle(subject);
}

/* Time one kind of round trip for a block. */
static void block(struct subject *subject, const struct plan *plan, int number, bool write)
{
	struct state *state = subject->state;
	uint64_t cpu = subject_settle(subject), begin = now_ns();
	size_t done;

	timings_reset(&state->timings);
	for (done = 0; plan_more(plan, done, begin); done++) {
		uint64_t t = now_ns();

		if (write)
			client_write(state->client, NODE, VALUE_SIZE);
		else
			client_read(state->client, NODE, VALUE_SIZE);
		timings_add(&state->timings, now_ns() - t);
	}
	cpu = subject_settle(subject) - cpu;
	sample_print(subject, NULL, number, "us", timings_median_us(&state->timings));
	sample_print(subject, NULL, number, "cpu_us", (double)cpu / 1000.0 / (double)done);
}

static void read_block(struct subject *subject, const struct plan *plan, int number)
{
	block(subject, plan, number, false);
}

static void write_block(struct subject *subject, const struct plan *plan, int number)
{
	block(subject, plan, number, true);
}

const struct scenario roundtrip_scenarios[] = {
	{"read", read_prepare, read_block},
	{"write", write_prepare, write_block},
	{"watch", watch_prepare, write_block},
	{0},
};
