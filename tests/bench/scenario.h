/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A scenario: how a server is loaded, and what one short block of measuring does.
 *
 * All subjects of a run are prepared first; then blocks alternate between them, so that a
 * change of the machine's mood meets all of them alike and cancels out in the ratio of two
 * neighbouring blocks.
 */
#ifndef BENCH_SCENARIO_H
#define BENCH_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "subject.h"

/* How long a run is. */
struct plan {
	unsigned int blocks;
	unsigned int ops;      /* in a block, at most */
	unsigned int limit_ms; /* a block of a slow server ends earlier */
};

struct scenario {
	const char *name;
	/* Load the server; what block() needs goes to subject->state. */
	void (*prepare)(struct subject *subject, const struct plan *plan);
	/* One block; block < 0 is the warm-up, whose samples are not printed. */
	void (*block)(struct subject *subject, const struct plan *plan, int block);
};

/* Whether a block that began at start (now_ns()) and did so many operations goes on. */
bool plan_more(const struct plan *plan, size_t done, uint64_t start);

/* The scenarios of each file; each table ends with a nameless entry. */
extern const struct scenario roundtrip_scenarios[];
extern const struct scenario size_scenarios[];
extern const struct scenario throughput_scenarios[];
extern const struct scenario fanout_scenarios[];
extern const struct scenario beside_scenarios[];
extern const struct scenario removal_scenarios[];
extern const struct scenario transaction_scenarios[];
extern const struct scenario vm_scenarios[];
extern const struct scenario ring_scenarios[];
extern const struct scenario scale_scenarios[];

#endif
