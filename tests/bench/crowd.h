/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A crowd: many clients, served by one load generator as their replies arrive.
 *
 * Each member is a closed loop: its next request follows its last reply.  What the next one is,
 * a step function of the scenario decides.
 */
#ifndef BENCH_CROWD_H
#define BENCH_CROWD_H

#include <stdbool.h>
#include <stddef.h>

#include "client.h"

struct crowd {
	size_t count;
	int epoll;
	struct client **members;
};

/* Look at the reply (NULL at the begin) and queue the member's next request; false when the
 * member has nothing more to ask in this block. */
typedef bool crowd_step(void *context, size_t member, struct client *client,
			const struct reply *reply);

/* Connect count clients. */
struct crowd *crowd_new(const struct subject *subject, size_t count);

/* The guests of domains first, first + 1... of a machine. */
struct machine;
struct crowd *crowd_guests(const struct machine *machine, unsigned int first, size_t count);

/* End all connections. */
void crowd_free(struct crowd *crowd);

/* Run all members until each of them has stopped. */
void crowd_run(struct crowd *crowd, crowd_step *step, void *context);

/* Receive until every member has seen count events since it connected. */
void crowd_await_events(struct crowd *crowd, uint64_t count);

#endif
