/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The security history of xenstoreds, a test for each flaw that a guest or the
 * end of one can show (spec: limits-and-bugs.md section 7), up to XSA-353; the
 * others are in test-security-later.c. Not here: XSA-38, which is about ring
 * pages; XSA-206, in test-ratelimit.c; 175, 178, 349 and 354, which are not
 * about xenstored.
 */
#include "guests.h"

static void test_xsa_72_a_directory_too_long_for_a_reply(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	char path[128];

	for (int i = 0; i < 50; i++) {
		snprintf(path, sizeof(path), "/local/domain/5/%0100d", i);
		ok(peer_mkdir(h->dom0, 0, path));
	}
	fails(E2BIG, peer_directory(five, 0, "/local/domain/5", NULL));
	ok(peer_read(five, 0, "/local/domain/5", NULL));
	ok(peer_ask(five, XS_DIRECTORY_PART, 0, "/local/domain/5 0", NULL));
}

static void test_xsa_115_watches_reveal_nothing(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	watch(five, "/", "root");
	watch(five, "/local/domain/6", "six");
	watch(five, "@introduceDomain", "i");
	guest(h, 6);
	ok(peer_write(h->dom0, 0, "/local/domain/6/secret", ""));
	ok(peer_rm(h->dom0, 0, "/local/domain/6"));
	no_event(five);
	fails(EACCES, peer_ask(five, XS_IS_DOMAIN_INTRODUCED, 0, "6", NULL));
}

static void test_xsa_115_watches_ignore_transactions(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	uint32_t tx;

	ok(peer_start(five, &tx));
	ok(peer_ask(five, XS_WATCH, tx, "x t", NULL));
	ok(peer_ask(five, XS_WATCH, 4711, "x u", NULL));
	peer_forget_events(five);
	ok(peer_write(five, tx, "x", ""));
	no_event(five);
	ok(peer_end(five, tx, true));
	event_is(five, "x t");
	event_is(five, "x u");
	ok(peer_ask(five, XS_UNWATCH, 4711, "x t", NULL));
}

static void test_xsa_115_children_of_an_overfull_parent_can_be_removed(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	ok(peer_write(five, 0, "child/x", ""));
	set_quota(h, 5, "node-size", 1);
	set_quota(h, 5, "nodes", 1);
	ok(peer_rm(five, 0, "child"));
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 1);
}

static void test_xsa_233_a_domain_and_its_target_die_together(void **state)
{
	struct harness *h = *state;

	for (int order = 0; order < 2; order++) {
		struct peer *five = guest(h, 5), *nine = guest(h, 9);

		ok(set_target(h, order ? "9 5" : "5 9"));
		watch(h->dom0, "@releaseDomain", "r");
		peer_send(five, XS_READ, 0, "x", 2);
		peer_send(nine, XS_READ, 0, "x", 2);
		harness_destroy_silently(h, 5);
		harness_destroy_silently(h, 9);
		harness_tell(h);
		assert_true(five->closed && nine->closed);
		event_is(h->dom0, "@releaseDomain r");
		event_is(h->dom0, "@releaseDomain r");
		no_event(h->dom0);
		ok(peer_unwatch(h->dom0, "@releaseDomain", "r"));
	}
}

static void test_xsa_272_every_created_node_counts(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	int made = 0;

	set_quota(h, 5, "nodes", 50);
	for (int i = 0; i < 100; i++) {
		char path[32];

		snprintf(path, sizeof(path), i & 1 ? "%d" : "%d/below/it", i);
		made += !peer_mkdir(five, 0, path);
	}
	assert_true(made < 50);
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 50);
}

static void test_xsa_322_a_reused_domid_inherits_nothing(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	node(h, "/acl", "n0 b5");
	ok(peer_set_perms(h->dom0, 0, "@introduceDomain", "n0 b5"));
	ok(peer_write(five, 0, "/acl/own", "secret"));
	harness_destroy(h, 5);
	five = harness_guest(h, 5);
	fails(EACCES, peer_read(five, 0, "/acl", NULL));
	fails(EACCES, peer_write(five, 0, "/acl/new", ""));
	fails(EACCES, peer_read(five, 0, "/acl/own", NULL));
	fails(EACCES, peer_get_perms(five, 0, "@introduceDomain", NULL));
	fails(EACCES, peer_write(five, 0, "x", ""));
	assert_false(exists(h, "/acl/own"));
}

static void test_xsa_323_the_longest_relative_path(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	char path[2100], whole[2200];
	struct answer answer;

	set_quota(h, 5, "node-size", 0);
	memset(path, 'x', sizeof(path));
	path[2048] = 0;
	ok(peer_write(five, 0, path, "value"));
	snprintf(whole, sizeof(whole), "/local/domain/5/%s", path);
	ok(peer_read(five, 0, whole, &answer));
	assert_string_equal(answer.payload, "value");
	ok(peer_read(h->dom0, 0, whole, &answer));
	ok(peer_rm(five, 0, whole));
	path[2048] = 'x';
	path[2049] = 0;
	fails(EINVAL, peer_write(five, 0, path, "value"));
}

static void test_xsa_324_an_event_too_large_for_a_message(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	char payload[4096];

	memset(payload, 't', sizeof(payload));
	memcpy(payload, "x", 2);
	payload[sizeof(payload) - 1] = 0;
	ok(peer_request(five, XS_WATCH, 0, payload, sizeof(payload), NULL));
	assert_true(strlen(peer_event(five)) > 4000);
	ok(peer_write(five, 0, "x/y", ""));
	no_event(five);
	ok(peer_watch(five, "x", "short"));
	event_is(five, "x short");
	ok(peer_write(five, 0, "x/y", ""));
	event_is(five, "x/y short");
}

static void test_xsa_325_the_end_of_a_misbehaving_guest_is_told_when_it_comes(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	struct wire_header bad = {.type = XS_READ, .len = 5000};

	guest(h, 9);
	ok(set_target(h, "9 5"));
	watch(h->dom0, "@releaseDomain", "r");
	peer_push(five, &bad, sizeof(bad));
	harness_run(h);
	assert_int_equal(five->failed, TRANSPORT_PROTO);
	no_event(h->dom0);
	is_introduced(h, "5", "T");
	assert_true(exists(h, "/local/domain/5"));
	harness_destroy(h, 5);
	event_is(h->dom0, "@releaseDomain r");
	no_event(h->dom0);
}

static void test_xsa_326_42311_events_for_a_guest_that_does_not_read(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5), *six = guest(h, 6);
	unsigned int base = quota_now(h, 5, "memory", NULL);

	node(h, "/x", "r0");
	watch(five, "/x", "w");
	five->take_max = 0;
	for (int i = 0; i < 300; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/x/%d", i);
		ok(peer_write(h->dom0, 0, path, ""));
		ok(peer_read(six, 0, "/x", NULL));
	}
	assert_true(quota_now(h, 5, "memory", NULL) > base + 300 * 20);
	h->now += 20000;
	harness_run_untold(h);
	assert_int_equal(quota_now(h, 5, "memory", NULL), base + 3);
}

static void test_xsa_326_42312_requests_of_a_guest_that_does_not_read(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	char path[32];

	five->take_max = 0;
	for (int i = 0; i < 100; i++) {
		int len = snprintf(path, sizeof(path), "n%d", i);

		peer_send(five, XS_MKDIR, 0, path, (size_t)len + 1);
	}
	harness_run(h);
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 21);
}

static void test_xsa_326_42314_nodes_touched_in_a_transaction(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	char path[64];
	uint32_t tx;

	ok(peer_start(five, &tx));
	for (int i = 0; i < 1024; i++) {
		snprintf(path, sizeof(path), "/local/domain/5/%d", i);
		ok(peer_mkdir(h->dom0, 0, path));
	}
	ok(peer_end(five, tx, false));
	ok(peer_start(five, &tx));
	for (int i = 0; i < 1024; i++) {
		snprintf(path, sizeof(path), "%d", i);
		ok(peer_read(five, tx, path, NULL));
	}
	fails(ENOSPC, peer_read(five, tx, "/local/domain/5", NULL));
	fails(ENOMEM, peer_end(five, tx, true));
}

static void test_xsa_326_42315_memory_of_a_guest(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	char token[3000];
	int made = 0;

	set_quota(h, 5, "watches", 0);
	for (int i = 0; i < 2000; i++) {
		snprintf(token, sizeof(token), "%02999d", i);
		made += !peer_watch(five, "x", token);
		peer_forget_events(five);
	}
	assert_in_range(made, 2621440 / 3100, 2621440 / 2999);
}

static void test_xsa_326_42313_nodes_made_before_the_introduction_count(void **state)
{
	struct harness *h = *state;
	struct peer *five;

	harness_create(h, 5);
	node(h, "/local/domain/5", "n5");
	ok(peer_write(h->dom0, 0, "/local/domain/5/a/b", ""));
	five = harness_guest(h, 5);
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 3);
	ok(peer_rm(five, 0, "a"));
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 1);
}

static void test_xsa_330_watches_come_and_go(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	size_t bytes = 0;

	for (int i = 0; i < 300; i++) {
		for (int k = 0; k < 20; k++) {
			char path[32];

			snprintf(path, sizeof(path), "%d/%d", i, k);
			ok(peer_watch(five, path, "t"));
		}
		peer_forget_events(five);
		ok(peer_request(five, XS_RESET_WATCHES, 0, "", 1, NULL));
		if (i == 0)
			bytes = h->core->watches.bytes;
	}
	assert_int_equal(h->core->watches.bytes, bytes);
	assert_int_equal(quota_now(h, 5, "watches", NULL), 0);
}

static void test_xsa_352_nodes_cannot_be_given_to_others(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	guest(h, 6);
	ok(peer_write(five, 0, "x", ""));
	fails(EPERM, peer_set_perms(five, 0, "x", "n6"));
	fails(EPERM, peer_set_perms(five, 0, "x", "n0"));
	fails(EPERM, peer_set_perms(five, 0, "x", "n32757"));
	perms_are(five, 0, "x", "n5");
}

static void test_xsa_353_the_root_is_checked(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	fails(EACCES, peer_set_perms(five, 0, "/", "n5"));
	fails(EACCES, peer_rm(five, 0, "/"));
	fails(EACCES, peer_directory(five, 0, "/", NULL));
	fails(EACCES, peer_get_perms(five, 0, "/", NULL));
	fails(EACCES, peer_write(five, 0, "/", ""));
	fails(EACCES, peer_read(five, 0, "/", NULL));
	fails(EACCES, peer_mkdir(five, 0, "/"));
	fails(EINVAL, peer_rm(h->dom0, 0, "/"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_xsa_72_a_directory_too_long_for_a_reply),
		world_test(test_xsa_115_watches_reveal_nothing),
		world_test(test_xsa_115_watches_ignore_transactions),
		world_test(test_xsa_115_children_of_an_overfull_parent_can_be_removed),
		world_test(test_xsa_233_a_domain_and_its_target_die_together),
		world_test(test_xsa_272_every_created_node_counts),
		world_test(test_xsa_322_a_reused_domid_inherits_nothing),
		world_test(test_xsa_323_the_longest_relative_path),
		world_test(test_xsa_324_an_event_too_large_for_a_message),
		world_test(test_xsa_325_the_end_of_a_misbehaving_guest_is_told_when_it_comes),
		world_test(test_xsa_326_42311_events_for_a_guest_that_does_not_read),
		world_test(test_xsa_326_42312_requests_of_a_guest_that_does_not_read),
		world_test(test_xsa_326_42314_nodes_touched_in_a_transaction),
		world_test(test_xsa_326_42315_memory_of_a_guest),
		world_test(test_xsa_326_42313_nodes_made_before_the_introduction_count),
		world_test(test_xsa_330_watches_come_and_go),
		world_test(test_xsa_352_nodes_cannot_be_given_to_others),
		world_test(test_xsa_353_the_root_is_checked),
	};

	return run_group(tests);
}
