/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sealing the page, and believing it. */
#include "stubdom/update/handover.h"

#include <string.h>

static uint64_t mix(uint64_t sum, uint64_t word)
{
	sum = (sum ^ word) * 0x100000001b3ull;
	return sum ^ sum >> 29;
}

void handover_sum_add(struct handover_summer *summer, const void *data, size_t size)
{
	const unsigned char *at = data;

	summer->size += size;
	while (size) {
		size_t take = sizeof(summer->word) - summer->used;

		if (take > size)
			take = size;
		memcpy((unsigned char *)&summer->word + summer->used, at, take);
		summer->used += (unsigned int)take;
		at += take;
		size -= take;
		if (summer->used == sizeof(summer->word)) {
			summer->sum = mix(summer->sum, summer->word);
			summer->word = 0;
			summer->used = 0;
		}
	}
}

uint64_t handover_sum_end(const struct handover_summer *summer)
{
	return mix(mix(summer->sum, summer->word), summer->size ^ 0x9e3779b97f4a7c15ull);
}

uint64_t handover_sum(const void *data, size_t size)
{
	struct handover_summer summer = {0};

	handover_sum_add(&summer, data, size);
	return handover_sum_end(&summer);
}

void handover_seal(struct handover *handover)
{
	handover->magic = HANDOVER_MAGIC;
	handover->version = HANDOVER_VERSION;
	handover->sum = handover_sum(handover, offsetof(struct handover, sum));
}

bool handover_is_good(const struct handover *handover)
{
	return handover->magic == HANDOVER_MAGIC && handover->version == HANDOVER_VERSION &&
	       handover->sum == handover_sum(handover, offsetof(struct handover, sum)) &&
	       handover->files_size <= sizeof(handover->files) &&
	       (handover->kind == HANDOVER_FILE ||
		(handover->kind == HANDOVER_MEMORY && handover->state_size &&
		 handover->state_size <= handover->state.size));
}

bool handover_range_fits(const struct handover_range *range, uint64_t low, uint64_t high)
{
	return !range->size ||
	       (range->start >= low && range->start < high && range->size <= high - range->start);
}
