/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domid whose domain died and was replaced by another one, noticed at any
 * moment: the new domain inherits nothing, the old one's end is told once.
 */
#include "guests.h"

/* Domain 5 dies and another one gets its domid; the core has not been told. */
static void replace(struct harness *h)
{
	harness_destroy_silently(h, 5);
	harness_create(h, 5);
}

static void watch_both(struct peer *peer)
{
	watch(peer, "@introduceDomain", "i");
	watch(peer, "@releaseDomain", "r");
	watch(peer, "@releaseDomain/5", "r5");
}

static void one_end(struct peer *peer)
{
	event_is(peer, "@releaseDomain r");
	event_is(peer, "@releaseDomain/5 r5");
}

static void test_noticed_late(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	ok(peer_write(five, 0, "x", ""));
	watch_both(h->dom0);
	replace(h);
	harness_tell(h);
	one_end(h->dom0);
	no_event(h->dom0);
	assert_true(five->closed);
	assert_false(exists(h, "/local/domain/5"));
	is_introduced(h, "5", "F");
	harness_tell(h);
	no_event(h->dom0);
}

static void test_noticed_by_the_introduction(void **state)
{
	struct harness *h = *state;
	struct peer *old = guest(h, 5), *fresh;

	ok(peer_watch(old, "/", "w"));
	node(h, "/acl", "n0 r5");
	set_quota(h, 5, "watches", 3);
	watch_both(h->dom0);
	replace(h);
	fresh = harness_guest(h, 5);
	assert_non_null(fresh);
	assert_ptr_not_equal(fresh, old);
	assert_true(old->closed);
	one_end(h->dom0);
	event_is(h->dom0, "@introduceDomain i");
	no_event(h->dom0);
	/* What the hypervisor tells afterwards is no news. */
	harness_tell(h);
	no_event(h->dom0);
	is_introduced(h, "5", "T");
	fails(EACCES, peer_read(fresh, 0, "/acl", NULL));
	fails(EACCES, peer_read(fresh, 0, "x", NULL));
	assert_int_equal(quota_now(h, 5, "watches", NULL), 0);
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 0);
	fails(ENOSPC, peer_set_perms(fresh, 0, "x", "n5 n5 n5 n5 n5 n5"));
	for (int i = 0; i < 5; i++) {
		char token[16];

		snprintf(token, sizeof(token), "%d", i);
		ok(peer_watch(fresh, "x", token));
	}
}

/* A toolstack that prepares the new domain before anybody has noticed the end of the old one. */
static void test_noticed_by_the_owner_of_new_nodes(void **state)
{
	struct harness *h = *state;
	struct peer *old = guest(h, 5), *fresh;

	watch_both(h->dom0);
	replace(h);
	ok(peer_mkdir(h->dom0, 0, "/new"));
	ok(peer_set_perms(h->dom0, 0, "/new", "n5"));
	one_end(h->dom0);
	assert_true(old->closed);
	assert_false(exists(h, "/local/domain/5"));
	/* What was made for the new one stays. */
	harness_tell(h);
	no_event(h->dom0);
	assert_true(exists(h, "/new"));
	fresh = harness_guest(h, 5);
	ok(peer_write(fresh, 0, "/new/x", ""));
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 2);
}

static void test_noticed_by_each_request_that_names_it(void **state)
{
	static const struct {
		uint32_t type;
		const char *text;
		int error;
	} requests[] = {
		{XS_SET_PERMS, "/acl n0 r5", 0}, {XS_GET_FEATURE, "5", 0},
		{XS_SET_FEATURE, "5 6", 0},	 {XS_GET_QUOTA, "5 nodes", 0},
		{XS_SET_QUOTA, "5 nodes 7", 0},	 {XS_INTRODUCE, "5 1 9", 0},
		{XS_SET_TARGET, "5 6", ENOENT},	 {XS_SET_TARGET, "6 5", ENOENT},
		{XS_RESUME, "5", ENOENT},	 {XS_IS_DOMAIN_INTRODUCED, "5", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		struct harness *h = new_world(NULL);
		struct peer *old = guest(h, 5);

		guest(h, 6);
		node(h, "/acl", "n0");
		watch_both(h->dom0);
		replace(h);
		fails(requests[i].error,
		      peer_ask(h->dom0, requests[i].type, 0, requests[i].text, NULL));
		assert_true(old->closed);
		one_end(h->dom0);
		peer_forget_events(h->dom0);
		harness_tell(h);
		no_event(h->dom0);
		assert_false(exists(h, "/local/domain/5"));
		harness_free(h);
	}
}

static void test_released_when_it_is_gone_already(void **state)
{
	struct harness *h = *state;

	guest(h, 5);
	watch_both(h->dom0);
	harness_destroy_silently(h, 5);
	ok(release(h, "5"));
	one_end(h->dom0);
	no_event(h->dom0);
	harness_tell(h);
	no_event(h->dom0);
}

static void test_a_guest_that_names_itself_after_its_end(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	watch_both(h->dom0);
	ok(peer_write(five, 0, "x", ""));
	/* Its last words are still in the ring. */
	replace(h);
	peer_send(five, XS_SET_PERMS, 0, "x\0n5\0r5", 8);
	peer_send(five, XS_WRITE, 0, "y\0", 2);
	harness_run(h);
	harness_tell(h);
	assert_true(five->closed);
	one_end(h->dom0);
	no_event(h->dom0);
	assert_false(exists(h, "/local/domain/5"));
}

static void test_a_guest_that_names_another_one_after_that_ones_end(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5), *six = guest(h, 6);

	ok(peer_watch(five, "/local/domain/6", "w"));
	watch_both(h->dom0);
	replace(h);
	peer_send(five, XS_READ, 0, "x", 2);
	ok(peer_set_perms(six, 0, "/local/domain/6", "n6 r5"));
	harness_tell(h);
	assert_true(five->closed);
	one_end(h->dom0);
	no_event(h->dom0);
	five = harness_guest(h, 5);
	ok(peer_read(five, 0, "/local/domain/6", NULL));
}

static void test_replaced_again_and_again(void **state)
{
	struct harness *h = *state;

	watch_both(h->dom0);
	for (int i = 0; i < 20; i++) {
		struct peer *five;
		uint32_t tx;

		if (i)
			replace(h);
		five = harness_guest(h, 5);
		if (i)
			one_end(h->dom0);
		event_is(h->dom0, "@introduceDomain i");
		no_event(h->dom0);
		fails(EACCES, peer_write(five, 0, "x", ""));
		node(h, "/local/domain/5", "n5");
		ok(peer_start(five, &tx));
		assert_int_equal(tx, 1);
		ok(peer_write(five, tx, "x", ""));
		ok(peer_end(five, tx, true));
		assert_int_equal(quota_now(h, 5, "nodes", NULL), 2);
	}
}

/* The death comes between any two of a toolstack's requests for the next domain. */
static void test_replaced_at_every_point_of_a_creation(void **state)
{
	static const struct {
		uint32_t type;
		const char *text;
	} steps[] = {
		{XS_MKDIR, "/local/domain/5"},
		{XS_SET_PERMS, "/local/domain/5 n0 r5"},
		{XS_MKDIR, "/local/domain/5/data"},
		{XS_SET_PERMS, "/local/domain/5/data n5"},
		{XS_INTRODUCE, "5 1 9"},
		{XS_SET_QUOTA, "5 nodes 100"},
	};
	const size_t count = sizeof(steps) / sizeof(steps[0]);

	(void)state;
	for (size_t at = 0; at < count; at++) {
		struct harness *h = new_world(NULL);
		struct peer *five;

		harness_create(h, 5);
		for (size_t i = 0; i < count; i++) {
			if (i == at)
				replace(h);
			ok(peer_ask(h->dom0, steps[i].type, 0, steps[i].text, NULL));
		}
		/* Once more for the one that lives, as a toolstack does that starts over. */
		harness_tell(h);
		for (size_t i = 0; i < count; i++)
			ok(peer_ask(h->dom0, steps[i].type, 0, steps[i].text, NULL));
		five = harness_find_guest(h, 5);
		assert_non_null(five);
		ok(peer_write(five, 0, "data/x", "1"));
		assert_int_equal(quota_now(h, 5, "nodes", NULL), 2);
		perms_are(h->dom0, 0, "/local/domain/5", "n0 r5");
		harness_destroy(h, 5);
		assert_false(exists(h, "/local/domain/5/data"));
		perms_are(h->dom0, 0, "/local/domain/5", "n0");
		harness_free(h);
	}
}

static void test_without_unique_ids_the_end_is_noticed_at_least(void **state)
{
	struct harness *h = *state;

	h->identities_unknown = true;
	guest(h, 5);
	watch_both(h->dom0);
	harness_destroy(h, 5);
	one_end(h->dom0);
	no_event(h->dom0);
	harness_create(h, 5);
	assert_non_null(harness_guest(h, 5));
	event_is(h->dom0, "@introduceDomain i");
	no_event(h->dom0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_noticed_late),
		world_test(test_noticed_by_the_introduction),
		world_test(test_noticed_by_the_owner_of_new_nodes),
		cmocka_unit_test(test_noticed_by_each_request_that_names_it),
		world_test(test_released_when_it_is_gone_already),
		world_test(test_a_guest_that_names_itself_after_its_end),
		world_test(test_a_guest_that_names_another_one_after_that_ones_end),
		world_test(test_replaced_again_and_again),
		world_test(test_replaced_at_every_point_of_a_creation),
		world_test(test_without_unique_ids_the_end_is_noticed_at_least),
	};

	return run_group(tests);
}
