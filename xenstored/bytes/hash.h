/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A keyed hash table of embedded links.
 *
 * Keys are chosen by guests, so the hash is SipHash with a secret of the
 * process: collisions cannot be prepared. The link stands in the object, so
 * putting an object in needs no memory and cannot fail, which the "reserve,
 * then apply" rule of the daemon relies on. The bucket array grows by moving a
 * few buckets at each insertion: no single insertion is long. When there is no
 * memory for growing, chains get longer and nothing else happens.
 */
#ifndef XENSTORED_BYTES_HASH_H
#define XENSTORED_BYTES_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_link {
	struct hash_link *next;
	uint64_t hash;
};

struct hash {
	struct hash_link **buckets;
	struct hash_link **old; /* being emptied, NULL when not growing */
	size_t mask;		/* of buckets */
	size_t old_mask;
	size_t moved; /* buckets of old that are empty already */
	size_t count;
	struct hash_link *few[8]; /* the first bucket array, so that a new table needs no memory */
};

/* The secret of all tables of a daemon: 16 random bytes. */
struct hash_secret {
	uint64_t k0, k1;
};

/** Hash @len bytes at @data. @seed mixes in what else belongs to the key (a parent, a client). */
uint64_t hash_bytes(const struct hash_secret *secret, uint64_t seed, const void *data, size_t len);

void hash_init(struct hash *table);

/** Frees the bucket arrays; what is still linked stays the caller's. */
void hash_deinit(struct hash *table);

/** Put @link in under @hash. The caller has made sure that the key is not there yet. */
void hash_insert(struct hash *table, struct hash_link *link, uint64_t hash);

/** Take @link out, which must be in. */
void hash_remove(struct hash *table, struct hash_link *link);

/**
 * Iterate over the links with the full hash value @hash: the first one for @after NULL, then the
 * one behind @after. The caller compares keys. Returns NULL at the end.
 */
struct hash_link *hash_find(const struct hash *table, uint64_t hash, const struct hash_link *after);

#define hash_entry(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

#endif
