/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unique ids: a 64-bit number for each domain's life, never used twice, never 0.
 *
 * Domids are reused, these are not: a client that remembers a domain's id can
 * tell whether the domain of that number is still the same one. Nothing else may
 * be read from an id, least of all an order. Two generators exist: "random"
 * walks through all 2^64 - 1 numbers in an order that looks like none, as the
 * real hypervisor does, so that a client that compares ids by size is found out;
 * "sequence" counts, as the interface was first proposed. The whole state of a
 * generator is one number, and must survive an update of the hypervisor.
 */
#ifndef HYPERVISOR_UNIQUE_ID_H
#define HYPERVISOR_UNIQUE_ID_H

#include <stdint.h>

struct hv_id_kind {
	const char *name;

	/* A state to start from; every @seed is fine. */
	uint64_t (*start)(uint64_t seed);

	/* The state that follows @state; it is also the id. Never 0, never a former one. */
	uint64_t (*next)(uint64_t state);
};

extern const struct hv_id_kind hv_id_random;
extern const struct hv_id_kind hv_id_sequence;

struct hv_id_generator {
	const struct hv_id_kind *kind;
	uint64_t state; /* the latest id, if there is one */
};

/** Start a generator. For "sequence", ids follow @seed; the first is 1 with a seed of 0. */
void hv_id_init(struct hv_id_generator *generator, const struct hv_id_kind *kind, uint64_t seed);

/** A new id. */
uint64_t hv_id_next(struct hv_id_generator *generator);

/** The kind called @name, or NULL. */
const struct hv_id_kind *hv_id_kind_by_name(const char *name);

#endif
