/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random numbers for the fuzzers of 9pfs, and how long they run: SEED= of the first round,
 * FUZZ_SECONDS= or COUNT= how many times the usual time.
 */
#ifndef TESTS_FUZZ_NINEP_INPUT_H
#define TESTS_FUZZ_NINEP_INPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "tests/unit/setting.h"

static uint64_t random_state;

/* A number below @sides. */
static uint32_t roll(uint32_t sides)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state >> 11) % sides);
}

static bool one_in(uint32_t sides)
{
	return roll(sides) == 0;
}

/* Runs rounds, each from a seed of its own, until the time is over. Their number. */
static unsigned int run_rounds(uint64_t seconds, void (*one)(void))
{
	uint64_t seed = setting("SEED", (uint64_t)time(NULL) * 2654435761U);
	time_t end = time(NULL) + (time_t)setting("FUZZ_SECONDS", seconds * setting("COUNT", 1));
	unsigned int rounds = 0;

	do {
		/* Printed first, so that it stands in front of a sanitizer's report. */
		printf("\rseed %llu", (unsigned long long)seed);
		fflush(stdout);
		random_state = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
		one();
		seed++;
		rounds++;
	} while (time(NULL) < end);
	printf(": %u rounds\n", rounds);
	return rounds;
}

#endif
