/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A neighbour: a busy client in a process of its own, beside which another one is measured.
 *
 * Both share the load generator's CPU.  The measured client must get it the moment its reply is
 * there, or the neighbour's time slices would be measured instead of the server; so it runs
 * with real-time priority where that is allowed, else the neighbour runs as an idle task.
 */
#ifndef BENCH_NEIGHBOUR_H
#define BENCH_NEIGHBOUR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "client.h"

/* What both processes see. */
struct neighbour_shared {
	atomic_bool stop;    /* set by the measuring process: end this block */
	atomic_bool running; /* false as soon as the neighbour has nothing to do any more */
	atomic_uint done;    /* replies in this block */
	unsigned int amount; /* how much there is to do, for those that can run out */
};

/* One block of the neighbour's work: until stop is set or its amount is done. */
typedef void neighbour_work(struct client *client, struct neighbour_shared *shared);

struct neighbour {
	pid_t pid;
	int go;
	int done;
	struct neighbour_shared *shared;
};

/* Fork a neighbour with its own connection, waiting for neighbour_go(). */
struct neighbour *neighbour_new(const struct subject *subject, neighbour_work *work);

/* Begin a block; returns when the first reply has come. */
void neighbour_go(struct neighbour *neighbour, unsigned int amount);

/* End the block; returns the number of replies that the neighbour got. */
unsigned int neighbour_stop(struct neighbour *neighbour);

#endif
