/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transactions of many clients at once; the scale is the number of clients.
 *
 *     disjoint     each reads and writes five nodes of its own: start, 5 READ, 5 WRITE, end
 *     directories  each creates directories of its own under a parent that all share: start,
 *                  MKDIR, WRITE below it, end
 *
 * A commit that is answered with EAGAIN is counted and not tried again.  The block is over when
 * the transactions of its plan are done, so the rate is one of attempts; it is comparable with
 * the floor's as long as there is no EAGAIN, which is the target anyway.
 */
#define _GNU_SOURCE 1
#include "client.h"
#include "crowd.h"
#include "fail.h"
#include "sample.h"
#include "scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES  5
#define PARENT "/bench/parent"

struct member {
	unsigned int step; /* requests of this transaction that have been sent */
	uint32_t tx_id;
	uint32_t id;
	unsigned int number; /* of the transaction */
};

struct state {
	struct crowd *crowd;
	struct client *client;
	struct member *members;
	unsigned int steps; /* of one transaction */
	size_t limit;
	size_t begun;
	size_t committed;
	size_t refused;
	int block;
};

static struct state *start(struct subject *subject, unsigned int steps)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		fail("out of memory");
	subject->state = state;
	state->steps = steps;
	state->client = client_new(subject);
	state->crowd = crowd_new(subject, subject->scale);
	state->members = calloc(subject->scale, sizeof(*state->members));
	if (!state->members)
		fail("out of memory");
	return state;
}

static void own_node(char *path, size_t size, size_t member, unsigned int node)
{
	snprintf(path, size, "/bench/own/c%zu/n%u", member, node);
}

static void disjoint_prepare(struct subject *subject, const struct plan *plan)
{
	struct state *state = start(subject, 2 + 2 * NODES);
	char path[64];

	(void)plan;
	for (size_t i = 0; i < state->crowd->count; i++)
		for (unsigned int n = 0; n < NODES; n++) {
			own_node(path, sizeof(path), i, n);
			client_write(state->client, path, VALUE_SIZE);
		}
}

static void directories_prepare(struct subject *subject, const struct plan *plan)
{
	(void)plan;
	start(subject, 4);
}

/* The id in the reply to TRANSACTION_START. */
static uint32_t transaction_id(const struct client *client, const struct reply *reply, uint32_t id)
{
	unsigned long tx_id;
	char *end;

	if (reply->header.type != XS_TRANSACTION_START || reply->header.req_id != id ||
	    reply->header.tx_id != 0 || reply->header.len < 2 ||
	    reply->payload[reply->header.len - 1] != '\0')
		fail("%s: a wrong reply to TRANSACTION_START", client->subject->name);
	tx_id = strtoul((const char *)reply->payload, &end, 10);
	if (*end != '\0' || tx_id == 0 || tx_id > UINT32_MAX)
		fail("%s: a transaction called %s", client->subject->name, reply->payload);
	return (uint32_t)tx_id;
}

/* Take the outcome of a transaction. */
static void ended(struct state *state, const struct member *m, const struct client *client,
		  const struct reply *reply)
{
	if (client_is_error(client, reply, m->id, m->tx_id, "EAGAIN")) {
		state->refused++;
		return;
	}
	client_check(client, reply, XS_TRANSACTION_END, m->id, m->tx_id, "OK", 3);
	state->committed++;
}

/* Begin the member's next transaction, if the block has one for it. */
static bool begin(struct state *state, struct member *m, struct client *client)
{
	if (state->begun == state->limit)
		return false;
	state->begun++;
	m->number++;
	m->step = 1;
	m->id = client_put(client, XS_TRANSACTION_START, 0, "", 1);
	return true;
}

static bool disjoint_step(void *context, size_t i, struct client *client, const struct reply *reply)
{
	struct state *state = context;
	struct member *m = &state->members[i];
	unsigned int answered = m->step - 1;
	char path[64];

	if (reply && answered == state->steps - 1)
		ended(state, m, client, reply);
	if (!reply || answered == state->steps - 1)
		return begin(state, m, client);
	if (answered == 0)
		m->tx_id = transaction_id(client, reply, m->id);
	else if (answered <= NODES)
		client_check(client, reply, XS_READ, m->id, m->tx_id, value_text(VALUE_SIZE),
			     VALUE_SIZE);
	else
		client_check(client, reply, XS_WRITE, m->id, m->tx_id, "OK", 3);
	if (m->step < 1 + NODES) {
		own_node(path, sizeof(path), i, m->step - 1);
		m->id = client_put_path(client, XS_READ, m->tx_id, path, NULL, 0);
	} else if (m->step < 1 + 2 * NODES) {
		own_node(path, sizeof(path), i, m->step - 1 - NODES);
		m->id = client_put_path(client, XS_WRITE, m->tx_id, path, value_text(VALUE_SIZE),
					VALUE_SIZE);
	} else {
		m->id = client_put(client, XS_TRANSACTION_END, m->tx_id, "T", 2);
	}
	m->step++;
	return true;
}

static bool directories_step(void *context, size_t i, struct client *client,
			     const struct reply *reply)
{
	struct state *state = context;
	struct member *m = &state->members[i];
	char path[96];

	if (reply && m->step == state->steps)
		ended(state, m, client, reply);
	if (!reply || m->step == state->steps)
		return begin(state, m, client);
	switch (m->step++) {
	case 1:
		m->tx_id = transaction_id(client, reply, m->id);
		snprintf(path, sizeof(path), PARENT "/c%zu-%u", i, m->number);
		m->id = client_put_path(client, XS_MKDIR, m->tx_id, path, NULL, 0);
		break;
	case 2:
		client_check(client, reply, XS_MKDIR, m->id, m->tx_id, "OK", 3);
		snprintf(path, sizeof(path), PARENT "/c%zu-%u/name", i, m->number);
		m->id = client_put_path(client, XS_WRITE, m->tx_id, path, value_text(VALUE_SIZE),
					VALUE_SIZE);
		break;
	default:
		client_check(client, reply, XS_WRITE, m->id, m->tx_id, "OK", 3);
		m->id = client_put(client, XS_TRANSACTION_END, m->tx_id, "T", 2);
		break;
	}
	return true;
}

static void block(struct subject *subject, const struct plan *plan, int number, crowd_step *step)
{
	struct state *state = subject->state;
	uint64_t cpu = subject_settle(subject), ns = now_ns();
	size_t done;

	state->limit = plan->ops;
	state->begun = state->committed = state->refused = 0;
	crowd_run(state->crowd, step, state);
	ns = now_ns() - ns;
	cpu = subject_settle(subject) - cpu;
	done = state->committed + state->refused;
	sample_print(subject, NULL, number, "per_s", (double)done * 1e9 / (double)ns);
	sample_print(subject, NULL, number, "cpu_us", (double)cpu / 1000.0 / (double)done);
	sample_print(subject, NULL, number, "commits", (double)state->committed);
	sample_print(subject, NULL, number, "eagain", (double)state->refused);
}

static void disjoint_block(struct subject *subject, const struct plan *plan, int number)
{
	block(subject, plan, number, disjoint_step);
}

static void directories_block(struct subject *subject, const struct plan *plan, int number)
{
	struct state *state = subject->state;

	/* A parent that exists already, and small: its own creation is not to be shared. */
	client_write(state->client, PARENT, VALUE_SIZE);
	block(subject, plan, number, directories_step);
	client_rm(state->client, PARENT);
	subject_settle(subject);
}

const struct scenario transaction_scenarios[] = {
	{"disjoint", disjoint_prepare, disjoint_block},
	{"directories", directories_prepare, directories_block},
	{0},
};
