/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Defects of an existing xenstored that must not be found here, by their
 * numbers in limits-and-bugs.md section 1: those that guests and their ends
 * bring about. D11, D12 and D26 are about sockets and start-up, D23 about ring
 * pages, D28 is in test-outstanding.c, the others are about live update,
 * documentation or the stub domain.
 */
#include "guests.h"

static void test_d01_quotas_allow_as_many_as_they_say(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	uint32_t tx;

	set_quota(h, 5, "watches", 1);
	set_quota(h, 5, "transactions", 1);
	set_quota(h, 5, "nodes", 2);
	set_quota(h, 5, "node-permissions", 2);
	set_quota(h, 5, "path-max", 4);
	set_quota(h, 5, "node-size", 16 + 2 * 8 + 3);
	ok(peer_watch(five, "four", "t"));
	fails(ENOSPC, peer_watch(five, "four", "u"));
	ok(peer_start(five, &tx));
	fails(ENOSPC, peer_start(five, &tx));
	ok(peer_write(five, 0, "four", "12345678901"));
	fails(ENOSPC, peer_write(five, 0, "four", "123456789012"));
	fails(ENOSPC, peer_set_perms(five, 0, "four", "n5 r0"));
	ok(peer_write(five, 0, "four", "123"));
	ok(peer_set_perms(five, 0, "four", "n5 r0"));
	fails(ENOSPC, peer_set_perms(five, 0, "four", "n5 r0 r0"));
	fails(ENOSPC, peer_write(five, 0, "two", ""));
	fails(EINVAL, peer_write(five, 0, "fiver", ""));
}

static void test_d02_nodes_of_one_request_or_transaction_count(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	char path[2048];
	uint32_t tx;

	for (int i = 0; i < 1020; i++)
		memcpy(path + 2 * i, "x/", 2);
	path[2039] = 0;
	fails(ENOSPC, peer_write(five, 0, path, ""));
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 1);
	/* 999 levels and the home. */
	path[2 * 999 - 1] = 0;
	ok(peer_write(five, 0, path, ""));
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 1000);
	ok(peer_rm(five, 0, "x"));
	path[2 * 500 - 1] = 0;
	ok(peer_start(five, &tx));
	ok(peer_write(five, tx, path, ""));
	path[0] = 'y';
	fails(ENOSPC, peer_write(five, tx, path, ""));
	peer_end(five, tx, true);
	assert_true(quota_now(h, 5, "nodes", NULL) <= 1000);
}

static void test_d03_any_domain_from_a_socket(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	node(h, "/x", "n0 r32757");
	ok(peer_read(five, 0, "/x", NULL));
	/* Also when the daemon's own domain has never been introduced, or has. */
	assert_non_null(harness_guest(h, 0));
	node(h, "/y", "n0 r32757");
	ok(peer_read(five, 0, "/y", NULL));
}

static void test_d04_a_special_node_owned_by_one_that_dies(void **state)
{
	struct harness *h = *state;

	for (int round = 0; round < 2; round++) {
		struct peer *five = guest(h, 5);

		ok(peer_set_perms(h->dom0, 0, "@releaseDomain", "r5"));
		ok(peer_set_perms(h->dom0, 0, "@introduceDomain", "n5 r5"));
		ok(peer_set_perms(five, 0, "@introduceDomain", "n5"));
		watch(h->dom0, "@releaseDomain", "r");
		harness_destroy(h, 5);
		event_is(h->dom0, "@releaseDomain r");
		no_event(h->dom0);
		ok(peer_unwatch(h->dom0, "@releaseDomain", "r"));
		perms_are(h->dom0, 0, "@releaseDomain", "r0");
		perms_are(h->dom0, 0, "@introduceDomain", "n0");
		five = guest(h, 5);
		fails(EACCES, peer_set_perms(five, 0, "@releaseDomain", "r5"));
		harness_destroy(h, 5);
	}
}

static void test_d05_introduced_again_in_the_middle_of_a_message(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5), *zero = harness_guest(h, 0);

	peer_push(five, "\1\0\0\0\0\0\0\0", 8);
	harness_run(h);
	ok(introduce(h, 5));
	ok(peer_write(five, 0, "x", "1"));
	/* dom0 through its own ring, for the guest and for itself. */
	peer_push(five, "\1\0\0\0\0\0\0\0", 8);
	harness_run(h);
	ok(peer_ask(zero, XS_INTRODUCE, 0, "5 1 9", NULL));
	ok(peer_write(five, 0, "x", "2"));
	ok(peer_ask(zero, XS_INTRODUCE, 0, "0 1 9", NULL));
	ok(peer_ask(zero, XS_INTRODUCE, 0, "0 1 9", NULL));
	value_is(zero, 0, "/local/domain/5/x", "2");
}

static void test_d13_an_ignored_guest_comes_back(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	struct wire_header bad = {.type = XS_READ, .len = 4097};

	peer_push(five, &bad, sizeof(bad));
	harness_run(h);
	assert_int_equal(five->failed, TRANSPORT_PROTO);
	ok(introduce(h, 5));
	assert_int_equal(five->failed, 0);
	ok(peer_write(five, 0, "x", ""));
}

static void test_d14_a_failed_first_introduction_touches_nothing(void **state)
{
	struct harness *h = *state;

	node(h, "/x", "n0 r5");
	watch(h->dom0, "/", "all");
	watch(h->dom0, "@releaseDomain", "r");
	harness_create(h, 5);
	h->domain[5].connect_error = EINVAL;
	for (int i = 0; i < 3; i++)
		fails(EINVAL, introduce(h, 5));
	no_event(h->dom0);
	perms_are(h->dom0, 0, "/x", "n0 r5");
	fails(ENOENT, peer_ask(h->dom0, XS_CONTROL, 0, "quota 5", NULL));
}

static void test_d15_a_failed_second_binding_is_told(void **state)
{
	struct harness *h = *state;

	guest(h, 5);
	h->domain[5].bind_error = EINVAL;
	fails(EINVAL, introduce(h, 5));
	h->domain[5].bind_error = 0;
	ok(introduce(h, 5));
}

static void test_d16_release_of_a_target(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5), *nine = guest(h, 9);

	ok(set_target(h, "9 5"));
	watch(h->dom0, "@releaseDomain", "r");
	ok(release(h, "5"));
	event_is(h->dom0, "@releaseDomain r");
	is_introduced(h, "5", "F");
	assert_true(five->closed);
	assert_false(exists(h, "/local/domain/5"));
	fails(ENOENT, release(h, "5"));
	fails(EACCES, peer_read(nine, 0, "/local/domain/5", NULL));
	/* The next one of that domid is not its target. */
	guest(h, 5);
	fails(EACCES, peer_read(nine, 0, "/local/domain/5", NULL));
	ok(release(h, "9"));
	ok(release(h, "5"));
}

static void test_d17_former_targets_are_let_go(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5), *six = guest(h, 6);

	guest(h, 9);
	for (int i = 0; i < 10; i++)
		ok(set_target(h, i & 1 ? "9 5" : "9 6"));
	harness_destroy(h, 6);
	harness_destroy(h, 5);
	assert_true(five->closed && six->closed);
	is_introduced(h, "9", "T");
}

static void test_d18_a_failed_introduction_takes_no_share_of_the_write_credit(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	struct answer answer;
	uint32_t tx;

	ok(peer_write(five, 0, "x", ""));
	for (unsigned int i = 10; i < 30; i++) {
		harness_create(h, i);
		h->domain[i].connect_error = EINVAL;
		fails(EINVAL, introduce(h, i));
	}
	ok(peer_start(h->dom0, &tx));
	for (int i = 0; i < 50; i++)
		peer_send(five, XS_WRITE, 0, "x\0", 2);
	harness_run(h);
	while (peer_receive(five, &answer))
		;
	/* Alone: one unit in 5 ms. */
	h->now += 5;
	harness_run_untold(h);
	answered(five);
}

static void test_d19_a_commit_does_not_bring_a_dead_domains_entry_back(void **state)
{
	struct harness *h = *state;
	struct peer *five;
	uint32_t value, perms, child;

	guest(h, 5);
	node(h, "/x", "n0 r5");
	node(h, "/y", "n0 r5");
	ok(peer_start(h->dom0, &value));
	ok(peer_start(h->dom0, &perms));
	ok(peer_start(h->dom0, &child));
	ok(peer_write(h->dom0, value, "/x", "new"));
	ok(peer_set_perms(h->dom0, perms, "/y", "n0 w5"));
	ok(peer_write(h->dom0, child, "/x/child", ""));
	harness_destroy(h, 5);
	five = guest(h, 5);
	/* Each may commit or conflict; the new domain gets nothing by it. */
	peer_end(h->dom0, value, true);
	peer_end(h->dom0, perms, true);
	peer_end(h->dom0, child, true);
	perms_are(h->dom0, 0, "/x", "n0");
	perms_are(h->dom0, 0, "/y", "n0");
	if (exists(h, "/x/child"))
		perms_are(h->dom0, 0, "/x/child", "n0");
	fails(EACCES, peer_read(five, 0, "/x", NULL));
	fails(EACCES, peer_write(five, 0, "/y", ""));
	fails(EACCES, peer_read(five, 0, "/x/child", NULL));
}

static void test_d31_unknown_special_nodes(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	uint32_t tx;

	ok(peer_start(h->dom0, &tx));
	fails(ENOENT, peer_set_perms(h->dom0, tx, "@foo", "n0"));
	fails(ENOENT, peer_get_perms(h->dom0, tx, "@foo", NULL));
	fails(ENOENT, peer_set_perms(h->dom0, tx, "@releaseDomain/7", "n0"));
	ok(peer_end(h->dom0, tx, true));
	ok(peer_start(five, &tx));
	fails(EACCES, peer_set_perms(five, tx, "@foo", "n5"));
	ok(peer_end(five, tx, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_d01_quotas_allow_as_many_as_they_say),
		world_test(test_d02_nodes_of_one_request_or_transaction_count),
		world_test(test_d03_any_domain_from_a_socket),
		world_test(test_d04_a_special_node_owned_by_one_that_dies),
		world_test(test_d05_introduced_again_in_the_middle_of_a_message),
		world_test(test_d13_an_ignored_guest_comes_back),
		world_test(test_d14_a_failed_first_introduction_touches_nothing),
		world_test(test_d15_a_failed_second_binding_is_told),
		world_test(test_d16_release_of_a_target),
		world_test(test_d17_former_targets_are_let_go),
		world_test(test_d18_a_failed_introduction_takes_no_share_of_the_write_credit),
		world_test(test_d19_a_commit_does_not_bring_a_dead_domains_entry_back),
		world_test(test_d31_unknown_special_nodes),
	};

	return run_group(tests);
}
