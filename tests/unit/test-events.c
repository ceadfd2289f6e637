/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watch events for guests: who may see which, and what becomes of those that
 * nobody takes (spec: protocol.md section 10).
 */
#include "guests.h"

/* Guest 6, and /p with a child whose permissions are as given; it watches the child as "w". */
static struct peer *watcher(struct harness *h, const char *parent, const char *child)
{
	struct peer *six = guest(h, 6);

	node(h, "/p", parent);
	node(h, "/p/x", child);
	watch(six, "/p/x", "w");
	return six;
}

static void test_a_reader_of_the_node_is_told(void **state)
{
	struct harness *h = *state;
	struct peer *six = watcher(h, "n0", "n0 r6");

	ok(peer_write(h->dom0, 0, "/p/x", "1"));
	event_is(six, "/p/x w");
	ok(peer_rm(h->dom0, 0, "/p/x"));
	event_is(six, "/p/x w");
	ok(peer_mkdir(h->dom0, 0, "/p/x"));
	no_event(six);
}

static void test_a_reader_of_the_parent_is_told(void **state)
{
	struct harness *h = *state;
	struct peer *six = watcher(h, "n0 r6", "n0");

	ok(peer_write(h->dom0, 0, "/p/x", "1"));
	event_is(six, "/p/x w");
	ok(peer_set_perms(h->dom0, 0, "/p/x", "n0 w6"));
	event_is(six, "/p/x w");
	ok(peer_rm(h->dom0, 0, "/p/x"));
	event_is(six, "/p/x w");
}

static void test_who_sees_neither_is_not_told(void **state)
{
	struct harness *h = *state;
	struct peer *six = watcher(h, "n0 w6", "w0 n6");

	watch(six, "/", "root");
	ok(peer_write(h->dom0, 0, "/p/x", "1"));
	ok(peer_write(h->dom0, 0, "/p/x/below/it", ""));
	ok(peer_rm(h->dom0, 0, "/p"));
	no_event(six);
	/* Being told of what is below needs nothing of the watched node. */
	node(h, "/p", "n0");
	node(h, "/p/y", "n0 r6");
	peer_forget_events(six);
	ok(peer_write(h->dom0, 0, "/p/y", ""));
	event_is(six, "/p/y root");
}

static void test_losing_and_getting_permission_are_told(void **state)
{
	struct harness *h = *state;
	struct peer *six = watcher(h, "n0", "n0 r6");

	ok(peer_set_perms(h->dom0, 0, "/p/x", "n0"));
	event_is(six, "/p/x w");
	ok(peer_write(h->dom0, 0, "/p/x", ""));
	ok(peer_set_perms(h->dom0, 0, "/p/x", "n0 w6"));
	no_event(six);
	ok(peer_set_perms(h->dom0, 0, "/p/x", "r0"));
	event_is(six, "/p/x w");
}

static void test_removed_nodes_below(void **state)
{
	struct harness *h = *state;
	struct peer *six = guest(h, 6);

	node(h, "/p", "n0");
	node(h, "/p/open", "n0 r6");
	node(h, "/p/closed", "n0");
	node(h, "/p/open/child", "n0");
	watch(six, "/p/open/child", "child");
	watch(six, "/p/closed", "closed");
	watch(six, "/p/open", "open");
	watch(six, "/p/open/none", "none");
	watch(six, "/p", "top");
	ok(peer_rm(h->dom0, 0, "/p"));
	event_is(six, "/p/open/child child");
	event_is(six, "/p/open open");
	no_event(six);
}

static void test_special_nodes(void **state)
{
	struct harness *h = *state;
	struct peer *six = guest(h, 6);

	watch(six, "@introduceDomain", "i");
	watch(six, "@releaseDomain", "r");
	guest(h, 5);
	no_event(six);
	harness_destroy(h, 5);
	event_is(six, "@releaseDomain r");
	ok(peer_set_perms(h->dom0, 0, "@introduceDomain", "n0 r6"));
	event_is(six, "@introduceDomain i");
	guest(h, 5);
	event_is(six, "@introduceDomain i");
	ok(peer_set_perms(h->dom0, 0, "@introduceDomain", "n0"));
	event_is(six, "@introduceDomain i");
	ok(peer_set_perms(h->dom0, 0, "@releaseDomain", "n0"));
	event_is(six, "@releaseDomain r");
	harness_destroy(h, 5);
	no_event(six);
	/* Whoever reads the root sees what hangs beside it. */
	ok(peer_set_perms(h->dom0, 0, "/", "r0"));
	guest(h, 5);
	event_is(six, "@introduceDomain i");
	harness_destroy(h, 5);
	event_is(six, "@releaseDomain r");
	no_event(six);
}

static void test_in_a_transaction_the_permissions_before_count(void **state)
{
	struct harness *h = *state;
	struct peer *six = watcher(h, "n0", "n0 r6");
	uint32_t tx;

	ok(peer_start(h->dom0, &tx));
	ok(peer_write(h->dom0, tx, "/p/x", "secret"));
	ok(peer_set_perms(h->dom0, tx, "/p/x", "n0"));
	no_event(six);
	ok(peer_end(h->dom0, tx, true));
	event_is(six, "/p/x w");
	no_event(six);
	/* For every kind of change, a removal included. */
	ok(peer_set_perms(h->dom0, 0, "/p/x", "n0 r6"));
	event_is(six, "/p/x w");
	ok(peer_start(h->dom0, &tx));
	ok(peer_rm(h->dom0, tx, "/p/x"));
	ok(peer_end(h->dom0, tx, true));
	event_is(six, "/p/x w");
	no_event(six);
}

static void test_in_a_transaction_the_committed_permissions_count(void **state)
{
	struct harness *h = *state;
	struct peer *six = watcher(h, "n0", "n0");
	uint32_t tx;

	ok(peer_start(h->dom0, &tx));
	ok(peer_set_perms(h->dom0, tx, "/p/x", "n0 r6"));
	ok(peer_end(h->dom0, tx, true));
	event_is(six, "/p/x w");
	ok(peer_set_perms(h->dom0, 0, "/p/x", "n0"));
	peer_forget_events(six);
	ok(peer_set_perms(h->dom0, 0, "/p", "n0 r6"));
	ok(peer_start(h->dom0, &tx));
	ok(peer_write(h->dom0, tx, "/p/x", ""));
	ok(peer_end(h->dom0, tx, true));
	event_is(six, "/p/x w");
	no_event(six);
}

static void test_in_a_transaction_readers_of_the_parent_do_not_see_a_removal(void **state)
{
	struct harness *h = *state;
	struct peer *six = watcher(h, "n0 r6", "n0");
	uint32_t tx;

	ok(peer_start(h->dom0, &tx));
	ok(peer_rm(h->dom0, tx, "/p/x"));
	ok(peer_end(h->dom0, tx, true));
	no_event(six);
}

static void test_created_and_removed_in_a_transaction_is_told_to_nobody(void **state)
{
	struct harness *h = *state;
	struct peer *six = guest(h, 6);
	uint32_t tx;

	watch(six, "x", "w");
	watch(h->dom0, "/", "zero");
	ok(peer_start(six, &tx));
	ok(peer_write(six, tx, "x", ""));
	ok(peer_rm(six, tx, "x"));
	ok(peer_end(six, tx, true));
	no_event(six);
	no_event(h->dom0);
}

static void test_relative_watches_are_told_relative_paths(void **state)
{
	struct harness *h = *state;
	struct peer *six = guest(h, 6);

	watch(six, "data", "w");
	watch(six, "/local/domain/6/data", "abs");
	ok(peer_write(h->dom0, 0, "/local/domain/6/data/x", ""));
	event_is(six, "data/x w");
	event_is(six, "/local/domain/6/data/x abs");
	no_event(six);
	/* Both spellings are one watch. */
	fails(EEXIST, peer_watch(six, "/local/domain/6/data", "w"));
	ok(peer_unwatch(six, "/local/domain/6/data", "w"));
	fails(ENOENT, peer_unwatch(six, "data", "w"));
}

static void test_order_of_events_and_replies(void **state)
{
	struct harness *h = *state;
	struct peer *six = guest(h, 6);
	struct answer answer;

	peer_send(six, XS_WATCH, 0, "x\0t", 4);
	peer_send(six, XS_WRITE, 0, "x/y\0", 4);
	harness_run(h);
	answered(six);
	assert_true(peer_receive(six, &answer));
	assert_int_equal(answer.header.type, XS_WATCH_EVENT);
	assert_true(peer_receive(six, &answer));
	assert_int_equal(answer.header.type, XS_WATCH_EVENT);
	assert_int_equal(answer.header.req_id, 0);
	assert_int_equal(answer.header.tx_id, 0);
	answered(six);
	no_answer(six);
}

static void test_depth(void **state)
{
	struct harness *h = *state;
	struct peer *six = guest(h, 6), *seven;

	watch_depth(six, "a", "1", 1);
	watch_depth(six, "a", "0", 0);
	ok(peer_write(six, 0, "a", ""));
	event_is(six, "a 1");
	event_is(six, "a 0");
	ok(peer_write(six, 0, "a/b", ""));
	event_is(six, "a/b 1");
	ok(peer_write(six, 0, "a/b/c", ""));
	no_event(six);
	fails(EINVAL, peer_ask(six, XS_WATCH, 0, "a t -1", NULL));
	/* Without the feature a third argument is one too many. */
	harness_create(h, 7);
	ok(peer_ask(h->dom0, XS_SET_FEATURE, 0, "7 10", NULL));
	seven = guest(h, 7);
	assert_int_equal(seven->features, 10);
	fails(EINVAL, peer_ask(seven, XS_WATCH, 0, "a t 1", NULL));
}

static void test_a_duplicate_of_a_waiting_event_is_dropped(void **state)
{
	struct harness *h = *state;
	struct peer *six = watcher(h, "n0", "n0 r6");

	watch(six, "/p/x", "v");
	six->take_max = 0;
	for (int i = 0; i < 3; i++) {
		ok(peer_write(h->dom0, 0, "/p/x", ""));
		ok(peer_write(h->dom0, 0, "/p/x/y", ""));
	}
	six->take_max = SIZE_MAX;
	harness_run(h);
	event_is(six, "/p/x w");
	event_is(six, "/p/x v");
	event_is(six, "/p/x/y w");
	event_is(six, "/p/x/y v");
	no_event(six);
	/* One that is out in part is still waiting. */
	six->take_max = 7;
	ok(peer_write(h->dom0, 0, "/p/x", ""));
	ok(peer_write(h->dom0, 0, "/p/x", ""));
	six->take_max = SIZE_MAX;
	harness_run(h);
	event_is(six, "/p/x w");
	event_is(six, "/p/x v");
	no_event(six);
	ok(peer_write(h->dom0, 0, "/p/x", ""));
	event_is(six, "/p/x w");
}

static void test_special_events_are_never_dropped_as_duplicates(void **state)
{
	struct harness *h = *state;
	struct peer *six = guest(h, 6);

	watch(six, "@releaseDomain", "r");
	six->take_max = 0;
	for (int i = 0; i < 3; i++) {
		guest(h, 5);
		harness_destroy(h, 5);
	}
	six->take_max = SIZE_MAX;
	harness_run(h);
	for (int i = 0; i < 3; i++)
		event_is(six, "@releaseDomain r");
	no_event(six);
}

static void test_events_that_nobody_takes_expire(void **state)
{
	struct harness *h = *state;
	struct peer *six = watcher(h, "n0", "n0 r6"), *zero = harness_guest(h, 0);

	watch(zero, "/p/x", "zero");
	watch(h->dom0, "/p/x", "socket");
	six->take_max = zero->take_max = h->dom0->take_max = 0;
	peer_send(six, XS_READ, 0, "/p/x", 5);
	peer_send(h->dom0, XS_WRITE, 0, "/p/x\0", 5);
	harness_run(h);
	h->now += 10000;
	peer_send(h->dom0, XS_WRITE, 0, "/p/x/later\0", 11);
	harness_run(h);
	h->now += 10000;
	harness_run_untold(h);
	six->take_max = zero->take_max = h->dom0->take_max = SIZE_MAX;
	harness_run(h);
	/* Replies do not expire, nor what has not waited long enough. */
	answered(six);
	event_is(six, "/p/x/later w");
	no_event(six);
	/* Neither does anything for the privileged. */
	event_is(zero, "/p/x zero");
	event_is(zero, "/p/x/later zero");
	event_is(h->dom0, "/p/x socket");
	event_is(h->dom0, "/p/x/later socket");
	/* A new one after that is no duplicate of what has gone. */
	peer_forget_events(six);
	ok(peer_write(h->dom0, 0, "/p/x", ""));
	event_is(six, "/p/x w");
}

static void test_an_event_that_is_out_in_part_does_not_expire(void **state)
{
	struct harness *h = *state;
	struct peer *six = watcher(h, "n0", "n0 r6");

	six->take_max = 17;
	ok(peer_write(h->dom0, 0, "/p/x", ""));
	ok(peer_write(h->dom0, 0, "/p/x/y", ""));
	h->now += 60000;
	harness_run_untold(h);
	six->take_max = SIZE_MAX;
	harness_run(h);
	event_is(six, "/p/x w");
	no_event(six);
	ok(peer_write(six, 0, "x", ""));
}

static void test_expiry_can_be_switched_off(void **state)
{
	struct core_config config = harness_config();
	struct harness *h;
	struct peer *six;

	(void)state;
	config.event_timeout_ms = 0;
	h = new_world(&config);
	six = watcher(h, "n0", "n0 r6");
	six->take_max = 0;
	ok(peer_write(h->dom0, 0, "/p/x", ""));
	h->now += 1000000;
	harness_run_untold(h);
	six->take_max = SIZE_MAX;
	harness_run(h);
	event_is(six, "/p/x w");
	harness_free(h);
}

static void test_unwatched_means_no_event_after_the_answer(void **state)
{
	struct harness *h = *state;
	struct peer *six = watcher(h, "n0", "n0 r6");
	struct answer answer;

	six->take_max = 0;
	ok(peer_write(h->dom0, 0, "/p/x", ""));
	peer_send(six, XS_UNWATCH, 0, "/p/x\0w", 7);
	harness_run(h);
	ok(peer_write(h->dom0, 0, "/p/x/y", ""));
	six->take_max = SIZE_MAX;
	harness_run(h);
	assert_true(peer_receive(six, &answer));
	assert_int_equal(answer.header.type, XS_WATCH_EVENT);
	answered(six);
	no_answer(six);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_a_reader_of_the_node_is_told),
		world_test(test_a_reader_of_the_parent_is_told),
		world_test(test_who_sees_neither_is_not_told),
		world_test(test_losing_and_getting_permission_are_told),
		world_test(test_removed_nodes_below),
		world_test(test_special_nodes),
		world_test(test_in_a_transaction_the_permissions_before_count),
		world_test(test_in_a_transaction_the_committed_permissions_count),
		world_test(test_in_a_transaction_readers_of_the_parent_do_not_see_a_removal),
		world_test(test_created_and_removed_in_a_transaction_is_told_to_nobody),
		world_test(test_relative_watches_are_told_relative_paths),
		world_test(test_order_of_events_and_replies),
		world_test(test_depth),
		world_test(test_a_duplicate_of_a_waiting_event_is_dropped),
		world_test(test_special_events_are_never_dropped_as_duplicates),
		world_test(test_events_that_nobody_takes_expire),
		world_test(test_an_event_that_is_out_in_part_does_not_expire),
		cmocka_unit_test(test_expiry_can_be_switched_off),
		world_test(test_unwatched_means_no_event_after_the_answer),
	};

	return run_group(tests);
}
