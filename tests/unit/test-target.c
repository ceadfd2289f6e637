/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Targets: a domain that acts with another one's rights as well (spec: protocol.md section 2). */
#include "guests.h"

static void test_both_identities_count(void **state)
{
	struct harness *h = *state;
	struct peer *nine = guest(h, 9);

	guest(h, 5);
	node(h, "/own", "n0 r9");
	node(h, "/targets", "n0 r5");
	fails(EACCES, peer_read(nine, 0, "/targets", NULL));
	ok(set_target(h, "9 5"));
	ok(peer_read(nine, 0, "/own", NULL));
	ok(peer_read(nine, 0, "/targets", NULL));
	/* Whichever of the two comes first. */
	node(h, "/x", "n0 n5 r9");
	fails(EACCES, peer_read(nine, 0, "/x", NULL));
	node(h, "/x", "n0 r9 n5");
	ok(peer_read(nine, 0, "/x", NULL));
}

static void test_it_works_one_way(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	guest(h, 9);
	ok(set_target(h, "9 5"));
	fails(EACCES, peer_read(five, 0, "/local/domain/9", NULL));
}

static void test_the_targets_nodes_are_ones_own_except_for_giving_them_away(void **state)
{
	struct harness *h = *state;
	struct peer *nine = guest(h, 9);

	guest(h, 5);
	ok(set_target(h, "9 5"));
	ok(peer_set_perms(nine, 0, "/local/domain/5", "n5 r9"));
	perms_are(h->dom0, 0, "/local/domain/5", "n5 r9");
	fails(EPERM, peer_set_perms(nine, 0, "/local/domain/5", "n9"));
	/* New nodes belong to the one who makes them. */
	ok(peer_write(nine, 0, "/local/domain/5/new", ""));
	perms_are(h->dom0, 0, "/local/domain/5/new", "n9 r9");
	assert_int_equal(quota_now(h, 9, "nodes", NULL), 2);
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 1);
}

static void test_a_new_target_replaces_the_old_one(void **state)
{
	struct harness *h = *state;
	struct peer *nine = guest(h, 9);

	guest(h, 5);
	guest(h, 6);
	ok(set_target(h, "9 5"));
	ok(set_target(h, "9 6"));
	fails(EACCES, peer_read(nine, 0, "/local/domain/5", NULL));
	ok(peer_read(nine, 0, "/local/domain/6", NULL));
}

static void test_the_privileged_domain_as_target_does_not_privilege(void **state)
{
	struct harness *h = *state;
	struct peer *nine = guest(h, 9);

	assert_non_null(harness_guest(h, 0));
	ok(set_target(h, "9 0"));
	fails(EACCES, peer_ask(nine, XS_CONTROL, 0, "help", NULL));
	fails(EACCES, peer_ask(nine, XS_RELEASE, 0, "9", NULL));
	ok(peer_read(nine, 0, "/tool", NULL));
	guest(h, 5);
	fails(EACCES, peer_read(nine, 0, "/local/domain/5", NULL));
	set_quota(h, 9, "watches", 1);
	ok(peer_watch(nine, "a", "1"));
	fails(ENOSPC, peer_watch(nine, "a", "2"));
}

static void test_errors(void **state)
{
	struct harness *h = *state;

	guest(h, 9);
	harness_create(h, 5);
	fails(EINVAL, set_target(h, "9"));
	fails(EINVAL, set_target(h, "9 x"));
	fails(ENOENT, set_target(h, "9 5"));
	fails(ENOENT, set_target(h, "5 9"));
	/* Known is not introduced. */
	node(h, "/x", "n5");
	fails(ENOENT, set_target(h, "9 5"));
	ok(introduce(h, 5));
	ok(set_target(h, "9 5 more"));
}

static void test_the_rights_end_with_the_target(void **state)
{
	struct harness *h = *state;
	struct peer *nine = guest(h, 9);

	guest(h, 5);
	ok(set_target(h, "9 5"));
	harness_destroy(h, 5);
	guest(h, 5);
	node(h, "/x", "n0 r5");
	fails(EACCES, peer_read(nine, 0, "/x", NULL));
	fails(EACCES, peer_read(nine, 0, "/local/domain/5", NULL));
	ok(set_target(h, "9 5"));
	ok(peer_read(nine, 0, "/x", NULL));
}

static void test_a_silently_replaced_domain_is_no_target(void **state)
{
	struct harness *h = *state;

	guest(h, 9);
	guest(h, 5);
	harness_destroy_silently(h, 5);
	harness_create(h, 5);
	fails(ENOENT, set_target(h, "9 5"));
}

static void test_watch_events_by_the_targets_rights(void **state)
{
	struct harness *h = *state;
	struct peer *nine = guest(h, 9);

	guest(h, 5);
	watch(nine, "/local/domain/5/x", "t");
	ok(peer_write(h->dom0, 0, "/local/domain/5/x", "1"));
	no_event(nine);
	ok(set_target(h, "9 5"));
	ok(peer_write(h->dom0, 0, "/local/domain/5/x", "2"));
	event_is(nine, "/local/domain/5/x t");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_both_identities_count),
		world_test(test_it_works_one_way),
		world_test(test_the_targets_nodes_are_ones_own_except_for_giving_them_away),
		world_test(test_a_new_target_replaces_the_old_one),
		world_test(test_the_privileged_domain_as_target_does_not_privilege),
		world_test(test_errors),
		world_test(test_the_rights_end_with_the_target),
		world_test(test_a_silently_replaced_domain_is_no_target),
		world_test(test_watch_events_by_the_targets_rights),
	};

	return run_group(tests);
}
