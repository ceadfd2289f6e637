/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Removal: the longest time that nobody else is served while a large tree goes away.
 *
 *     removal  the scale is the number of nodes of the tree; each block is one view
 *
 * Seen from outside: while the tree is removed (and for a while after the reply, since memory
 * may be freed later), another client READs.  The server's CPU time between a READ and its reply
 * covers the rest of the turn in which the request came and the turn that answered it, so its
 * maximum is at least the longest turn that any READ met, and other people's time slices are
 * not in it.  Where the CPU time of a running server cannot be seen, wall-clock time stands in,
 * which is never less.  A view also has interrupts in it that hit the server: hence the best of
 * ten.
 */
#define _GNU_SOURCE 1
#include "bulk.h"
#include "client.h"
#include "fail.h"
#include "sample.h"
#include "scenario.h"
#include "turn.h"

#include <stdlib.h>

#define NODE  "/bench/node"
#define TREE  "/bench/tree"
#define WIDTH 316

struct state {
	struct client *reader;
	struct client *remover;
};

static void removal_prepare(struct subject *subject, const struct plan *plan)
{
	struct state *state = calloc(1, sizeof(*state));

	(void)plan;
	if (!state)
		fail("out of memory");
	subject->state = state;
	state->reader = client_new(subject);
	state->remover = client_new(subject);
	client_write(state->reader, NODE, VALUE_SIZE);
}

static void removal_block(struct subject *subject, const struct plan *plan, int block)
{
	struct state *state = subject->state;
	uint64_t longest_cpu = 0, longest_wall = 0, replied = 0, sent;
	struct reply reply;
	uint32_t id;
	double turn;

	if (block < 0)
		return; /* a view is expensive, and there are enough of them to get warm */
	tree_create(state->remover, TREE, subject->scale, WIDTH);
	subject_settle(subject);
	id = client_put_path(state->remover, XS_RM, 0, TREE, NULL, 0);
	sent = now_ns();
	client_flush(state->remover);
	while (!replied || now_ns() - replied < (uint64_t)plan->limit_ms * 1000000u) {
		uint64_t cpu = subject_cpu_ns(subject), wall = now_ns();

		client_read(state->reader, NODE, VALUE_SIZE);
		wall = now_ns() - wall;
		cpu = subject_cpu_ns(subject) - cpu;
		longest_cpu = cpu > longest_cpu ? cpu : longest_cpu;
		longest_wall = wall > longest_wall ? wall : longest_wall;
		if (!replied && client_fill(state->remover, false) &&
		    client_next(state->remover, &reply)) {
			client_check(state->remover, &reply, XS_RM, id, 0, "OK", 3);
			replied = now_ns();
		}
	}
	if (!subject_exact(subject))
		longest_cpu = longest_wall;
	sample_print(subject, NULL, block, "stall_cpu_ms", (double)longest_cpu / 1e6);
	sample_print(subject, NULL, block, "stall_wall_ms", (double)longest_wall / 1e6);
	sample_print(subject, NULL, block, "reply_ms", (double)(replied - sent) / 1e6);
	turn = turn_longest_us(state->reader);
	if (turn >= 0)
		sample_print(subject, NULL, block, "turn_ms", turn / 1000.0);
	subject_settle(subject);
}

const struct scenario removal_scenarios[] = {
	{"removal", removal_prepare, removal_block},
	{0},
};
