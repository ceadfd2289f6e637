/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SipHash: a sum under a secret key, which nobody without the key can make for other bytes.
 *
 * What guests choose meets a hash only with a key of the process (hash.h), and what others keep for
 * us is recognized by its sum when it comes back. The round is the same for both; hash tables do
 * with fewer of them. (J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF")
 */
#ifndef XENSTORED_BYTES_SIPHASH_H
#define XENSTORED_BYTES_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* SipHash-2-4 of bytes that come in pieces. */
struct siphash {
	uint64_t v[4];
	uint64_t word; /* bytes that do not fill a word yet */
	uint64_t size; /* bytes up to now */
};

/** Begin. @k0, @k1: the key, as two numbers in host byte order. */
void siphash_init(struct siphash *sum, uint64_t k0, uint64_t k1);

/** The next piece. */
void siphash_add(struct siphash *sum, const void *data, size_t size);

/** The sum of all pieces. The state is not changed. */
uint64_t siphash_end(const struct siphash *sum);

static inline uint64_t siphash_rotate(uint64_t x, int b)
{
	return (x << b) | (x >> (64 - b));
}

static inline void siphash_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = siphash_rotate(v[1], 13) ^ v[0];
	v[0] = siphash_rotate(v[0], 32);
	v[2] += v[3];
	v[3] = siphash_rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = siphash_rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = siphash_rotate(v[1], 17) ^ v[2];
	v[2] = siphash_rotate(v[2], 32);
}

static inline void siphash_start(uint64_t v[4], uint64_t k0, uint64_t k1)
{
	v[0] = k0 ^ 0x736f6d6570736575ULL;
	v[1] = k1 ^ 0x646f72616e646f6dULL;
	v[2] = k0 ^ 0x6c7967656e657261ULL;
	v[3] = k1 ^ 0x7465646279746573ULL;
}

#endif
