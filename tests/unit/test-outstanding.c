/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Outstanding requests: a guest is not read any more while too many of its
 * requests have consequences that nobody has taken (spec: quotas.md section 3).
 */
#include "guests.h"

/* Put @count WRITEs of /x/<first>... into the ring. */
static void send_writes(struct peer *peer, int first, int count)
{
	char payload[32];

	for (int i = first; i < first + count; i++) {
		int len = snprintf(payload, sizeof(payload), "/x/%d", i);

		peer_send(peer, XS_WRITE, 0, payload, (size_t)len + 1);
	}
}

/* How many of /x/<first>... exist. */
static int written(struct harness *h, int first, int count)
{
	int found = 0;

	for (int i = first; i < first + count; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/x/%d", i);
		found += exists(h, path);
	}
	return found;
}

static void forget_replies(struct peer *peer)
{
	struct answer answer;

	while (peer_receive(peer, &answer))
		;
}

/* A writer of /x and someone who watches it. */
static struct peer *writer(struct harness *h)
{
	struct peer *five = guest(h, 5);

	if (!h->domain[6].state)
		harness_create(h, 6);
	node(h, "/x", "n0 b5 r6");
	return five;
}

static void test_replies_that_are_not_taken(void **state)
{
	struct harness *h = *state;
	struct peer *five = writer(h);

	five->take_max = 0;
	send_writes(five, 0, 50);
	harness_run(h);
	assert_int_equal(written(h, 0, 50), 20);
	assert_int_equal(quota_now(h, 5, "outstanding", NULL), 20);
	/* It goes on by itself, as far as there is room. */
	five->take_max = 19 * 7;
	harness_run(h);
	assert_int_equal(written(h, 0, 50), 27);
	five->take_max = SIZE_MAX;
	harness_run(h);
	assert_int_equal(written(h, 0, 50), 50);
	assert_int_equal(quota_now(h, 5, "outstanding", NULL), 0);
}

static void test_the_quota_can_be_changed(void **state)
{
	struct harness *h = *state;
	struct peer *five = writer(h);

	set_quota(h, 5, "outstanding", 1);
	five->take_max = 0;
	send_writes(five, 0, 50);
	harness_run(h);
	assert_int_equal(written(h, 0, 50), 1);
	peer_send(h->dom0, XS_SET_QUOTA, 0, "5\0outstanding\0003", 16);
	core_ready(h->core, h->dom0->client, true, true, false);
	harness_run_untold(h);
	answered(h->dom0);
	assert_int_equal(written(h, 0, 50), 3);
	set_quota(h, 5, "outstanding", 0);
	assert_int_equal(written(h, 0, 50), 50);
}

static void test_events_in_anothers_queue_hold_the_writer_up(void **state)
{
	struct harness *h = *state;
	struct peer *five = writer(h), *six = guest(h, 6);

	watch(six, "/x", "w");
	six->take_max = 0;
	send_writes(five, 0, 50);
	harness_run(h);
	/* Its own replies are out. */
	assert_int_equal(quota_now(h, 5, "outstanding", NULL), 20);
	assert_int_equal(written(h, 0, 50), 20);
	assert_int_equal(quota_now(h, 6, "outstanding", NULL), 0);
	/* The reader is not held up by what others do to it. */
	six->take_max = SIZE_MAX;
	harness_run(h);
	assert_int_equal(written(h, 0, 50), 50);
	assert_int_equal(quota_now(h, 5, "outstanding", NULL), 0);
}

static void test_a_request_counts_once_however_many_are_told(void **state)
{
	struct harness *h = *state;
	struct peer *five = writer(h), *six = guest(h, 6);

	for (int i = 0; i < 30; i++) {
		char token[16];

		snprintf(token, sizeof(token), "%d", i);
		ok(peer_watch(six, "/x", token));
	}
	six->take_max = 0;
	peer_forget_events(six);
	send_writes(five, 0, 3);
	harness_run(h);
	assert_int_equal(quota_now(h, 5, "outstanding", NULL), 3);
	six->take_max = SIZE_MAX;
	harness_run(h);
	assert_int_equal(quota_now(h, 5, "outstanding", NULL), 0);
}

static void test_a_duplicate_is_nobodys_burden(void **state)
{
	struct harness *h = *state;
	struct peer *five = writer(h), *six = guest(h, 6);

	watch(six, "/x", "w");
	six->take_max = 0;
	for (int i = 0; i < 50; i++)
		ok(peer_write(five, 0, "/x/same", "v"));
	assert_int_equal(quota_now(h, 5, "outstanding", NULL), 1);
	six->take_max = SIZE_MAX;
	harness_run(h);
	event_is(six, "/x/same w");
	no_event(six);
}

static void test_a_watchers_end_sets_the_writer_free(void **state)
{
	struct harness *h = *state;

	for (int way = 0; way < 3; way++) {
		struct peer *five = writer(h), *six = guest(h, 6);

		watch(six, "/x", "w");
		six->take_max = 0;
		send_writes(five, way * 100, 50);
		harness_run(h);
		assert_int_equal(written(h, way * 100, 50), 20);
		if (way == 0) {
			ok(introduce(h, 6));
		} else if (way == 1) {
			h->domain[6].state = 0;
			h->domain[6].changed = true;
			core_domains_changed(h->core);
			harness_run_untold(h);
		} else {
			struct wire_header bad = {.type = XS_READ, .len = 4097};

			peer_push(six, &bad, sizeof(bad));
			core_ready(h->core, six->client, true, false, false);
			harness_run_untold(h);
			assert_int_equal(six->failed, TRANSPORT_PROTO);
		}
		harness_run_untold(h);
		assert_int_equal(written(h, way * 100, 50), 50);
		forget_replies(five);
		if (h->domain[6].state)
			six->take_max = SIZE_MAX;
	}
}

static void test_the_writers_end_while_its_events_wait(void **state)
{
	struct harness *h = *state;
	struct peer *five = writer(h), *six = guest(h, 6);

	watch(six, "/x", "w");
	six->take_max = 0;
	send_writes(five, 0, 20);
	harness_run(h);
	harness_destroy(h, 5);
	/* Its successor starts afresh, and is not credited with what was not its doing. */
	five = writer(h);
	send_writes(five, 100, 5);
	harness_run(h);
	assert_int_equal(quota_now(h, 5, "outstanding", NULL), 5);
	six->take_max = SIZE_MAX;
	harness_run(h);
	assert_int_equal(quota_now(h, 5, "outstanding", NULL), 0);
	event_is(six, "/x/0 w");
}

static void test_privileged_causes_are_not_counted(void **state)
{
	struct harness *h = *state;
	struct peer *six, *zero = harness_guest(h, 0);

	writer(h);
	six = guest(h, 6);
	watch(six, "/x", "w");
	six->take_max = 0;
	send_writes(zero, 0, 50);
	harness_run(h);
	assert_int_equal(written(h, 0, 50), 50);
	assert_int_equal(quota_now(h, 6, "outstanding", NULL), 0);
}

static void test_d28_expiry_wakes_a_writer_that_was_held_up(void **state)
{
	struct harness *h = *state;
	struct peer *five = writer(h), *six = guest(h, 6);

	watch(six, "/x", "w");
	six->take_max = 0;
	send_writes(five, 0, 30);
	harness_run(h);
	assert_int_equal(written(h, 0, 30), 20);
	h->now += 19999;
	harness_run_untold(h);
	assert_int_equal(written(h, 0, 30), 20);
	h->now += 1;
	harness_run_untold(h);
	assert_int_equal(written(h, 0, 30), 30);
}

static void test_d28_the_loop_knows_when_to_look_again(void **state)
{
	struct harness *h = *state;
	struct peer *five = writer(h), *six = guest(h, 6);

	watch(six, "/x", "w");
	six->take_max = 0;
	send_writes(five, 0, 30);
	harness_run(h);
	h->now += 5000;
	assert_int_equal(core_turn(h->core), 15000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_replies_that_are_not_taken),
		world_test(test_the_quota_can_be_changed),
		world_test(test_events_in_anothers_queue_hold_the_writer_up),
		world_test(test_a_request_counts_once_however_many_are_told),
		world_test(test_a_duplicate_is_nobodys_burden),
		world_test(test_a_watchers_end_sets_the_writer_free),
		world_test(test_the_writers_end_while_its_events_wait),
		world_test(test_privileged_causes_are_not_counted),
		world_test(test_d28_expiry_wakes_a_writer_that_was_held_up),
		world_test(test_d28_the_loop_knows_when_to_look_again),
	};

	return run_group(tests);
}
