/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Timings and the lines that the driver reads, see sample.h.
 */
#define _GNU_SOURCE 1
#include "sample.h"
#include "fail.h"
#include "subject.h"

#include <stdio.h>
#include <stdlib.h>

void timings_reset(struct timings *timings)
{
	timings->len = 0;
}

void timings_add(struct timings *timings, uint64_t ns)
{
	if (timings->len == timings->size) {
		timings->size = timings->size ? 2 * timings->size : 1024;
		timings->ns = realloc(timings->ns, timings->size * sizeof(*timings->ns));
		if (!timings->ns)
			fail("out of memory");
	}
	timings->ns[timings->len++] = ns;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

double timings_median_us(struct timings *timings)
{
	size_t half = timings->len / 2;
	uint64_t sum;

	if (timings->len == 0)
		fail("a block without a single timing");
	qsort(timings->ns, timings->len, sizeof(*timings->ns), compare);
	sum = timings->ns[half] + timings->ns[timings->len % 2 ? half : half - 1];
	return (double)sum / 2000.0;
}

void sample_print(const struct subject *subject, const char *variant, int block, const char *metric,
		  double value)
{
	if (block >= 0)
		printf("sample\t%s\t%s\t%d\t%s\t%.6g\n", subject->name,
		       variant ? variant : subject->variant, block, metric, value);
}
