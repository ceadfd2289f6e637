/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transactions of guests: what they depend on because of permissions, and how
 * they end (spec: protocol.md section 11). Their quotas are in test-quota.c.
 */
#include "guests.h"

static void test_isolation(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	uint32_t tx;

	ok(peer_start(five, &tx));
	ok(peer_write(five, tx, "a/b", "1"));
	value_is(five, tx, "a/b", "1");
	fails(ENOENT, peer_read(five, 0, "a/b", NULL));
	assert_false(exists(h, "/local/domain/5/a"));
	perms_are(five, tx, "a", "n5");
	ok(peer_end(five, tx, true));
	value_is(five, 0, "a/b", "1");
	perms_are(h->dom0, 0, "/local/domain/5/a", "n5");
}

static void test_ids_are_a_connections_own(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5), *six = guest(h, 6);
	uint32_t tx, second, other;

	ok(peer_start(five, &tx));
	ok(peer_start(five, &second));
	ok(peer_start(six, &other));
	assert_int_equal(tx, 1);
	assert_int_equal(second, 2);
	assert_int_equal(other, 1);
	fails(ENOENT, peer_read(six, 2, "x", NULL));
	fails(EBUSY, peer_request(five, XS_TRANSACTION_START, tx, "", 1, NULL));
	fails(EINVAL, peer_ask(five, XS_TRANSACTION_END, tx, "maybe", NULL));
	fails(ENOENT, peer_end(five, 0, true));
	ok(peer_end(five, tx, true));
	fails(ENOENT, peer_end(five, tx, true));
	/* Others are not touched. */
	ok(peer_end(five, second, false));
	ok(peer_end(six, other, true));
}

static void test_a_permission_taken_away_is_a_conflict(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	uint32_t tx, removal, listing;

	node(h, "/x", "n0 b5");
	node(h, "/y", "n0");
	node(h, "/y/z", "n0 b5");
	ok(peer_start(five, &tx));
	ok(peer_start(five, &removal));
	ok(peer_start(five, &listing));
	ok(peer_write(five, tx, "/x", "not allowed any more"));
	ok(peer_rm(five, removal, "/y/z"));
	ok(peer_directory(five, listing, "/x", NULL));
	ok(peer_write(five, listing, "seen", ""));
	ok(peer_set_perms(h->dom0, 0, "/x", "n0"));
	ok(peer_set_perms(h->dom0, 0, "/y/z", "n0 r5"));
	fails(EAGAIN, peer_end(five, tx, true));
	fails(EAGAIN, peer_end(five, removal, true));
	fails(EAGAIN, peer_end(five, listing, true));
	value_is(h->dom0, 0, "/x", "");
	assert_true(exists(h, "/y/z"));
	assert_false(exists(h, "/local/domain/5/seen"));
}

static void test_inherited_permissions_are_those_of_the_commit(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	uint32_t tx;

	guest(h, 6);
	node(h, "/x", "r0 w5");
	ok(peer_start(five, &tx));
	ok(peer_write(five, tx, "/x/child", ""));
	ok(peer_set_perms(h->dom0, 0, "/x", "n0 w5"));
	fails(EAGAIN, peer_end(five, tx, true));
	assert_false(exists(h, "/x/child"));
	/* dom0's as well. */
	ok(peer_start(h->dom0, &tx));
	ok(peer_write(h->dom0, tx, "/x/child", ""));
	ok(peer_set_perms(h->dom0, 0, "/x", "n0"));
	fails(EAGAIN, peer_end(h->dom0, tx, true));
	assert_false(exists(h, "/x/child"));
}

static void test_an_error_that_was_seen_is_a_dependency(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	uint32_t hidden, missing, disclosed;

	node(h, "/x", "n0");
	node(h, "/r", "n0 r5");
	ok(peer_start(five, &hidden));
	ok(peer_start(five, &missing));
	ok(peer_start(five, &disclosed));
	fails(EACCES, peer_read(five, hidden, "/x", NULL));
	ok(peer_write(five, hidden, "a", "was hidden"));
	fails(ENOENT, peer_read(five, missing, "/r/none", NULL));
	ok(peer_write(five, missing, "b", "was missing"));
	fails(ENOENT, peer_read(five, disclosed, "/r/none/at/all", NULL));
	ok(peer_write(five, disclosed, "c", "was disclosed"));
	ok(peer_set_perms(h->dom0, 0, "/x", "r0"));
	ok(peer_write(h->dom0, 0, "/r/none", ""));
	fails(EAGAIN, peer_end(five, hidden, true));
	fails(EAGAIN, peer_end(five, missing, true));
	fails(EAGAIN, peer_end(five, disclosed, true));
	fails(ENOENT, peer_directory(five, 0, "a", NULL));
}

static void test_refusals_do_not_poison(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	uint32_t tx;

	node(h, "/x", "n0");
	ok(peer_start(five, &tx));
	fails(EACCES, peer_write(five, tx, "/x", ""));
	fails(ENOENT, peer_read(five, tx, "none", NULL));
	fails(EINVAL, peer_read(five, tx, "//", NULL));
	fails(EACCES, peer_set_perms(five, tx, "/x", "n5"));
	fails(EPERM, peer_set_perms(five, tx, "/local/domain/5", "n0"));
	fails(ENOSYS, peer_ask(five, 99, tx, "x", NULL));
	ok(peer_write(five, tx, "a", ""));
	ok(peer_end(five, tx, true));
	assert_true(exists(h, "/local/domain/5/a"));
}

static void test_a_failed_write_poisons(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	char value[2100];
	uint32_t tx;

	memset(value, 'v', sizeof(value));
	value[2099] = 0;
	ok(peer_start(five, &tx));
	ok(peer_write(five, tx, "a", ""));
	fails(ENOSPC, peer_write(five, tx, "a", value));
	fails(ENOMEM, peer_end(five, tx, true));
	assert_false(exists(h, "/local/domain/5/a"));
	fails(ENOENT, peer_end(five, tx, true));
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 1);
}

static void test_guests_beside_each_other_do_not_conflict(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5), *six = guest(h, 6);
	uint32_t of_five, of_six, reading;

	node(h, "/x", "w0");
	ok(peer_start(five, &of_five));
	ok(peer_start(six, &of_six));
	ok(peer_start(five, &reading));
	ok(peer_write(five, of_five, "/x/five", ""));
	ok(peer_write(six, of_six, "/x/six", ""));
	fails(ENOENT, peer_read(five, reading, "later", NULL));
	ok(peer_write(five, 0, "later", ""));
	ok(peer_end(five, of_five, true));
	ok(peer_end(six, of_six, true));
	/* One that only reads took place when it started. */
	ok(peer_end(five, reading, true));
	perms_are(h->dom0, 0, "/x/five", "w5");
	perms_are(h->dom0, 0, "/x/six", "w6");
}

static void test_a_guest_and_dom0_write_one_node(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	uint32_t tx;

	ok(peer_write(five, 0, "x", "0"));
	ok(peer_start(h->dom0, &tx));
	value_is(h->dom0, tx, "/local/domain/5/x", "0");
	ok(peer_write(h->dom0, tx, "/local/domain/5/x", "dom0"));
	ok(peer_write(five, 0, "x", "five"));
	fails(EAGAIN, peer_end(h->dom0, tx, true));
	value_is(five, 0, "x", "five");
}

static void test_events_of_a_commit(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	uint32_t tx;

	ok(peer_write(five, 0, "second", ""));
	watch(h->dom0, "/local/domain/5", "w");
	ok(peer_start(five, &tx));
	ok(peer_write(five, tx, "first/deep", ""));
	ok(peer_read(five, tx, "second", NULL));
	ok(peer_write(five, tx, "third", ""));
	ok(peer_write(five, tx, "second", "1"));
	ok(peer_write(five, tx, "third", "2"));
	no_event(h->dom0);
	ok(peer_end(five, tx, true));
	event_is(h->dom0, "/local/domain/5/first/deep w");
	event_is(h->dom0, "/local/domain/5/second w");
	event_is(h->dom0, "/local/domain/5/third w");
	no_event(h->dom0);
	ok(peer_start(five, &tx));
	ok(peer_write(five, tx, "first", "1"));
	ok(peer_end(five, tx, false));
	no_event(h->dom0);
}

static void test_special_nodes_in_a_transaction(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	uint32_t tx;

	watch(five, "@introduceDomain", "i");
	ok(peer_start(h->dom0, &tx));
	ok(peer_set_perms(h->dom0, tx, "@introduceDomain", "n0 r5"));
	fails(EACCES, peer_get_perms(five, 0, "@introduceDomain", NULL));
	ok(peer_end(h->dom0, tx, true));
	event_is(five, "@introduceDomain i");
	perms_are(five, 0, "@introduceDomain", "n0 r5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_isolation),
		world_test(test_ids_are_a_connections_own),
		world_test(test_a_permission_taken_away_is_a_conflict),
		world_test(test_inherited_permissions_are_those_of_the_commit),
		world_test(test_an_error_that_was_seen_is_a_dependency),
		world_test(test_refusals_do_not_poison),
		world_test(test_a_failed_write_poisons),
		world_test(test_guests_beside_each_other_do_not_conflict),
		world_test(test_a_guest_and_dom0_write_one_node),
		world_test(test_events_of_a_commit),
		world_test(test_special_nodes_in_a_transaction),
	};

	return run_group(tests);
}
