/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rings at their edges: full, empty, around the end, around 2^32, and spoilt by the other side. */
#include "ninep/ring.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIZE 4096U

static uint32_t prod, cons;
static unsigned char data[SIZE];

static struct p9_producer producer(uint32_t at)
{
	prod = cons = at;
	return (struct p9_producer){&prod, &cons, data, SIZE, at};
}

static struct p9_consumer consumer(void)
{
	return (struct p9_consumer){&prod, &cons, data, SIZE, cons};
}

static void test_around_the_end(void **state)
{
	static const uint32_t starts[] = {0, 1, SIZE - 1, UINT32_MAX, UINT32_MAX - 5000};
	unsigned char bytes[SIZE], got[SIZE];

	(void)state;
	for (unsigned int i = 0; i < SIZE; i++)
		bytes[i] = (unsigned char)(i * 13 + i / 256);
	for (unsigned int i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
		struct p9_producer out = producer(starts[i]);
		struct p9_consumer in = consumer();

		for (size_t length = 1; length <= SIZE; length += 97) {
			assert_int_equal(p9_room(&out), SIZE);
			assert_int_equal(p9_available(&in), 0);
			p9_produce(&out, bytes, length);
			assert_int_equal(p9_room(&out), SIZE - length);
			assert_int_equal(p9_available(&in), length);
			p9_peek(&in, got, length);
			assert_memory_equal(got, bytes, length);
			assert_int_equal(p9_available(&in), length);
			p9_consume(&in, length);
		}
	}
}

static void test_full(void **state)
{
	struct p9_producer out = producer(77);
	unsigned char bytes[SIZE] = {0};

	(void)state;
	p9_produce(&out, bytes, SIZE);
	assert_int_equal(p9_room(&out), 0);
}

static void test_spoilt_indices(void **state)
{
	struct p9_producer out = producer(1000);
	struct p9_consumer in = consumer();

	(void)state;
	cons = 1001;
	assert_int_equal(p9_room(&out), -EPROTO);
	cons = 1000 - SIZE;
	assert_int_equal(p9_room(&out), 0);
	cons = 1000 - SIZE - 1;
	assert_int_equal(p9_room(&out), -EPROTO);
	prod = 999;
	assert_int_equal(p9_available(&in), -EPROTO);
	prod = 1000 + SIZE;
	assert_int_equal(p9_available(&in), SIZE);
	prod = 1000 + SIZE + 1;
	assert_int_equal(p9_available(&in), -EPROTO);
	/* Our own index in the page is the other side's to spoil, too; it does not count. */
	prod = cons = 1000;
	prod = 5;
	p9_produce(&out, "x", 1);
	assert_int_equal(prod, 1001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_around_the_end),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_spoilt_indices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
