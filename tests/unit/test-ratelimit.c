/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The write rate limit: a guest that writes while others have transactions
 * open is slowed down, and nobody else is (spec: quotas.md section 6).
 */
#include "guests.h"

/* Send WRITEs of one node until one is not executed any more; returns how many were. */
static int burst(struct harness *h, struct peer *peer, int most)
{
	struct answer answer;
	int done = 0;

	for (int i = 0; i < most; i++)
		peer_send(peer, XS_WRITE, 0, "x\0value", 7);
	harness_run(h);
	while (peer_receive(peer, &answer))
		done += answer.header.type == XS_WRITE;
	return done;
}

static int later(struct harness *h, struct peer *peer, unsigned int ms)
{
	struct answer answer;
	int done = 0;

	h->now += ms;
	harness_run_untold(h);
	while (peer_receive(peer, &answer))
		done += answer.header.type == XS_WRITE;
	return done;
}

static struct peer *writer(struct harness *h, unsigned int domid)
{
	struct peer *peer = guest(h, domid);

	ok(peer_write(peer, 0, "x", ""));
	return peer;
}

static void test_without_transactions_there_is_no_limit(void **state)
{
	struct harness *h = *state;
	struct peer *five = writer(h, 5);
	uint32_t tx;

	assert_int_equal(burst(h, five, 500), 500);
	ok(peer_start(h->dom0, &tx));
	ok(peer_end(h->dom0, tx, true));
	assert_int_equal(burst(h, five, 500), 500);
}

static void test_a_burst_and_then_a_share_of_200_a_second(void **state)
{
	struct harness *h = *state;
	struct peer *five = writer(h, 5);
	uint32_t tx;
	int done;

	ok(peer_start(h->dom0, &tx));
	/* Ten units, and the one that goes below zero. */
	done = burst(h, five, 100);
	assert_int_equal(done, 11);
	/* Alone, it has all of 200 a second: one in 5 ms. */
	assert_int_equal(later(h, five, 4), 0);
	assert_int_equal(later(h, five, 1), 1);
	assert_int_equal(later(h, five, 5), 1);
	done = later(h, five, 20);
	assert_true(done >= 1 && done <= 5);
	/* Reading and others' writing goes on meanwhile. */
	ok(peer_write(h->dom0, 0, "/local/domain/5/x", "dom0's"));
}

static void test_the_loop_wakes_by_itself(void **state)
{
	struct harness *h = *state;
	struct peer *five = writer(h, 5);
	uint32_t tx;

	ok(peer_start(h->dom0, &tx));
	burst(h, five, 100);
	for (int i = 0; i < 50; i++) {
		int wait = core_turn(h->core);

		assert_in_range(wait, 1, 5);
		assert_int_equal(later(h, five, (unsigned int)wait), 1);
	}
}

static void test_the_share_gets_smaller_with_the_number_of_domains(void **state)
{
	struct harness *h = *state;
	struct peer *five = writer(h, 5);
	uint32_t tx;

	for (unsigned int i = 6; i < 10; i++)
		writer(h, i);
	ok(peer_start(h->dom0, &tx));
	/* The reserve has lifted nobody yet: what newcomers drew has left it below zero. */
	assert_int_equal(burst(h, five, 100), 11);
	/* Five domains: one unit in 25 ms. */
	assert_int_equal(later(h, five, 24), 0);
	assert_int_equal(later(h, five, 1), 1);
	/* The end of the others makes it larger. */
	for (unsigned int i = 6; i < 10; i++)
		harness_destroy(h, i);
	later(h, five, 1000);
	h->now += 1;
	assert_true(later(h, five, 6) >= 1);
}

static void test_a_guests_own_transaction_counts_as_well(void **state)
{
	struct harness *h = *state;
	struct peer *five = writer(h, 5);
	uint32_t tx;

	ok(peer_start(five, &tx));
	assert_int_equal(burst(h, five, 100), 11);
}

static void test_what_is_done_in_a_transaction_is_not_charged_but_its_commit(void **state)
{
	struct harness *h = *state;
	struct peer *five = writer(h, 5);
	struct answer answer;
	uint32_t tx, other;
	int done = 0;

	ok(peer_start(h->dom0, &other));
	ok(peer_start(five, &tx));
	for (int i = 0; i < 100; i++)
		ok(peer_write(five, tx, "x", "v"));
	ok(peer_end(five, tx, true));
	/* One unit is gone, ten are left and the one below zero. */
	assert_int_equal(burst(h, five, 100), 10);
	/* Without another's one the commit is free. */
	ok(peer_end(h->dom0, other, false));
	h->now += 1000;
	harness_run_untold(h);
	while (peer_receive(five, &answer))
		done++;
	assert_int_equal(done, 90);
	for (int i = 0; i < 50; i++) {
		ok(peer_start(five, &tx));
		ok(peer_write(five, tx, "x", "v"));
		ok(peer_end(five, tx, true));
	}
}

static void test_creating_costs_node_and_parent(void **state)
{
	struct harness *h = *state;
	struct peer *five = writer(h, 5);
	struct answer answer;
	uint32_t tx;
	int done = 0;

	ok(peer_start(h->dom0, &tx));
	for (int i = 0; i < 20; i++) {
		char name[16];
		int len = snprintf(name, sizeof(name), "n%d", i);

		peer_send(five, XS_MKDIR, 0, name, (size_t)len + 1);
	}
	harness_run(h);
	while (peer_receive(five, &answer))
		done++;
	assert_int_equal(done, 6);
}

static void test_creating_ancestors_costs_each(void **state)
{
	struct harness *h = *state;
	struct peer *five = writer(h, 5);
	uint32_t tx;

	ok(peer_start(h->dom0, &tx));
	/* Nine new nodes and the one they hang below: ten units. */
	ok(peer_mkdir(five, 0, "a/b/c/d/e/f/g/h/i"));
	assert_int_equal(burst(h, five, 10), 1);
}

static void test_only_the_writer_is_held_up(void **state)
{
	struct harness *h = *state;
	struct peer *five = writer(h, 5), *six = writer(h, 6);
	uint32_t tx;

	ok(peer_start(h->dom0, &tx));
	burst(h, five, 100);
	assert_int_equal(burst(h, six, 5), 5);
	for (int i = 0; i < 50; i++)
		ok(peer_read(six, 0, "x", NULL));
}

static void test_sockets_and_dom0s_ring_are_exempt(void **state)
{
	struct harness *h = *state;
	struct peer *zero = harness_guest(h, 0);
	uint32_t tx;

	ok(peer_start(h->dom0, &tx));
	for (int i = 0; i < 100; i++) {
		ok(peer_write(zero, 0, "/x", ""));
		ok(peer_write(h->dom0, 0, "/x", ""));
	}
}

static void test_credit_saved_up_is_limited(void **state)
{
	struct harness *h = *state;
	struct peer *five = writer(h, 5);
	uint32_t tx;

	ok(peer_start(h->dom0, &tx));
	burst(h, five, 11);
	h->now += 3600000;
	/* Ten units of its own, and what it owes is lifted once from a reserve that has filled up.
	 */
	assert_true(burst(h, five, 3000) <= 1100);
}

static void test_being_affected_is_told(void **state)
{
	struct harness *h = *state;
	struct peer *five = writer(h, 5);
	uint32_t tx;

	ok(peer_start(h->dom0, &tx));
	assert_int_equal(burst(h, five, 10), 10);
	assert_false(harness_logged(h, "write rate limit"));
	burst(h, five, 10);
	assert_int_equal(harness_log_count(h, "write rate limit: domain 5 is affected"), 1);
	later(h, five, 1000);
	burst(h, five, 300);
	assert_int_equal(harness_log_count(h, "write rate limit: domain 5 is affected"), 1);
	while (later(h, five, 1000))
		;
	assert_false(harness_logged(h, "not in force"));
	later(h, five, 120000);
	ok(peer_read(h->dom0, 0, "/", NULL));
	assert_int_equal(harness_log_count(h, "write rate limit: not in force recently"), 1);
	later(h, five, 200000);
	assert_int_equal(harness_log_count(h, "write rate limit: not in force recently"), 1);
	burst(h, five, 3000);
	assert_int_equal(harness_log_count(h, "write rate limit: rate limiting restarts"), 1);
}

static void test_xsa_206_a_transaction_succeeds_beside_a_writer_at_full_speed(void **state)
{
	struct harness *h = *state;
	struct peer *five = writer(h, 5);
	int attempts = 0, error;

	do {
		uint32_t tx;

		for (int i = 0; i < 5; i++)
			peer_send(five, XS_WRITE, 0, "x\0value", 7);
		ok(peer_start(h->dom0, &tx));
		value_is(h->dom0, tx, "/tool", "");
		ok(peer_read(h->dom0, tx, "/local/domain/5/x", NULL));
		for (int i = 0; i < 5; i++)
			peer_send(five, XS_WRITE, 0, "x\0other", 7);
		h->now++;
		ok(peer_write(h->dom0, tx, "/tool/copy", ""));
		error = peer_end(h->dom0, tx, true);
	} while (error == EAGAIN && ++attempts < 100);
	ok(error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_without_transactions_there_is_no_limit),
		world_test(test_a_burst_and_then_a_share_of_200_a_second),
		world_test(test_the_loop_wakes_by_itself),
		world_test(test_the_share_gets_smaller_with_the_number_of_domains),
		world_test(test_a_guests_own_transaction_counts_as_well),
		world_test(test_what_is_done_in_a_transaction_is_not_charged_but_its_commit),
		world_test(test_creating_costs_node_and_parent),
		world_test(test_creating_ancestors_costs_each),
		world_test(test_only_the_writer_is_held_up),
		world_test(test_sockets_and_dom0s_ring_are_exempt),
		world_test(test_credit_saved_up_is_limited),
		world_test(test_being_affected_is_told),
		world_test(test_xsa_206_a_transaction_succeeds_beside_a_writer_at_full_speed),
	};

	return run_group(tests);
}
