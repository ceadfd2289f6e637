/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fan-out: one write, and everybody wants to know.
 *
 *     fanout  the scale is a number of connections that watch one node; the time is from the
 *             write to the last of the events
 */
#define _GNU_SOURCE 1
#include "client.h"
#include "crowd.h"
#include "fail.h"
#include "sample.h"
#include "scenario.h"

#include <stdlib.h>

#define NODE  "/bench/node"
#define TOKEN "token"

struct state {
	struct crowd *crowd;
	struct client *writer;
	struct timings timings;
	uint64_t writes;
};

static void fanout_prepare(struct subject *subject, const struct plan *plan)
{
	static const char event[] = NODE "\0" TOKEN;
	struct state *state = calloc(1, sizeof(*state));

	(void)plan;
	if (!state)
		fail("out of memory");
	subject->state = state;
	state->writer = client_new(subject);
	client_write(state->writer, NODE, VALUE_SIZE);
	state->crowd = crowd_new(subject, subject->scale);
	for (size_t i = 0; i < state->crowd->count; i++) {
		struct client *watcher = state->crowd->members[i];

		watcher->only_event = event;
		watcher->only_event_len = sizeof(event);
		client_watch(watcher, NODE, TOKEN);
	}
	/* The first event of a watch comes without a write. */
	crowd_await_events(state->crowd, 1);
	subject_settle(subject);
}

static void fanout_block(struct subject *subject, const struct plan *plan, int block)
{
	struct state *state = subject->state;
	uint64_t cpu = subject_settle(subject), begin = now_ns();
	size_t done;

	timings_reset(&state->timings);
	for (done = 0; plan_more(plan, done, begin); done++) {
		uint64_t t = now_ns();
		uint32_t id = client_put_path(state->writer, XS_WRITE, 0, NODE,
					      value_text(VALUE_SIZE), VALUE_SIZE);

		client_flush(state->writer);
		crowd_await_events(state->crowd, 1 + ++state->writes);
		timings_add(&state->timings, now_ns() - t);
		client_finish(state->writer, XS_WRITE, id, 0, "OK", 3);
	}
	cpu = subject_settle(subject) - cpu;
	sample_print(subject, NULL, block, "us", timings_median_us(&state->timings));
	sample_print(subject, NULL, block, "cpu_us", (double)cpu / 1000.0 / (double)done);
}

const struct scenario fanout_scenarios[] = {
	{"fanout", fanout_prepare, fanout_block},
	{0},
};
