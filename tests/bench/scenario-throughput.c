/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Throughput: many requests at once.
 *
 *     clients  the scale is a number of clients, each with one READ in flight
 *     flight   one client; the scale is the number of READs that it sends in one write,
 *              waiting for all of the replies
 */
#define _GNU_SOURCE 1
#include "client.h"
#include "crowd.h"
#include "fail.h"
#include "sample.h"
#include "scenario.h"

#include <stdlib.h>

#define NODE	   "/bench/node"
#define FLIGHT_MAX 64

struct state {
	struct crowd *crowd;
	struct client *client;
	uint32_t *ids; /* of the request that each member has in flight */
	const struct plan *plan;
	uint64_t begin;
	size_t done;
	bool ended;
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

static void clients_prepare(struct subject *subject, const struct plan *plan)
{
	struct state *state = start(subject);

	(void)plan;
	state->crowd = crowd_new(subject, subject->scale);
	state->ids = calloc(subject->scale, sizeof(*state->ids));
	if (!state->ids)
		fail("out of memory");
}

static bool clients_step(void *context, size_t member, struct client *client,
			 const struct reply *reply)
{
	struct state *state = context;

	if (reply) {
		client_check(client, reply, XS_READ, state->ids[member], 0, value_text(VALUE_SIZE),
			     VALUE_SIZE);
		state->done++;
		/* The clock is looked at now and then only: it would be part of the load. */
		if (state->done % 64 == 0)
			state->ended = !plan_more(state->plan, state->done, state->begin);
		if (state->ended)
			return false;
	}
	state->ids[member] = client_put_path(client, XS_READ, 0, NODE, NULL, 0);
	return true;
}

static void clients_block(struct subject *subject, const struct plan *plan, int block)
{
	struct state *state = subject->state;
	uint64_t cpu = subject_settle(subject), ns;

	state->plan = plan;
	state->done = 0;
	state->ended = false;
	state->begin = now_ns();
	crowd_run(state->crowd, clients_step, state);
	ns = now_ns() - state->begin;
	cpu = subject_settle(subject) - cpu;
	sample_print(subject, NULL, block, "per_s", (double)state->done * 1e9 / (double)ns);
	sample_print(subject, NULL, block, "cpu_us", (double)cpu / 1000.0 / (double)state->done);
}

static void flight_prepare(struct subject *subject, const struct plan *plan)
{
	(void)plan;
	if (subject->scale > FLIGHT_MAX)
		fail("at most %d requests in flight", FLIGHT_MAX);
	start(subject);
}

static void flight_block(struct subject *subject, const struct plan *plan, int block)
{
	struct state *state = subject->state;
	uint64_t cpu = subject_settle(subject), begin = now_ns();
	uint32_t ids[FLIGHT_MAX];
	struct reply reply;
	size_t done = 0;

	while (plan_more(plan, done, begin)) {
		for (unsigned int i = 0; i < subject->scale; i++)
			ids[i] = client_put_path(state->client, XS_READ, 0, NODE, NULL, 0);
		client_flush(state->client);
		for (unsigned int i = 0; i < subject->scale; i++) {
			client_take(state->client, &reply);
			client_check(state->client, &reply, XS_READ, ids[i], 0,
				     value_text(VALUE_SIZE), VALUE_SIZE);
		}
		done += subject->scale;
	}
	cpu = subject_settle(subject) - cpu;
	sample_print(subject, NULL, block, "cpu_us", (double)cpu / 1000.0 / (double)done);
}

const struct scenario throughput_scenarios[] = {
	{"clients", clients_prepare, clients_block},
	{"flight", flight_prepare, flight_block},
	{0},
};
