/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Introduction, a second introduction, RELEASE and RESUME (spec: protocol.md
 * section 8, rings-and-domains.md section 4).
 */
#include "guests.h"

/* Watches of dom0 that see each form of both special events. */
static void watch_all_forms(struct peer *peer)
{
	watch(peer, "@introduceDomain", "i");
	watch(peer, "@releaseDomain", "r");
	watch_depth(peer, "@introduceDomain", "i1", 1);
	watch_depth(peer, "@releaseDomain", "r1", 1);
	watch_depth(peer, "@introduceDomain", "i0", 0);
	watch_depth(peer, "@releaseDomain", "r0", 0);
	watch(peer, "@introduceDomain/5", "i5");
	watch(peer, "@releaseDomain/5", "r5");
	watch(peer, "@releaseDomain/55", "r55");
}

static void introduction_is_told(struct peer *peer)
{
	event_is(peer, "@introduceDomain i");
	event_is(peer, "@introduceDomain/5 i1");
	event_is(peer, "@introduceDomain/5 i5");
	no_event(peer);
}

static void end_is_told(struct peer *peer)
{
	event_is(peer, "@releaseDomain r");
	event_is(peer, "@releaseDomain/5 r1");
	event_is(peer, "@releaseDomain/5 r5");
	no_event(peer);
}

static void test_an_introduced_guest_is_served(void **state)
{
	struct harness *h = *state;
	struct peer *five;

	watch_all_forms(h->dom0);
	is_introduced(h, "5", "F");
	five = harness_guest(h, 5);
	assert_non_null(five);
	introduction_is_told(h->dom0);
	is_introduced(h, "5", "T");
	assert_int_equal(five->features, 14);
	assert_int_equal(five->port, 105);
	ok(peer_ask(five, XS_GET_DOMAIN_PATH, 0, "5", NULL));
}

static void test_the_introduction_of_the_privileged_domain_is_not_told(void **state)
{
	struct harness *h = *state;

	watch_all_forms(h->dom0);
	assert_non_null(harness_guest(h, 0));
	no_event(h->dom0);
	is_introduced(h, "0", "T");
	is_introduced(h, "32752", "T");
}

static void test_what_was_in_the_ring_before_is_thrown_away(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	assert_int_equal(five->resets, 1);
	peer_send(five, XS_WRITE, 0, "x\0old", 5);
	peer_send(h->dom0, XS_INTRODUCE, 0, "5\0001\000105", 8);
	core_ready(h->core, h->dom0->client, true, true, false);
	harness_run_untold(h);
	answered(h->dom0);
	assert_int_equal(five->resets, 2);
	harness_run(h);
	assert_false(exists(h, "/local/domain/5/x"));
	no_answer(five);
	ok(peer_write(five, 0, "x", "new"));
}

static void test_a_failed_introduction_leaves_nothing(void **state)
{
	struct harness *h = *state;
	struct peer *five;

	watch_all_forms(h->dom0);
	fails(ENOENT, introduce(h, 5));
	harness_create(h, 5);
	h->domain[5].connect_error = EBUSY;
	fails(EBUSY, introduce(h, 5));
	is_introduced(h, "5", "F");
	fails(ENOENT, peer_ask(h->dom0, XS_CONTROL, 0, "quota 5", NULL));
	no_event(h->dom0);
	/* It can be tried again, and its end is nobody's business. */
	harness_tell(h);
	no_event(h->dom0);
	h->domain[5].connect_error = 0;
	five = harness_guest(h, 5);
	assert_non_null(five);
	introduction_is_told(h->dom0);
}

static void test_a_failed_introduction_keeps_what_was_prepared(void **state)
{
	struct harness *h = *state;
	struct peer *five;

	harness_create(h, 5);
	node(h, "/local/domain/5", "n5");
	set_quota(h, 5, "watches", 3);
	h->domain[5].connect_error = EINVAL;
	fails(EINVAL, introduce(h, 5));
	assert_true(exists(h, "/local/domain/5"));
	h->domain[5].connect_error = 0;
	five = harness_guest(h, 5);
	ok(peer_write(five, 0, "x", ""));
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 2);
}

static void test_arguments(void **state)
{
	struct harness *h = *state;

	harness_create(h, 5);
	fails(EINVAL, peer_ask(h->dom0, XS_INTRODUCE, 0, "5 1", NULL));
	fails(EINVAL, peer_ask(h->dom0, XS_INTRODUCE, 0, "5 1 0", NULL));
	fails(EINVAL, peer_ask(h->dom0, XS_INTRODUCE, 0, "5 1 none", NULL));
	fails(EINVAL, peer_ask(h->dom0, XS_INTRODUCE, 0, "70000 1 9", NULL));
	fails(EINVAL, peer_ask(h->dom0, XS_INTRODUCE, 0, "5x 1 9", NULL));
	is_introduced(h, "5", "F");
	ok(peer_ask(h->dom0, XS_INTRODUCE, 0, "5 whatever 9 more", NULL));
	assert_int_equal(harness_find_guest(h, 5)->port, 9);
}

static void test_again(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	uint32_t tx;

	watch_all_forms(h->dom0);
	watch(five, "x", "w");
	ok(peer_start(five, &tx));
	ok(peer_write(five, tx, "in-tx", ""));
	five->take_max = 0;
	peer_send(five, XS_READ, 0, "x", 2);
	harness_run(h);
	ok(peer_ask(h->dom0, XS_INTRODUCE, 0, "5 1 77", NULL));
	assert_int_equal(five->port, 77);
	assert_int_equal(five->resets, 2);
	no_event(h->dom0);
	/* Watches, transactions and queued output are gone, nodes and record stay. */
	five->take_max = SIZE_MAX;
	ok(peer_write(h->dom0, 0, "/local/domain/5/x", ""));
	no_answer(five);
	fails(ENOENT, peer_end(five, tx, true));
	assert_int_equal(quota_now(h, 5, "watches", NULL), 0);
	assert_int_equal(quota_now(h, 5, "transactions", NULL), 0);
	assert_int_equal(quota_now(h, 5, "outstanding", NULL), 0);
	ok(peer_start(five, &tx));
	ok(peer_watch(five, "x", "w"));
}

static void test_again_with_half_a_message_sent(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	struct wire_header header = {.type = XS_WRITE, .len = 4000};

	/* A part of the header; the header; a part of the payload. */
	for (size_t len = 1; len < 2000; len = len * 2 + 1) {
		char bytes[2048] = {0};

		memcpy(bytes, &header, sizeof(header));
		peer_push(five, bytes, len);
		harness_run(h);
		ok(introduce(h, 5));
		ok(peer_write(five, 0, "x", "whole"));
		value_is(five, 0, "x", "whole");
	}
}

static void test_a_request_right_after_an_introduction_is_not_lost(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	/* One turn in which dom0 is served; the guest begins before it has its own. */
	peer_send(h->dom0, XS_INTRODUCE, 0, "5\0001\000105", 8);
	core_ready(h->core, h->dom0->client, true, true, false);
	core_turn(h->core);
	answered(h->dom0);
	ok(peer_write(five, 0, "x", "first"));
	value_is(five, 0, "x", "first");
}

static void test_again_when_the_port_cannot_be_bound(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	watch(five, "x", "w");
	h->domain[5].bind_error = EBUSY;
	fails(EBUSY, introduce(h, 5));
	/* Nothing has changed. */
	assert_int_equal(five->port, 105);
	is_introduced(h, "5", "T");
	ok(peer_write(five, 0, "x", ""));
	event_is(five, "x w");
}

static void test_again_by_the_domain_itself(void **state)
{
	struct harness *h = *state;
	struct peer *zero = harness_guest(h, 0);
	struct answer answer;
	uint32_t tx;

	assert_non_null(zero);
	watch(zero, "/x", "w");
	ok(peer_start(zero, &tx));
	/* In its transaction, with more requests and half of one behind it. */
	peer_send(zero, XS_INTRODUCE, tx, "0\0001\0009", 6);
	peer_send(zero, XS_WRITE, 0, "/lost\0", 6);
	peer_push(zero, "half", 4);
	harness_run(h);
	assert_int_equal(zero->resets, 2);
	assert_true(peer_receive(zero, &answer));
	assert_int_equal(answer.header.type, XS_INTRODUCE);
	assert_string_equal(answer.payload, "OK");
	no_answer(zero);
	assert_false(exists(h, "/lost"));
	ok(peer_write(zero, 0, "/x", "1"));
	no_event(zero);
	fails(ENOENT, peer_end(zero, tx, true));
}

static void test_again_revives_an_ignored_guest(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	struct wire_header bad = {.type = XS_READ, .len = 4097};

	watch_all_forms(h->dom0);
	watch(five, "x", "w");
	peer_push(five, &bad, sizeof(bad));
	harness_run(h);
	assert_int_equal(five->failed, TRANSPORT_PROTO);
	no_answer(five);
	is_introduced(h, "5", "T");
	no_event(h->dom0);
	assert_int_equal(quota_now(h, 5, "watches", NULL), 0);
	peer_send(five, XS_READ, 0, "x", 2);
	harness_run(h);
	no_answer(five);
	ok(introduce(h, 5));
	assert_int_equal(five->failed, 0);
	ok(peer_write(five, 0, "x", ""));
	no_event(five);
}

static void test_release(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	ok(peer_write(five, 0, "x/y", ""));
	node(h, "/x", "n0 r5");
	watch_all_forms(h->dom0);
	watch(h->dom0, "/local", "l");
	ok(release(h, "5"));
	event_is(h->dom0, "/local/domain/5 l");
	end_is_told(h->dom0);
	assert_true(five->closed);
	is_introduced(h, "5", "F");
	assert_false(exists(h, "/local/domain/5"));
	assert_true(exists(h, "/local/domain"));
	perms_are(h->dom0, 0, "/x", "n0");
	fails(ENOENT, release(h, "5"));
	no_event(h->dom0);
	/* Its death afterwards is nobody's business; until then it can be introduced again. */
	assert_non_null(harness_guest(h, 5));
	introduction_is_told(h->dom0);
	harness_destroy(h, 5);
	end_is_told(h->dom0);
}

static void test_events_come_before_the_answer_to_release(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	struct answer answer;

	ok(peer_write(five, 0, "x", ""));
	watch(h->dom0, "@releaseDomain", "r");
	watch(h->dom0, "/local/domain/5/x", "x");
	peer_send(h->dom0, XS_RELEASE, 0, "5", 2);
	harness_run(h);
	assert_true(peer_receive(h->dom0, &answer));
	assert_string_equal(answer.payload, "/local/domain/5/x");
	assert_true(peer_receive(h->dom0, &answer));
	assert_string_equal(answer.payload, "@releaseDomain");
	answered(h->dom0);
}

static void test_release_errors(void **state)
{
	struct harness *h = *state;

	fails(EINVAL, release(h, "0"));
	fails(EINVAL, release(h, "x"));
	fails(EINVAL, release(h, "5 6"));
	fails(ENOENT, release(h, "5"));
	fails(ENOENT, release(h, "32752"));
	harness_create(h, 5);
	node(h, "/x", "n5");
	fails(ENOENT, release(h, "5"));
	assert_true(exists(h, "/x"));
}

static void test_release_of_a_large_domain_is_complete_when_answered(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5), *six = guest(h, 6);
	char path[64];

	set_quota(h, 5, "nodes", 0);
	set_quota(h, 5, "memory", 0);
	set_quota(h, 5, "node-size", 0);
	node(h, "/x", "n0 w5");
	for (int i = 0; i < 600; i++) {
		snprintf(path, sizeof(path), "/x/%d", i);
		ok(peer_write(five, 0, path, "v"));
	}
	watch_all_forms(h->dom0);
	ok(release(h, "5"));
	end_is_told(h->dom0);
	for (int i = 0; i < 600; i++) {
		snprintf(path, sizeof(path), "/x/%d", i);
		assert_false(exists(h, path));
	}
	ok(peer_write(six, 0, "x", ""));
}

static void test_an_interrupted_release_does_not_answer_a_later_one(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5), *zero = harness_guest(h, 0);
	char path[64];

	set_quota(h, 5, "nodes", 0);
	set_quota(h, 5, "memory", 0);
	set_quota(h, 5, "node-size", 0);
	node(h, "/x", "n0 w5");
	for (int i = 0; i < 600; i++) {
		snprintf(path, sizeof(path), "/x/%d", i);
		ok(peer_write(five, 0, path, "v"));
	}
	peer_send(zero, XS_RELEASE, 0, "5", 2);
	core_ready(h->core, zero->client, true, true, false);
	core_turn(h->core);
	no_answer(zero);
	ok(introduce(h, 0));
	is_introduced(h, "5", "F");
	assert_non_null(harness_guest(h, 5));
	ok(peer_ask(zero, XS_RELEASE, 0, "5", NULL));
	is_introduced(h, "5", "F");
}

static void test_resume(void **state)
{
	struct harness *h = *state;

	guest(h, 5);
	watch_all_forms(h->dom0);
	harness_shutdown(h, 5);
	/* First the domain's own form, the bare one at the end of the batch. */
	event_is(h->dom0, "@releaseDomain/5 r1");
	event_is(h->dom0, "@releaseDomain/5 r5");
	event_is(h->dom0, "@releaseDomain r");
	no_event(h->dom0);
	/* Told once. */
	harness_shutdown(h, 5);
	no_event(h->dom0);
	is_introduced(h, "5", "T");
	ok(peer_ask(h->dom0, XS_RESUME, 0, "5", NULL));
	no_event(h->dom0);
	h->domain[5].state = DOMSTATE_EXIST;
	harness_tell(h);
	no_event(h->dom0);
	harness_shutdown(h, 5);
	event_is(h->dom0, "@releaseDomain/5 r1");
	event_is(h->dom0, "@releaseDomain/5 r5");
	event_is(h->dom0, "@releaseDomain r");
	no_event(h->dom0);
	fails(EINVAL, peer_ask(h->dom0, XS_RESUME, 0, "0", NULL));
	fails(ENOENT, peer_ask(h->dom0, XS_RESUME, 0, "6", NULL));
	fails(EINVAL, peer_ask(h->dom0, XS_RESUME, 0, "", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_an_introduced_guest_is_served),
		world_test(test_the_introduction_of_the_privileged_domain_is_not_told),
		world_test(test_what_was_in_the_ring_before_is_thrown_away),
		world_test(test_a_failed_introduction_leaves_nothing),
		world_test(test_a_failed_introduction_keeps_what_was_prepared),
		world_test(test_arguments),
		world_test(test_again),
		world_test(test_again_with_half_a_message_sent),
		world_test(test_a_request_right_after_an_introduction_is_not_lost),
		world_test(test_again_when_the_port_cannot_be_bound),
		world_test(test_again_by_the_domain_itself),
		world_test(test_again_revives_an_ignored_guest),
		world_test(test_release),
		world_test(test_events_come_before_the_answer_to_release),
		world_test(test_release_errors),
		world_test(test_release_of_a_large_domain_is_complete_when_answered),
		world_test(test_an_interrupted_release_does_not_answer_a_later_one),
		world_test(test_resume),
	};

	return run_group(tests);
}
