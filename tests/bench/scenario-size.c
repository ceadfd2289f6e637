/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Size: does a request cost more because there is more of everything?
 *
 *     store  READ and WRITE of random nodes; the scale is the number of nodes
 *     child  a new child for a directory; the scale is the number of children it has
 */
#define _GNU_SOURCE 1
#include "bulk.h"
#include "client.h"
#include "fail.h"
#include "sample.h"
#include "scenario.h"

#include <stdio.h>
#include <stdlib.h>

struct state {
	struct client *client;
	struct timings reads;
	struct timings writes;
	size_t leaves;
	size_t width;
	uint64_t random;
};

static struct state *start(struct subject *subject)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		fail("out of memory");
	state->client = client_new(subject);
	state->random = 88172645463325252u;
	subject->state = state;
	return state;
}

static size_t random_leaf(struct state *state)
{
	state->random ^= state->random << 13;
	state->random ^= state->random >> 7;
	state->random ^= state->random << 17;
	return (size_t)(state->random % state->leaves);
}

static void store_prepare(struct subject *subject, const struct plan *plan)
{
	struct state *state = start(subject);

	(void)plan;
	/* As wide as deep: one directory level of equal size at each scale. */
	while (state->width * state->width < subject->scale)
		state->width++;
	state->leaves = tree_create(state->client, "/bench/store", subject->scale, state->width);
	subject_settle(subject);
}

static void store_block(struct subject *subject, const struct plan *plan, int block)
{
	struct state *state = subject->state;
	uint64_t begin = now_ns();
	char path[128];

	timings_reset(&state->reads);
	timings_reset(&state->writes);
	for (size_t done = 0; plan_more(plan, done, begin); done++) {
		uint64_t t[2];

		tree_leaf(path, sizeof(path), "/bench/store", state->width, random_leaf(state));
		t[0] = now_ns();
		client_read(state->client, path, VALUE_SIZE);
		timings_add(&state->reads, now_ns() - t[0]);
		/* Another leaf, or the write would find everything warm. */
		tree_leaf(path, sizeof(path), "/bench/store", state->width, random_leaf(state));
		t[1] = now_ns();
		client_write(state->client, path, VALUE_SIZE);
		timings_add(&state->writes, now_ns() - t[1]);
	}
	sample_print(subject, NULL, block, "read_us", timings_median_us(&state->reads));
	sample_print(subject, NULL, block, "write_us", timings_median_us(&state->writes));
}

static void child_prepare(struct subject *subject, const struct plan *plan)
{
	struct state *state = start(subject);
	struct bulk bulk = {.client = state->client};
	char path[64];

	(void)plan;
	for (unsigned int i = 0; i < subject->scale; i++) {
		snprintf(path, sizeof(path), "/bench/dir/child%u", i);
		bulk_put(&bulk, XS_WRITE, path, value_text(VALUE_SIZE), VALUE_SIZE);
	}
	bulk_finish(&bulk);
	subject_settle(subject);
}

static void child_block(struct subject *subject, const struct plan *plan, int block)
{
	struct state *state = subject->state;
	uint64_t begin = now_ns();
	char path[64];

	timings_reset(&state->writes);
	for (size_t done = 0; plan_more(plan, done, begin); done++) {
		uint64_t t;

		snprintf(path, sizeof(path), "/bench/dir/new%d-%zu", block, done);
		t = now_ns();
		client_write(state->client, path, VALUE_SIZE);
		timings_add(&state->writes, now_ns() - t);
		/* Removed at once, so that the directory keeps its size. */
		client_rm(state->client, path);
	}
	sample_print(subject, NULL, block, "us", timings_median_us(&state->writes));
}

const struct scenario size_scenarios[] = {
	{"store", store_prepare, store_block},
	{"child", child_prepare, child_block},
	{0},
};
