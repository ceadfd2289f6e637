/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SipHash-1-3 and a table that grows in steps. */
#include "bytes/hash.h"

#include <stdlib.h>
#include <string.h>

#include "bytes/siphash.h"

/* Buckets moved for each insertion while growing: more than one, so that growing ends in time. */
#define MOVE_STEP 4

uint64_t hash_bytes(const struct hash_secret *secret, uint64_t seed, const void *data, size_t len)
{
	const unsigned char *at = data;
	uint64_t last = (uint64_t)len << 56, m, v[4];

	siphash_start(v, secret->k0, secret->k1 ^ seed);
	for (size_t n = len / 8; n; n--, at += 8) {
		memcpy(&m, at, 8);
		v[3] ^= m;
		siphash_round(v);
		v[0] ^= m;
	}
	for (size_t i = 0; i < len % 8; i++)
		last |= (uint64_t)at[i] << (8 * i);
	v[3] ^= last;
	siphash_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	siphash_round(v);
	siphash_round(v);
	siphash_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void hash_init(struct hash *table)
{
	memset(table, 0, sizeof(*table));
	table->buckets = table->few;
	table->mask = sizeof(table->few) / sizeof(table->few[0]) - 1;
}

static void free_buckets(struct hash *table, struct hash_link **buckets)
{
	if (buckets != table->few)
		free(buckets);
}

void hash_deinit(struct hash *table)
{
	free_buckets(table, table->buckets);
	free_buckets(table, table->old);
	hash_init(table);
}

static void move_some(struct hash *table)
{
	for (int i = 0; i < MOVE_STEP && table->old; i++) {
		struct hash_link *link = table->old[table->moved];

		while (link) {
			struct hash_link *next = link->next;
			struct hash_link **bucket = &table->buckets[link->hash & table->mask];

			link->next = *bucket;
			*bucket = link;
			link = next;
		}
		table->old[table->moved] = NULL;
		if (table->moved++ == table->old_mask) {
			free_buckets(table, table->old);
			table->old = NULL;
		}
	}
}

static void start_growing(struct hash *table)
{
	size_t size = 2 * (table->mask + 1);
	struct hash_link **buckets = calloc(size, sizeof(*buckets));

	if (!buckets)
		return;
	table->old = table->buckets;
	table->old_mask = table->mask;
	table->moved = 0;
	table->buckets = buckets;
	table->mask = size - 1;
}

/* The bucket that holds @hash at present. */
static struct hash_link **bucket_of(const struct hash *table, uint64_t hash)
{
	if (table->old && (hash & table->old_mask) >= table->moved)
		return &table->old[hash & table->old_mask];
	return &table->buckets[hash & table->mask];
}

void hash_insert(struct hash *table, struct hash_link *link, uint64_t hash)
{
	struct hash_link **bucket;

	if (table->old)
		move_some(table);
	else if (table->count > table->mask)
		start_growing(table);
	link->hash = hash;
	bucket = bucket_of(table, hash);
	link->next = *bucket;
	*bucket = link;
	table->count++;
}

void hash_remove(struct hash *table, struct hash_link *link)
{
	struct hash_link **at = bucket_of(table, link->hash);

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	link->next = NULL;
	table->count--;
}

struct hash_link *hash_find(const struct hash *table, uint64_t hash, const struct hash_link *after)
{
	struct hash_link *link = after ? after->next : *bucket_of(table, hash);

	while (link && link->hash != hash)
		link = link->next;
	return link;
}
