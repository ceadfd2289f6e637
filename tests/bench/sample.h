/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sample: one number that one block of one program gave.
 *
 * The load generator reduces a block to a median or a rate and prints it as a line; comparing
 * blocks is the driver's business.  Timings are collected first and sorted later, so that
 * nothing but a store to memory happens between two requests.
 */
#ifndef BENCH_SAMPLE_H
#define BENCH_SAMPLE_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct subject;

struct timings {
	uint64_t *ns;
	size_t len;
	size_t size;
};

/* The monotonic clock in nanoseconds. */
static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Forget all timings; the memory stays for the next block. */
void timings_reset(struct timings *timings);

/* Add one duration. */
void timings_add(struct timings *timings, uint64_t ns);

/* The median in microseconds; fails without timings.  Sorts them. */
double timings_median_us(struct timings *timings);

/* Print a sample of a block, or nothing for a warm-up (block < 0).  The variant is the part of
 * a scenario that a ratio is taken between; NULL stands for the subject's own. */
void sample_print(const struct subject *subject, const char *variant, int block, const char *metric,
		  double value);

#endif
