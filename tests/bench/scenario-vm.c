/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VMs: what creating one more of them costs, in time and in memory.
 *
 *     vm      server CPU time of creating (and, outside of the measurement, removing) a VM; the
 *             scale is the number of VMs that exist already, each with its toolstack's process
 *             connected and watching
 *     memory  growth of the server's resident memory over the number of nodes; the scale is
 *             the number of nodes, made by VM creation without watches
 */
#define _GNU_SOURCE 1
#include "fail.h"
#include "sample.h"
#include "scenario.h"
#include "vm.h"

#include <stdlib.h>

struct state {
	struct vm_house house;
};

static struct state *start(struct subject *subject, bool nodes_only)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		fail("out of memory");
	vm_house_open(&state->house, subject, nodes_only);
	subject->state = state;
	return state;
}

static void vm_prepare(struct subject *subject, const struct plan *plan)
{
	struct state *state = start(subject, false);

	(void)plan;
	for (unsigned int domid = 1; domid <= subject->scale; domid++)
		vm_create(&state->house, client_new(subject), domid);
	subject_settle(subject);
}

static void vm_block(struct subject *subject, const struct plan *plan, int block)
{
	struct state *state = subject->state;
	struct client *tool = client_new(subject);
	uint64_t cpu = subject_settle(subject), t = now_ns();

	(void)plan;
	vm_create(&state->house, tool, subject->scale + 1);
	t = now_ns() - t;
	/* Events may be on their way still: they belong to the price. */
	cpu = subject_settle(subject) - cpu;
	client_drain(tool);
	client_drain(state->house.back);
	sample_print(subject, NULL, block, "cpu_ms", (double)cpu / 1e6);
	sample_print(subject, NULL, block, "ms", (double)t / 1e6);
	client_free(tool);
	vm_remove(&state->house, subject->scale + 1);
	subject_settle(subject);
	client_drain(state->house.back);
}

static void memory_prepare(struct subject *subject, const struct plan *plan)
{
	(void)plan;
	start(subject, true);
}

static void memory_block(struct subject *subject, const struct plan *plan, int block)
{
	struct state *state = subject->state;
	struct client *tool;
	unsigned int domid = 0;
	size_t nodes, before;

	(void)plan;
	if (block > 0)
		return; /* a server grows once */
	tool = client_new(subject);
	if (block < 0) {
		/* What the first VM of all allocates is not the price of a node. */
		vm_create(&state->house, tool, ++domid);
		client_free(tool);
		return;
	}
	subject_settle(subject);
	before = subject_rss(subject);
	domid = 1;
	for (nodes = 0; nodes < subject->scale; nodes += vm_node_count())
		vm_create(&state->house, tool, ++domid);
	subject_settle(subject);
	sample_print(subject, NULL, block, "bytes",
		     ((double)subject_rss(subject) - (double)before) / (double)nodes);
	sample_print(subject, NULL, block, "nodes", (double)nodes);
	client_free(tool);
}

const struct scenario vm_scenarios[] = {
	{"vm", vm_prepare, vm_block},
	{"memory", memory_prepare, memory_block},
	{0},
};
