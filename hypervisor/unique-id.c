/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two generators of unique ids. Both are permutations of the numbers: applying
 * one again and again meets every other state before a state comes again.
 */
#include "hypervisor/unique-id.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/*
 * Marsaglia's xorshift with the triple (13, 7, 17). It is linear and invertible, so 0 leads to 0
 * and nothing else does; the other 2^64 - 1 states are one cycle.
 */
static uint64_t random_next(uint64_t state)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t random_start(uint64_t seed)
{
	/* A small seed would give a small first id: walk away from it. 0 is no state. */
	uint64_t state = seed ? seed : UINT64_C(0x9e3779b97f4a7c15);

	for (unsigned int i = 0; i < 8; i++)
		state = random_next(state);
	return state;
}

static uint64_t sequence_next(uint64_t state)
{
	return state == UINT64_MAX ? 1 : state + 1;
}

static uint64_t sequence_start(uint64_t seed)
{
	return seed;
}

const struct hv_id_kind hv_id_random = {
	.name = "random",
	.start = random_start,
	.next = random_next,
};

const struct hv_id_kind hv_id_sequence = {
	.name = "sequence",
	.start = sequence_start,
	.next = sequence_next,
};

void hv_id_init(struct hv_id_generator *generator, const struct hv_id_kind *kind, uint64_t seed)
{
	generator->kind = kind;
	generator->state = kind->start(seed);
}

uint64_t hv_id_next(struct hv_id_generator *generator)
{
	generator->state = generator->kind->next(generator->state);
	return generator->state;
}

/* A C library's strcmp() is not to be had here. */
static bool same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

const struct hv_id_kind *hv_id_kind_by_name(const char *name)
{
	if (same(name, hv_id_random.name))
		return &hv_id_random;
	if (same(name, hv_id_sequence.name))
		return &hv_id_sequence;
	return NULL;
}
