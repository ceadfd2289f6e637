/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Without a fuzzer's engine: random inputs, a few to each child, so that a crash is found together
 * with the seed of its input.
 */
#ifndef TESTS_FUZZ_RANDOM_INPUTS_H
#define TESTS_FUZZ_RANDOM_INPUTS_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "script.h"
#include "tests/unit/setting.h"

#define INPUTS_A_CHILD 16u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In memory that the children share. */
struct random_inputs {
	unsigned long done;
	unsigned long long seed; /* of the input that is tried */
};

/** The seed of the first input: SEED=, or one that changes. */
static inline uint64_t first_seed(void)
{
	return setting("SEED", (unsigned long)time(NULL) * 1000003);
}

/** Try @count inputs of at most @longest bytes, the first made from @seed, in this process. */
static inline void try_inputs(struct random_inputs *inputs, uint64_t seed, unsigned long count,
			      size_t longest)
{
	for (; count--; seed++) {
		struct dice dice = {seed};
		size_t len = 200 + dice_roll(&dice, (unsigned int)longest - 200);
		uint8_t *input = malloc(len);

		if (!input)
			abort();
		for (size_t i = 0; i < len; i++)
			input[i] = (uint8_t)dice_roll(&dice, 256);
		inputs->seed = seed;
		LLVMFuzzerTestOneInput(input, len);
		inputs->done++;
		free(input);
	}
}

/** try_inputs() in a child. Returns whether it ended well. */
static inline bool try_in_child(struct random_inputs *inputs, uint64_t seed, unsigned long count,
				size_t longest)
{
	int status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		abort();
	if (!pid) {
		try_inputs(inputs, seed, count, longest);
		exit(0); /* not _exit(): leaks are looked for */
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

/**
 * Inputs from @seed on, until @end or as many as INPUTS= says. Returns the seed of one that fails
 * (or leaks, with up to INPUTS_A_CHILD before it); 0: none does.
 */
static inline unsigned long long run_random_inputs(struct random_inputs *inputs, uint64_t seed,
						   size_t longest, time_t end)
{
	unsigned long left = setting("INPUTS", ~0ul);

	while (left && time(NULL) < end) {
		unsigned long count = left < INPUTS_A_CHILD ? left : INPUTS_A_CHILD;

		if (!try_in_child(inputs, seed, count, longest))
			return inputs->seed;
		seed += count;
		left -= count;
	}
	return 0;
}

#endif
