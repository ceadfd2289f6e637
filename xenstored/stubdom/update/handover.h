/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one image of the stub domain tells the next: one page, at LAYOUT_HANDOVER.
 *
 * It says where the state is and what is known to neither the hypervisor nor the fixed places.
 * The image that runs next may be an older or a newer one, so the page has a version of its own.
 *
 * The state may lie in a file that another domain keeps. So its sum is made with a key that is new
 * each time and never leaves the domain's memory: who keeps the file can change or remove it, but
 * cannot make another one that is taken for it.
 */
#ifndef STUBDOM_UPDATE_HANDOVER_H
#define STUBDOM_UPDATE_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes/siphash.h"

#define HANDOVER_MAGIC	 0x7265766f646e6168ull
#define HANDOVER_VERSION 2u

enum handover_kind {
	HANDOVER_MEMORY = 1, /* the state is a stream in memory */
	HANDOVER_FILE = 2,   /* it is in the file state_dump */
};

/* Random numbers; of the sums of one update. */
struct handover_key {
	uint64_t k0, k1;
};

/* Memory that is kept for the next image, in bytes; size 0: none. */
struct handover_range {
	uint64_t start, size;
};

struct handover {
	uint64_t magic;
	uint32_t version;
	uint32_t kind;
	struct handover_key key;
	uint64_t state_size, state_sum; /* of the stream, wherever it is */
	struct handover_range
		state; /* where it is in memory; of a file: a copy, for the way back */
	struct handover_range previous; /* the file of the image before, for the way back */
	uint32_t virq_port;		/* of VIRQ_DOM_EXC */
	uint32_t files_size;		/* of the following, as the front-end of 9pfs saved it */
	uint8_t files[512];
	uint64_t started; /* ns of the monotonic clock, when serving ended */
	uint64_t sum;	  /* of all before it */
};

/** Begin the sum of a state that comes in pieces, for siphash_add(). */
void handover_sum_begin(struct siphash *sum, const struct handover_key *key);

/** The sum of all pieces and of their length. */
uint64_t handover_sum_end(struct siphash *sum);

/** The sum of one piece. */
uint64_t handover_sum(const struct handover_key *key, const void *data, size_t size);

/** Finish the page: magic, version and its own sum, which is against damage only. */
void handover_seal(struct handover *handover);

/** Whether a page is one, undamaged, in a version that we know. */
bool handover_is_good(const struct handover *handover);

/** Whether a range lies within the memory from @low up to @high. One of size 0 does. */
bool handover_range_fits(const struct handover_range *range, uint64_t low, uint64_t high);

#endif
