/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rings: bytes in order through every wrap, and hostile pages. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>

#include <cmocka.h>

#include "client/ring.h"

struct fixture {
	struct ring ring; /* first */
	struct ring_page page;
	unsigned int notified;
};

static void notify(struct ring *ring)
{
	((struct fixture *)(void *)ring)->notified++;
}

static void start(struct fixture *fixture, uint32_t req, uint32_t rsp)
{
	memset(fixture, 0, sizeof(*fixture));
	fixture->page.req_cons = fixture->page.req_prod = req;
	fixture->page.rsp_cons = fixture->page.rsp_prod = rsp;
	fixture->ring.notify = notify;
	ring_attach(&fixture->ring, &fixture->page);
}

/* What a guest does: as many bytes as there is room for. */
static size_t guest_writes(struct ring_page *page, const char *data, size_t len)
{
	uint32_t room = RING_SIZE - (page->req_prod - page->req_cons);

	if (len > room)
		len = room;
	for (size_t i = 0; i < len; i++)
		page->request[(page->req_prod + i) % RING_SIZE] = data[i];
	page->req_prod += (uint32_t)len;
	return len;
}

static size_t guest_reads(struct ring_page *page, char *data, size_t len)
{
	uint32_t used = page->rsp_prod - page->rsp_cons;

	if (len > used)
		len = used;
	for (size_t i = 0; i < len; i++)
		data[i] = page->response[(page->rsp_cons + i) % RING_SIZE];
	page->rsp_cons += (uint32_t)len;
	return len;
}

/* Random amounts in both directions, starting so that the indices wrap at 2^32 on the way. */
static void test_bytes_arrive_in_order_across_wraps(void **state)
{
	struct fixture fixture;
	unsigned char next_in = 0, next_out = 0, expect_in = 0, expect_out = 0;
	char buffer[2 * RING_SIZE];

	(void)state;
	srandom(1);
	start(&fixture, UINT32_MAX - 5000, UINT32_MAX - 3000);
	for (int round = 0; round < 2000; round++) {
		size_t len = (size_t)random() % sizeof(buffer);
		ssize_t n;

		for (size_t i = 0; i < len; i++)
			buffer[i] = (char)(next_in + i);
		next_in = (unsigned char)(next_in + guest_writes(&fixture.page, buffer, len));
		n = ring_receive(&fixture.ring, buffer, (size_t)random() % sizeof(buffer) + 1);
		assert_true(n > 0 || n == -EAGAIN);
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal((unsigned char)buffer[i], expect_in++);

		len = (size_t)random() % sizeof(buffer) + 1;
		for (size_t i = 0; i < len; i++)
			buffer[i] = (char)(next_out + i);
		n = ring_send(&fixture.ring, buffer, len);
		assert_true(n > 0 || n == -EAGAIN);
		if (n > 0)
			next_out = (unsigned char)(next_out + n);
		len = guest_reads(&fixture.page, buffer, (size_t)random() % sizeof(buffer));
		for (size_t i = 0; i < len; i++)
			assert_int_equal((unsigned char)buffer[i], expect_out++);
	}
	assert_true(fixture.page.req_prod < UINT32_MAX - 5000);
}

static void test_full_ring_is_no_error_and_wakes_the_writer(void **state)
{
	struct fixture fixture;
	char data[RING_SIZE] = {0};

	(void)state;
	start(&fixture, 7, 7);
	assert_int_equal(guest_writes(&fixture.page, data, RING_SIZE), RING_SIZE);
	assert_int_equal(ring_receive(&fixture.ring, data, 10), 10);
	assert_int_equal(fixture.notified, 1);
	assert_int_equal(ring_receive(&fixture.ring, data, RING_SIZE), RING_SIZE - 10);
	assert_int_equal(fixture.notified, 1); /* it was not full any more */
	assert_int_equal(ring_receive(&fixture.ring, data, 1), -EAGAIN);
	assert_int_equal(ring_send(&fixture.ring, data, RING_SIZE), RING_SIZE);
	assert_int_equal(ring_send(&fixture.ring, data, 1), -EAGAIN);
}

/* A guest that is awake while we work: it reads at once what it is told of. */
static void read_at_once(struct ring *ring)
{
	struct fixture *fixture = (struct fixture *)(void *)ring;
	char data[RING_SIZE];

	fixture->notified++;
	guest_reads(&fixture->page, data, sizeof(data));
}

/* A guest that goes on as soon as there is room. */
static void write_at_once(struct ring *ring)
{
	struct fixture *fixture = (struct fixture *)(void *)ring;
	char data[100] = {0};

	if (!fixture->notified++)
		guest_writes(&fixture->page, data, sizeof(data));
}

/*
 * Guests save notifications: one that sees us behind says nothing. So less than was asked for has
 * to mean that we have seen its last word, also what it did while we worked.
 */
static void test_what_happens_meanwhile_is_not_left_for_an_event(void **state)
{
	struct fixture fixture;
	char data[3 * RING_SIZE] = {0};

	(void)state;
	start(&fixture, 0, 0);
	fixture.ring.notify = read_at_once;
	assert_int_equal(ring_send(&fixture.ring, data, sizeof(data)), sizeof(data));
	start(&fixture, 0, 0);
	fixture.ring.notify = write_at_once;
	guest_writes(&fixture.page, data, RING_SIZE);
	assert_int_equal(ring_receive(&fixture.ring, data, sizeof(data)), RING_SIZE + 100);
}

/* XSA-38, D5: any index that cannot be right stops the ring, and nothing is read outside of it. */
static void test_impossible_indices_are_errors(void **state)
{
	static const uint32_t distance[] = {RING_SIZE + 1, 0x10000, 0x7fffffff, 0x80000000,
					    UINT32_MAX};
	struct fixture fixture;
	char data[64];

	(void)state;
	for (size_t i = 0; i < sizeof(distance) / sizeof(distance[0]); i++) {
		start(&fixture, 100, 100);
		fixture.page.req_prod += distance[i];
		assert_int_equal(ring_receive(&fixture.ring, data, sizeof(data)), -EPROTO);
		start(&fixture, 100, 100);
		fixture.page.rsp_cons -= distance[i];
		assert_int_equal(ring_send(&fixture.ring, data, sizeof(data)), -EPROTO);
		/* Our own index, overwritten by the guest. */
		start(&fixture, 100, 100);
		fixture.page.req_cons += distance[i];
		assert_int_equal(ring_receive(&fixture.ring, data, sizeof(data)), -EPROTO);
		start(&fixture, 100, 100);
		fixture.page.rsp_prod += distance[i];
		assert_int_equal(ring_send(&fixture.ring, data, sizeof(data)), -EPROTO);
	}
}

static void *scribble(void *data)
{
	struct fixture *fixture = data;
	uint32_t seed = 12345;

	for (int i = 0; i < 2000000; i++) {
		seed = seed * 1103515245 + 12345;
		volatile uint32_t *word = &fixture->page.req_cons;

		word[(seed >> 16) % 4] = (seed & 0x700) ? seed % 3000 : seed;
	}
	return NULL;
}

/* A guest that rewrites all indices while they are used: no result is ever out of bounds. */
static void test_racing_writer(void **state)
{
	static struct fixture fixture;
	char data[4096];
	pthread_t thread;

	(void)state;
	start(&fixture, 0, 0);
	assert_int_equal(pthread_create(&thread, NULL, scribble, &fixture), 0);
	for (int i = 0; i < 300000; i++) {
		ssize_t n = ring_receive(&fixture.ring, data, sizeof(data));

		assert_true(n <= (ssize_t)sizeof(data));
		n = ring_send(&fixture.ring, data, sizeof(data));
		assert_true(n <= (ssize_t)sizeof(data));
	}
	pthread_join(thread, NULL);
}

static void test_reset_and_error_word(void **state)
{
	struct fixture fixture;
	char data[8] = "abcdefg";

	(void)state;
	start(&fixture, 50, 60);
	guest_writes(&fixture.page, data, 8);
	ring_fail(&fixture.ring, TRANSPORT_RINGIDX);
	assert_int_equal(fixture.page.error, 2);
	assert_int_equal(fixture.notified, 1); /* D23: the guest is told */
	fixture.page.connection = 1;
	ring_reset(&fixture.ring);
	assert_int_equal(fixture.page.error, 0);
	assert_int_equal(fixture.page.connection, 0);
	assert_int_equal(fixture.page.req_prod, 0);
	assert_int_equal(fixture.notified, 2);
	assert_int_equal(ring_receive(&fixture.ring, data, 8), -EAGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_arrive_in_order_across_wraps),
		cmocka_unit_test(test_full_ring_is_no_error_and_wakes_the_writer),
		cmocka_unit_test(test_what_happens_meanwhile_is_not_left_for_an_event),
		cmocka_unit_test(test_impossible_indices_are_errors),
		cmocka_unit_test(test_racing_writer),
		cmocka_unit_test(test_reset_and_error_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
