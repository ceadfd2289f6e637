/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The security history of xenstoreds from XSA-414 on, a test for each flaw that
 * a guest or the end of one can show (spec: limits-and-bugs.md section 7). Not
 * here: those parts of XSA-418 and XSA-421 that need a live update or failing
 * allocations.
 */
#include "guests.h"

static void test_xsa_414_a_creation_that_fails_half_way(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	char value[2100];
	unsigned int memory = quota_now(h, 5, "memory", NULL);

	memset(value, 'v', sizeof(value));
	value[2099] = 0;
	fails(ENOSPC, peer_write(five, 0, "a/b/c/d", value));
	set_quota(h, 5, "nodes", 3);
	fails(ENOSPC, peer_write(five, 0, "a/b/c/d", ""));
	assert_false(exists(h, "/local/domain/5/a"));
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 1);
	assert_int_equal(quota_now(h, 5, "memory", NULL), memory);
	ok(peer_write(five, 0, "a/b", ""));
}

static void test_xsa_415_a_failure_in_a_transaction_leaves_no_orphans(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	struct answer answer;
	uint32_t tx;

	set_quota(h, 5, "nodes", 3);
	ok(peer_start(five, &tx));
	fails(ENOSPC, peer_write(five, tx, "a/b/c/d", ""));
	fails(ENOENT, peer_read(five, tx, "a", NULL));
	peer_end(five, tx, true);
	ok(peer_directory(five, 0, "/local/domain/5", &answer));
	assert_int_equal(answer.header.len, 0);
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 1);
	ok(peer_ask(h->dom0, XS_CONTROL, 0, "check", NULL));
}

static void test_xsa_416_replies_that_are_not_read_are_bounded(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	char value[2001];

	memset(value, 'v', 2000);
	value[2000] = 0;
	ok(peer_write(five, 0, "x", value));
	five->take_max = 0;
	for (int i = 0; i < 1000; i++)
		peer_send(five, XS_READ, 0, "x", 2);
	harness_run(h);
	assert_true(quota_now(h, 5, "memory", NULL) < 20 * 2016 + 3000);
}

static void test_xsa_417_an_entry_for_a_domain_that_was_not_known(void **state)
{
	struct harness *h = *state;
	struct peer *five;

	/* Nobody has heard of 5 when it is named, and it is another one that is introduced. */
	harness_create(h, 5);
	node(h, "/x", "n0 b5");
	harness_destroy_silently(h, 5);
	harness_create(h, 5);
	five = harness_guest(h, 5);
	fails(EACCES, peer_read(five, 0, "/x", NULL));
}

static void test_xsa_418_a_thousand_levels(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	char path[2049];
	uint32_t tx;

	for (int i = 0; i < 1023; i++)
		memcpy(path + 2 * i, "x/", 2);
	path[2045] = 0;
	set_quota(h, 5, "nodes", 2000);
	ok(peer_write(five, 0, path, "deep"));
	value_is(five, 0, path, "deep");
	ok(peer_set_perms(five, 0, path, "r5"));
	ok(peer_watch(five, path, "t"));
	ok(peer_ask(h->dom0, XS_CONTROL, 0, "check", NULL));
	ok(peer_start(five, &tx));
	ok(peer_rm(five, tx, "x"));
	ok(peer_end(five, tx, true));
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 1);
	peer_forget_events(five);
	ok(peer_write(five, 0, path, "deep"));
	ok(peer_rm(five, 0, "x"));
	ok(peer_write(five, 0, path, "deep"));
	harness_destroy(h, 5);
	assert_false(exists(h, "/local/domain/5"));
}

static void test_xsa_419_nodes_outside_the_home_go_with_their_owner(void **state)
{
	struct harness *h = *state;
	unsigned int before;

	node(h, "/shared", "w0");
	before = quota_now(h, 0, "nodes", NULL);
	for (int i = 0; i < 5; i++) {
		struct peer *five = harness_guest(h, 5);

		for (int k = 0; k < 10; k++) {
			char path[32];

			snprintf(path, sizeof(path), "/shared/%d/%d", i, k);
			ok(peer_write(five, 0, path, ""));
		}
		harness_destroy(h, 5);
	}
	assert_int_equal(quota_now(h, 0, "nodes", NULL), before);
}

static void test_xsa_420_lengths_that_look_negative(void **state)
{
	static const uint32_t lengths[] = {4097, 0x40000000, 0x7fffffff, 0x80000000, 0xffffffff};
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct wire_header bad = {.type = XS_READ, .len = lengths[i]};

		peer_push(five, &bad, sizeof(bad));
		harness_run(h);
		assert_int_equal(five->failed, TRANSPORT_PROTO);
		ok(introduce(h, 5));
		ok(peer_read(five, 0, "/local/domain/5", NULL));
	}
}

static void test_xsa_421_created_and_deleted_in_one_transaction(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	unsigned int memory = quota_now(h, 5, "memory", NULL);
	uint32_t tx;

	ok(peer_start(five, &tx));
	ok(peer_write(five, tx, "a/b", ""));
	ok(peer_rm(five, tx, "a"));
	ok(peer_end(five, tx, true));
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 1);
	assert_int_equal(quota_now(h, 5, "memory", NULL), memory);
	/* The same on top of others' commits, with something that stays. */
	ok(peer_start(five, &tx));
	ok(peer_write(five, tx, "a/b", ""));
	ok(peer_write(five, tx, "stays", "1"));
	ok(peer_rm(five, tx, "a"));
	ok(peer_write(h->dom0, 0, "/elsewhere", ""));
	ok(peer_end(five, tx, true));
	value_is(five, 0, "stays", "1");
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 2);
	ok(peer_ask(h->dom0, XS_CONTROL, 0, "check", NULL));
}

static void test_xsa_425_release_of_one_that_has_something_to_say(void **state)
{
	struct harness *h = *state;
	struct peer *zero = harness_guest(h, 0);

	for (int round = 0; round < 4; round++) {
		struct peer *five = guest(h, 5), *six = guest(h, 6);
		struct peer *victim = round & 1 ? five : six;

		/* All have input waiting; the one that is released may come before or after. */
		if (round & 2)
			peer_send(zero, XS_RELEASE, 0, round & 1 ? "5" : "6", 2);
		for (int i = 0; i < 40; i++) {
			peer_send(five, XS_WRITE, 0, "x\0", 2);
			peer_send(six, XS_WRITE, 0, "x\0", 2);
		}
		if (!(round & 2))
			peer_send(zero, XS_RELEASE, 0, round & 1 ? "5" : "6", 2);
		harness_run(h);
		answered(zero);
		assert_true(victim->closed);
		harness_destroy(h, 5);
		harness_destroy(h, 6);
	}
}

static void test_xsa_440_removed_outside_while_changed_inside(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	uint32_t tx;

	ok(peer_write(five, 0, "x/y", "1"));
	ok(peer_start(five, &tx));
	ok(peer_write(five, tx, "x/y", "2"));
	ok(peer_rm(five, tx, "x"));
	ok(peer_rm(five, 0, "x"));
	fails(EAGAIN, peer_end(five, tx, true));
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 1);
	ok(peer_ask(h->dom0, XS_CONTROL, 0, "check", NULL));
}

static void test_xsa_481_the_path_without_a_domain(void **state)
{
	static const uint32_t types[] = {XS_READ, XS_DIRECTORY, XS_GET_PERMS, XS_MKDIR, XS_RM};
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		fails(EINVAL, peer_ask(five, types[i], 0, "/local/domain/", NULL));
	fails(EINVAL, peer_ask(five, XS_DIRECTORY_PART, 0, "/local/domain/ 0", NULL));
	fails(EINVAL, peer_write(five, 0, "/local/domain/", ""));
	fails(EINVAL, peer_set_perms(five, 0, "/local/domain/", "n5"));
	fails(EINVAL, peer_watch(five, "/local/domain/", "t"));
	fails(EINVAL, peer_unwatch(five, "/local/domain/", "t"));
}

static void test_xsa_483_a_successor_has_its_whole_quota(void **state)
{
	struct harness *h = *state;

	for (int i = 0; i < 3; i++) {
		struct peer *five = guest(h, 5);

		set_quota(h, 5, "nodes", 3);
		ok(peer_write(five, 0, "a", ""));
		ok(peer_write(five, 0, "b", ""));
		fails(ENOSPC, peer_write(five, 0, "c", ""));
		harness_destroy(h, 5);
	}
}

static void test_xsa_484_reset_watches_within_a_transaction(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	uint32_t tx, other;

	ok(peer_start(five, &tx));
	ok(peer_start(five, &other));
	ok(peer_write(five, tx, "x", ""));
	ok(peer_request(five, XS_RESET_WATCHES, tx, "", 1, NULL));
	fails(ENOENT, peer_end(five, tx, true));
	fails(ENOENT, peer_end(five, other, true));
	fails(ENOENT, peer_request(five, XS_RESET_WATCHES, tx, "", 1, NULL));
	assert_false(exists(h, "/local/domain/5/x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_xsa_414_a_creation_that_fails_half_way),
		world_test(test_xsa_415_a_failure_in_a_transaction_leaves_no_orphans),
		world_test(test_xsa_416_replies_that_are_not_read_are_bounded),
		world_test(test_xsa_417_an_entry_for_a_domain_that_was_not_known),
		world_test(test_xsa_418_a_thousand_levels),
		world_test(test_xsa_419_nodes_outside_the_home_go_with_their_owner),
		world_test(test_xsa_420_lengths_that_look_negative),
		world_test(test_xsa_421_created_and_deleted_in_one_transaction),
		world_test(test_xsa_425_release_of_one_that_has_something_to_say),
		world_test(test_xsa_440_removed_outside_while_changed_inside),
		world_test(test_xsa_481_the_path_without_a_domain),
		world_test(test_xsa_483_a_successor_has_its_whole_quota),
		world_test(test_xsa_484_reset_watches_within_a_transaction),
	};

	return run_group(tests);
}
