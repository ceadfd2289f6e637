/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sealing the page, and believing it. */
#include "stubdom/update/handover.h"

#include <string.h>

uint64_t handover_sum(const void *data, size_t size)
{
	const unsigned char *at = data;
	uint64_t sum = 0x9e3779b97f4a7c15ull ^ size, word;

	for (; size >= sizeof(word); at += sizeof(word), size -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		sum = (sum ^ word) * 0x100000001b3ull;
		sum ^= sum >> 29;
	}
	word = 0;
	memcpy(&word, at, size);
	sum = (sum ^ word) * 0x100000001b3ull;
	return sum ^ sum >> 29;
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
