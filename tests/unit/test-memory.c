/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory quota: what counts, what is refused at the limit, the stall above
 * it and the way back, and what the administrator is told (spec: quotas.md
 * sections 3 and 5).
 */
#include "guests.h"

#define STALLED	   "Domain 5 exceeds hard memory quota, Xenstore interface to domain stalled"
#define RELEASED   "Domain 5 below hard memory quota again"
#define SOFT	   "Domain 5 exceeds soft memory quota"
#define SOFT_AGAIN "Domain 5 below soft memory quota again"

static unsigned int memory(struct harness *h)
{
	return quota_now(h, 5, "memory", NULL);
}

/* Let the guest have @more bytes than it has. */
static void allow(struct harness *h, unsigned int more)
{
	set_quota(h, 5, "memory", memory(h) + more);
}

static void test_what_counts(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	struct answer answer;
	unsigned int base = memory(h);

	/* The home: 16, an entry, and its path. */
	assert_int_equal(base, 16 + 8 + strlen("/local/domain/5"));
	ok(peer_write(five, 0, "abc", "12345"));
	assert_int_equal(memory(h) - base, 16 + 8 + 5 + strlen("/local/domain/5/abc") + 4);
	ok(peer_set_perms(five, 0, "abc", "n5 r0"));
	assert_int_equal(memory(h) - base, 16 + 16 + 5 + strlen("/local/domain/5/abc") + 4);
	ok(peer_write(five, 0, "abc", ""));
	ok(peer_rm(five, 0, "abc"));
	assert_int_equal(memory(h), base);
	ok(peer_watch(five, "abc", "token"));
	assert_int_equal(memory(h) - base, strlen("/local/domain/5/abc") + 5);
	ok(peer_unwatch(five, "abc", "token"));
	assert_int_equal(memory(h), base);
	/* A reply that is not taken: header and payload. */
	five->take_max = 0;
	peer_send(five, XS_WRITE, 0, "/local/domain/5\0", 16);
	harness_run(h);
	assert_int_equal(memory(h) - base, 16 + 3);
	five->take_max = SIZE_MAX;
	harness_run(h);
	assert_true(peer_receive(five, &answer));
	assert_int_equal(memory(h), base);
}

static void test_a_transactions_memory_is_given_back(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	unsigned int base = memory(h);
	uint32_t tx;

	for (int i = 0; i < 3; i++) {
		ok(peer_start(five, &tx));
		ok(peer_write(five, tx, "a/b/c", "value"));
		ok(peer_read(five, tx, "a", NULL));
		assert_true(memory(h) > base);
		if (i == 0)
			ok(peer_end(five, tx, false));
		else if (i == 1)
			ok(peer_request(five, XS_RESET_WATCHES, 0, "", 1, NULL));
		else
			ok(introduce(h, 5));
		assert_int_equal(memory(h), base);
	}
	ok(peer_start(five, &tx));
	ok(peer_write(five, tx, "a", ""));
	ok(peer_end(five, tx, true));
	ok(peer_rm(five, 0, "a"));
	assert_int_equal(memory(h), base);
}

static void test_writing_at_the_limit(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	const unsigned int cost = 24 + 1 + (unsigned int)strlen("/local/domain/5/x") + 2;

	allow(h, cost - 1);
	fails(EIO, peer_write(five, 0, "x", "v"));
	assert_false(exists(h, "/local/domain/5/x"));
	assert_true(harness_logged(h, "Domain 5 reaches quota memory"));
	allow(h, cost);
	ok(peer_write(five, 0, "x", "v"));
	/* It is full, and still served. */
	fails(EIO, peer_write(five, 0, "x", "vv"));
	fails(EIO, peer_mkdir(five, 0, "y"));
	fails(EIO, peer_set_perms(five, 0, "x", "n5 r0"));
	ok(peer_write(five, 0, "x", "w"));
	value_is(h->dom0, 0, "/local/domain/5/x", "w");
	ok(peer_rm(five, 0, "x"));
	ok(peer_write(five, 0, "x", "v"));
}

static void test_writing_deep_at_the_limit(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	const unsigned int home = (unsigned int)strlen("/local/domain/5");
	const unsigned int cost = 3 * (24 + home) + 2 + 4 + 6 + 3 * 2;

	allow(h, cost - 1);
	fails(EIO, peer_write(five, 0, "a/b/c", ""));
	assert_false(exists(h, "/local/domain/5/a"));
	allow(h, cost);
	ok(peer_write(five, 0, "a/b/c", ""));
	ok(peer_read(five, 0, "a", NULL));
}

static void test_watching_at_the_limit(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	const unsigned int cost = (unsigned int)strlen("/local/domain/5/x") + 5;

	allow(h, cost - 1);
	fails(ENOMEM, peer_watch(five, "x", "token"));
	allow(h, cost);
	ok(peer_watch(five, "x", "token"));
	fails(ENOMEM, peer_watch(five, "x", ""));
	ok(peer_unwatch(five, "x", "token"));
	ok(peer_watch(five, "x", "nekot"));
}

static void test_large_replies_at_the_limit(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	ok(peer_write(five, 0, "x", "seventeen-bytes-x"));
	ok(peer_write(five, 0, "y", "sixteen-bytes-xx"));
	allow(h, 16 + 16);
	fails(ENOMEM, peer_read(five, 0, "x", NULL));
	value_is(five, 0, "y", "sixteen-bytes-xx");
	allow(h, 16 + 17);
	value_is(five, 0, "x", "seventeen-bytes-x");
	/* Small ones and errors are never refused. */
	allow(h, 0);
	value_is(five, 0, "y", "sixteen-bytes-xx");
	fails(ENOENT, peer_read(five, 0, "z", NULL));
}

static void test_events_at_the_limit_are_dropped(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	node(h, "/x", "n0 r5");
	watch(five, "/x", "t");
	allow(h, 16 + 5 - 1);
	ok(peer_write(h->dom0, 0, "/x", "1"));
	no_event(five);
	allow(h, 16 + 5);
	ok(peer_write(h->dom0, 0, "/x", "2"));
	event_is(five, "/x t");
	/* A reader is not the only one who gets none: others' events are not affected. */
	allow(h, 0);
	watch(h->dom0, "/x", "zero");
	ok(peer_write(h->dom0, 0, "/x", "3"));
	event_is(h->dom0, "/x zero");
	no_event(five);
}

static void test_above_the_limit_nothing_is_read_until_nodes_are_removed(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	allow(h, 200);
	ok(peer_mkdir(h->dom0, 0,
		      "/local/domain/5/x/y/a-rather-long-name-that-fills-up-everything"));
	assert_true(harness_logged(h, STALLED));
	peer_send(five, XS_READ, 0, "x", 2);
	harness_run(h);
	no_answer(five);
	/* Others are served meanwhile. */
	ok(peer_read(h->dom0, 0, "/local", NULL));
	h->now += 10000;
	peer_send(h->dom0, XS_RM, 0, "/local/domain/5/x/y", 20);
	core_ready(h->core, h->dom0->client, true, true, false);
	harness_run_untold(h);
	answered(h->dom0);
	answered(five);
	assert_true(harness_logged(h, RELEASED));
}

static void test_above_the_limit_until_a_value_is_shortened(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	ok(peer_write(five, 0, "x", ""));
	allow(h, 10);
	ok(peer_write(h->dom0, 0, "/local/domain/5/x", "longer than ten"));
	peer_send(five, XS_READ, 0, "x", 2);
	harness_run(h);
	no_answer(five);
	peer_send(h->dom0, XS_WRITE, 0, "/local/domain/5/x\0", 18);
	core_ready(h->core, h->dom0->client, true, true, false);
	harness_run_untold(h);
	answered(h->dom0);
	answered(five);
}

static void test_above_the_limit_until_nodes_are_given_to_others(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	allow(h, 10);
	ok(peer_mkdir(h->dom0, 0, "/local/domain/5/x"));
	peer_send(five, XS_GET_DOMAIN_PATH, 0, "5", 2);
	harness_run(h);
	no_answer(five);
	peer_send(h->dom0, XS_SET_PERMS, 0, "/local/domain/5/x\0n0", 21);
	core_ready(h->core, h->dom0->client, true, true, false);
	harness_run_untold(h);
	answered(h->dom0);
	answered(five);
}

static void test_above_the_limit_until_it_is_raised(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	set_quota(h, 5, "memory", 10);
	peer_send(five, XS_GET_DOMAIN_PATH, 0, "5", 2);
	harness_run(h);
	no_answer(five);
	peer_send(h->dom0, XS_SET_QUOTA, 0, "5\0memory\0000", 11);
	core_ready(h->core, h->dom0->client, true, true, false);
	harness_run_untold(h);
	answered(h->dom0);
	answered(five);
}

static void test_a_reader_too_slow_for_its_replies_is_bounded(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	char value[1001];
	struct answer answer;
	unsigned int errors = 0, values = 0;

	memset(value, 'v', 1000);
	value[1000] = 0;
	ok(peer_write(five, 0, "x", value));
	allow(h, 3 * 1016);
	five->take_max = 0;
	for (int i = 0; i < 10; i++)
		peer_send(five, XS_READ, 0, "x", 2);
	harness_run(h);
	assert_true(memory(h) <= 5000 + 100);
	five->take_max = SIZE_MAX;
	harness_run(h);
	while (peer_receive(five, &answer)) {
		values += answer.header.type == XS_READ;
		errors += answer.header.type == XS_ERROR && !strcmp(answer.payload, "ENOMEM");
	}
	assert_int_equal(values + errors, 10);
	assert_true(values >= 3);
	assert_true(errors >= 1);
}

/* A guest's own requests never bring it to where it is not served any more. */
static void test_a_transaction_cannot_stall_its_own_guest(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	char path[400];
	uint32_t tx;
	int error = 0;

	for (int writing = 0; writing < 2; writing++) {
		allow(h, 20000);
		ok(peer_start(five, &tx));
		for (int i = 0; i < 1000 && !error; i++) {
			memset(path, 'p', sizeof(path));
			snprintf(path + 300, 20, "%d", i);
			error = writing ? peer_write(five, tx, path, "v")
					: peer_read(five, tx, path, NULL);
			if (error == ENOENT)
				error = 0;
		}
		assert_int_not_equal(error, 0);
		error = 0;
		fails(ENOMEM, peer_end(five, tx, true));
		assert_false(harness_logged(h, STALLED));
		ok(peer_write(five, 0, "alive", ""));
	}
	/* Nor with the smallest one. */
	allow(h, 0);
	error = peer_start(five, &tx);
	ok(peer_read(five, 0, "alive", NULL));
	if (!error)
		ok(peer_end(five, tx, false));
}

static void test_messages_of_the_hard_quota(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	ok(peer_write(five, 0, "x", ""));
	allow(h, 10);
	for (int i = 0; i < 3; i++)
		ok(peer_write(h->dom0, 0, "/local/domain/5/x", "longer than ten"));
	assert_int_equal(harness_log_count(h, STALLED), 1);
	/* The all-clear not before ten seconds have passed. */
	ok(peer_write(h->dom0, 0, "/local/domain/5/x", ""));
	assert_int_equal(harness_log_count(h, RELEASED), 0);
	h->now += 10000;
	ok(peer_write(h->dom0, 0, "/local/domain/5/x", "1"));
	assert_int_equal(harness_log_count(h, RELEASED), 1);
	ok(peer_write(h->dom0, 0, "/local/domain/5/x", "longer than ten"));
	assert_int_equal(harness_log_count(h, STALLED), 2);
}

static void test_messages_of_the_soft_quota(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	ok(peer_write(five, 0, "x", ""));
	set_quota(h, 5, "soft-memory", memory(h) + 30);
	ok(peer_write(five, 0, "x", "1"));
	assert_int_equal(harness_log_count(h, SOFT), 0);
	for (int i = 0; i < 3; i++)
		ok(peer_write(five, 0, "x", "thirty bytes, thirty bytes, 30"));
	assert_int_equal(harness_log_count(h, SOFT), 1);
	h->now += 10000;
	ok(peer_write(five, 0, "x", ""));
	ok(peer_read(five, 0, "x", NULL));
	assert_int_equal(harness_log_count(h, SOFT_AGAIN), 1);
	h->now += 10000;
	ok(peer_write(five, 0, "x", "thirty bytes, thirty bytes, 30"));
	assert_int_equal(harness_log_count(h, SOFT), 2);
	/* Nothing else happens. */
	ok(peer_write(five, 0, "y", "more"));
	assert_int_equal(harness_log_count(h, STALLED), 0);
}

static void test_the_all_clear_needs_no_request(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	node(h, "/x", "r0");
	watch(five, "/x", "t");
	set_quota(h, 5, "soft-memory", memory(h) + 10);
	five->take_max = 0;
	ok(peer_write(h->dom0, 0, "/x", ""));
	assert_int_equal(harness_log_count(h, SOFT), 1);
	h->now += 10000;
	five->take_max = SIZE_MAX;
	harness_run(h);
	event_is(five, "/x t");
	assert_int_equal(harness_log_count(h, SOFT_AGAIN), 1);
	/* Nor is it told of one that has ended. */
	five->take_max = 0;
	h->now += 10000;
	ok(peer_write(h->dom0, 0, "/x", ""));
	assert_int_equal(harness_log_count(h, SOFT), 2);
	h->now += 10000;
	harness_destroy(h, 5);
	assert_int_equal(harness_log_count(h, SOFT_AGAIN), 1);
}

static void test_defaults(void **state)
{
	struct harness *h = *state;
	struct answer answer;

	guest(h, 5);
	ok(peer_ask(h->dom0, XS_GET_QUOTA, 0, "5 memory", &answer));
	assert_string_equal(answer.payload, "2621440");
	ok(peer_ask(h->dom0, XS_GET_QUOTA, 0, "5 soft-memory", &answer));
	assert_string_equal(answer.payload, "2097152");
	fails(EINVAL, peer_ask(h->dom0, XS_GET_QUOTA, 0, "5 soft-nodes", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_what_counts),
		world_test(test_a_transactions_memory_is_given_back),
		world_test(test_writing_at_the_limit),
		world_test(test_writing_deep_at_the_limit),
		world_test(test_watching_at_the_limit),
		world_test(test_large_replies_at_the_limit),
		world_test(test_events_at_the_limit_are_dropped),
		world_test(test_above_the_limit_nothing_is_read_until_nodes_are_removed),
		world_test(test_above_the_limit_until_a_value_is_shortened),
		world_test(test_above_the_limit_until_nodes_are_given_to_others),
		world_test(test_above_the_limit_until_it_is_raised),
		world_test(test_a_reader_too_slow_for_its_replies_is_bounded),
		world_test(test_a_transaction_cannot_stall_its_own_guest),
		world_test(test_messages_of_the_hard_quota),
		world_test(test_messages_of_the_soft_quota),
		world_test(test_the_all_clear_needs_no_request),
		world_test(test_defaults),
	};

	return run_group(tests);
}
