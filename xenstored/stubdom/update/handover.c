/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sealing the page, and believing it. */
#include "stubdom/update/handover.h"

void handover_sum_begin(struct siphash *sum, const struct handover_key *key)
{
	siphash_init(sum, key->k0, key->k1);
}

/* SipHash itself knows the length modulo 256 only. */
uint64_t handover_sum_end(struct siphash *sum)
{
	uint64_t size = sum->size;

	siphash_add(sum, &size, sizeof(size));
	return siphash_end(sum);
}

uint64_t handover_sum(const struct handover_key *key, const void *data, size_t size)
{
	struct siphash sum;

	handover_sum_begin(&sum, key);
	siphash_add(&sum, data, size);
	return handover_sum_end(&sum);
}

static uint64_t own_sum(const struct handover *handover)
{
	return handover_sum(&handover->key, handover, offsetof(struct handover, sum));
}

void handover_seal(struct handover *handover)
{
	handover->magic = HANDOVER_MAGIC;
	handover->version = HANDOVER_VERSION;
	handover->sum = own_sum(handover);
}

/* In memory there is all of it, or, if it is in the file, nothing. */
static bool state_is_somewhere(const struct handover *handover)
{
	bool in_memory = handover->state_size <= handover->state.size;

	if (handover->kind == HANDOVER_FILE)
		return in_memory || !handover->state.size;
	return handover->kind == HANDOVER_MEMORY && in_memory;
}

bool handover_is_good(const struct handover *handover)
{
	return handover->magic == HANDOVER_MAGIC && handover->version == HANDOVER_VERSION &&
	       handover->sum == own_sum(handover) &&
	       handover->files_size <= sizeof(handover->files) && handover->state_size &&
	       state_is_somewhere(handover);
}

bool handover_range_fits(const struct handover_range *range, uint64_t low, uint64_t high)
{
	return !range->size ||
	       (range->start >= low && range->start < high && range->size <= high - range->start);
}
