/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two rounds for each word, four at the end. */
#include "bytes/siphash.h"

#include <string.h>

static void add_word(struct siphash *sum, uint64_t word)
{
	sum->v[3] ^= word;
	siphash_round(sum->v);
	siphash_round(sum->v);
	sum->v[0] ^= word;
}

void siphash_init(struct siphash *sum, uint64_t k0, uint64_t k1)
{
	memset(sum, 0, sizeof(*sum));
	siphash_start(sum->v, k0, k1);
}

void siphash_add(struct siphash *sum, const void *data, size_t size)
{
	const unsigned char *at = data;

	while (size) {
		unsigned int used = sum->size % 8;
		uint64_t word;

		if (!used && size >= sizeof(word)) {
			memcpy(&word, at, sizeof(word));
			add_word(sum, word);
			sum->size += sizeof(word);
			at += sizeof(word);
			size -= sizeof(word);
			continue;
		}
		sum->word |= (uint64_t)*at++ << (8 * used);
		sum->size++;
		size--;
		if (used == 7) {
			add_word(sum, sum->word);
			sum->word = 0;
		}
	}
}

uint64_t siphash_end(const struct siphash *sum)
{
	struct siphash end = *sum;

	add_word(&end, end.word | end.size << 56);
	end.v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		siphash_round(end.v);
	return end.v[0] ^ end.v[1] ^ end.v[2] ^ end.v[3];
}
