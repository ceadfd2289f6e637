/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Beside: what a busy client costs its neighbours.
 *
 *     beside-flight   READ alone, and beside a client that always has 64 READs in flight
 *     beside-removal  READ alone, and beside a client that removes one tree of 1,000 nodes
 *                     after the other; the scale is how many trees there are for one block
 *
 * Both halves of a block run on the same server, in an order that alternates.
 */
#define _GNU_SOURCE 1
#include "bulk.h"
#include "client.h"
#include "fail.h"
#include "neighbour.h"
#include "sample.h"
#include "scenario.h"

#include <stdio.h>
#include <stdlib.h>

#define NODE	   "/bench/node"
#define FLIGHT	   64
#define TREE_NODES 1000
#define TREE_WIDTH 32

struct state {
	struct client *client;
	struct neighbour *neighbour;
	struct timings timings;
};

static void tree_root(char *path, size_t size, unsigned int tree)
{
	snprintf(path, size, "/bench/trees/t%u", tree);
}

static void count_reply(struct neighbour_shared *shared)
{
	atomic_store(&shared->done, atomic_load(&shared->done) + 1);
}

static void read_always(struct client *client, struct neighbour_shared *shared)
{
	uint32_t oldest = client->last_id + 1;
	struct reply reply;

	for (unsigned int i = 0; i < FLIGHT; i++)
		client_put_path(client, XS_READ, 0, NODE, NULL, 0);
	client_flush(client);
	/* As many new requests as there were replies, until told to stop; then the rest. */
	while (oldest != client->last_id + 1) {
		client_fill(client, true);
		while (client_next(client, &reply)) {
			client_check(client, &reply, XS_READ, oldest++, 0, value_text(VALUE_SIZE),
				     VALUE_SIZE);
			count_reply(shared);
			if (!atomic_load(&shared->stop))
				client_put_path(client, XS_READ, 0, NODE, NULL, 0);
		}
		client_flush(client);
	}
}

static void remove_all(struct client *client, struct neighbour_shared *shared)
{
	char path[64];

	/* Not to be stopped early: what is left would be in the way of the next block. */
	for (unsigned int i = 0; i < shared->amount; i++) {
		tree_root(path, sizeof(path), i);
		client_rm(client, path);
		count_reply(shared);
	}
}

static void prepare(struct subject *subject, neighbour_work *work)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		fail("out of memory");
	subject->state = state;
	state->client = client_new(subject);
	client_write(state->client, NODE, VALUE_SIZE);
	state->neighbour = neighbour_new(subject, work);
}

static void flight_prepare(struct subject *subject, const struct plan *plan)
{
	(void)plan;
	prepare(subject, read_always);
}

static void removal_prepare(struct subject *subject, const struct plan *plan)
{
	(void)plan;
	prepare(subject, remove_all);
}

/* READs until the block is over or the neighbour has nothing to do any more. */
static size_t reads(struct state *state, const struct plan *plan, bool beside)
{
	uint64_t begin = now_ns();
	size_t done;

	timings_reset(&state->timings);
	for (done = 0; plan_more(plan, done, begin); done++) {
		uint64_t t = now_ns();

		client_read(state->client, NODE, VALUE_SIZE);
		if (beside && !atomic_load(&state->neighbour->shared->running))
			break;
		timings_add(&state->timings, now_ns() - t);
	}
	return state->timings.len;
}

static void alone(struct subject *subject, const struct plan *plan, int block)
{
	struct state *state = subject->state;

	subject_settle(subject);
	reads(state, plan, false);
	sample_print(subject, "alone", block, "us", timings_median_us(&state->timings));
}

static void beside(struct subject *subject, const struct plan *plan, int block, bool endless)
{
	struct state *state = subject->state;
	unsigned int replies;
	size_t done;

	neighbour_go(state->neighbour, subject->scale);
	done = reads(state, plan, true);
	replies = neighbour_stop(state->neighbour);
	/* A neighbour that other people's jobs kept from running proves nothing. */
	if (done == 0 || (endless && replies < done)) {
		sample_print(subject, "beside", block, "void", 1);
		return;
	}
	sample_print(subject, "beside", block, "us", timings_median_us(&state->timings));
	sample_print(subject, "beside", block, "neighbour", (double)replies / (double)done);
}

static void flight_block(struct subject *subject, const struct plan *plan, int block)
{
	if (block & 1)
		alone(subject, plan, block);
	beside(subject, plan, block, true);
	if (!(block & 1))
		alone(subject, plan, block);
}

static void removal_block(struct subject *subject, const struct plan *plan, int block)
{
	struct state *state = subject->state;
	char path[64];

	if (block & 1)
		alone(subject, plan, block);
	for (unsigned int i = 0; i < subject->scale; i++) {
		tree_root(path, sizeof(path), i);
		tree_create(state->client, path, TREE_NODES, TREE_WIDTH);
	}
	subject_settle(subject);
	beside(subject, plan, block, false);
	if (!(block & 1))
		alone(subject, plan, block);
}

const struct scenario beside_scenarios[] = {
	{"beside-flight", flight_prepare, flight_block},
	{"beside-removal", removal_prepare, removal_block},
	{0},
};
