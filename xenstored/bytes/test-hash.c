/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hash table against a plain list, above all while it grows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bytes/hash.h"

#define ITEMS 3000u

static const struct hash_secret secret = {0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};

struct item {
	struct hash_link link;
	unsigned int key;
	bool in;
};

static uint64_t hash_of(unsigned int key)
{
	return hash_bytes(&secret, 0, &key, sizeof(key));
}

static struct item *find(const struct hash *table, unsigned int key)
{
	struct hash_link *link = NULL;

	while ((link = hash_find(table, hash_of(key), link))) {
		struct item *item = hash_entry(link, struct item, link);

		if (item->key == key)
			return item;
	}
	return NULL;
}

static void check(const struct hash *table, struct item *items)
{
	size_t count = 0;

	for (unsigned int i = 0; i < ITEMS; i++) {
		assert_ptr_equal(find(table, i), items[i].in ? &items[i] : NULL);
		count += items[i].in;
	}
	assert_int_equal(table->count, count);
}

/* Removals and look-ups at every moment of growing. */
static void test_growing_step_by_step(void **state)
{
	struct item *items = calloc(ITEMS, sizeof(*items));
	struct hash table;
	bool grew = false;

	(void)state;
	srand(1);
	hash_init(&table);
	for (unsigned int i = 0; i < ITEMS; i++) {
		unsigned int other = (unsigned int)rand() % (i + 1);

		items[i].key = i;
		items[i].in = true;
		hash_insert(&table, &items[i].link, hash_of(i));
		grew |= table.old != NULL;
		if (i % 3 == 0 && items[other].in) {
			hash_remove(&table, &items[other].link);
			items[other].in = false;
		}
		assert_ptr_equal(find(&table, other), items[other].in ? &items[other] : NULL);
		if (i < 200 || i % 500 == 0)
			check(&table, items);
	}
	assert_true(grew);
	check(&table, items);
	for (unsigned int i = 0; i < ITEMS; i++)
		if (items[i].in) {
			hash_remove(&table, &items[i].link);
			items[i].in = false;
		}
	check(&table, items);
	hash_deinit(&table);
	free(items);
}

/* Different keys may have the same hash: all of them are found. */
static void test_equal_hashes(void **state)
{
	struct item items[20] = {0};
	struct hash_link *link = NULL;
	struct hash table;
	unsigned int seen = 0;

	(void)state;
	hash_init(&table);
	for (unsigned int i = 0; i < 20; i++) {
		items[i].key = i;
		hash_insert(&table, &items[i].link, i < 10 ? 5 : 5 + 8 * i);
	}
	while ((link = hash_find(&table, 5, link)))
		seen |= 1u << hash_entry(link, struct item, link)->key;
	assert_int_equal(seen, 0x3ff);
	hash_deinit(&table);
}

/* A table of few entries takes no memory, and is empty again after hash_deinit(). */
static void test_small_table_needs_no_memory(void **state)
{
	struct item item = {.key = 1};
	struct hash table;

	(void)state;
	hash_init(&table);
	hash_insert(&table, &item.link, hash_of(1));
	assert_ptr_equal(table.buckets, table.few);
	hash_deinit(&table);
	assert_null(find(&table, 1));
}

/* Secret, seed, length and every byte count. */
static void test_hash_depends_on_all(void **state)
{
	struct hash_secret other = secret;
	char data[32] = "0123456789abcdef0123456789abcde";

	(void)state;
	other.k1 ^= 1;
	for (size_t len = 0; len < 32; len++) {
		uint64_t hash = hash_bytes(&secret, 0, data, len);

		assert_int_equal(hash, hash_bytes(&secret, 0, data, len));
		assert_int_not_equal(hash, hash_bytes(&other, 0, data, len));
		assert_int_not_equal(hash, hash_bytes(&secret, 1, data, len));
		if (len)
			assert_int_not_equal(hash, hash_bytes(&secret, 0, data, len - 1));
		for (size_t i = 0; i < len; i++) {
			data[i] ^= 0x40;
			assert_int_not_equal(hash, hash_bytes(&secret, 0, data, len));
			data[i] ^= 0x40;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_growing_step_by_step),
		cmocka_unit_test(test_equal_hashes),
		cmocka_unit_test(test_small_table_needs_no_memory),
		cmocka_unit_test(test_hash_depends_on_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
