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
#include "fail.h"
#include "readers.h"
#include "sample.h"
#include "scenario.h"

#define NODE	   "/bench/node"
#define FLIGHT_MAX 64

static struct client *start(struct subject *subject)
{
	struct client *client = client_new(subject);

	client_write(client, NODE, VALUE_SIZE);
	return client;
}

static void clients_prepare(struct subject *subject, const struct plan *plan)
{
	(void)plan;
	start(subject);
	subject->state = readers_new(crowd_new(subject, subject->scale), NODE);
}

static void clients_block(struct subject *subject, const struct plan *plan, int block)
{
	readers_block(subject->state, subject, plan, block);
}

static void flight_prepare(struct subject *subject, const struct plan *plan)
{
	(void)plan;
	if (subject->scale > FLIGHT_MAX)
		fail("at most %d requests in flight", FLIGHT_MAX);
	subject->state = start(subject);
}

static void flight_block(struct subject *subject, const struct plan *plan, int block)
{
	struct client *client = subject->state;
	uint64_t cpu = subject_settle(subject), begin = now_ns();
	uint32_t ids[FLIGHT_MAX];
	struct reply reply;
	size_t done = 0;

	while (plan_more(plan, done, begin)) {
		for (unsigned int i = 0; i < subject->scale; i++)
			ids[i] = client_put_path(client, XS_READ, 0, NODE, NULL, 0);
		client_flush(client);
		for (unsigned int i = 0; i < subject->scale; i++) {
			client_take(client, &reply);
			client_check(client, &reply, XS_READ, ids[i], 0, value_text(VALUE_SIZE),
				     VALUE_SIZE);
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
