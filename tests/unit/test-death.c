/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of a domain: what goes with it, what stays, and who is told (spec:
 * protocol.md section 12).
 */
#include "guests.h"

static void test_events_of_its_nodes_come_first(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	ok(peer_write(five, 0, "a/b", ""));
	watch(h->dom0, "@releaseDomain", "r");
	watch_depth(h->dom0, "@releaseDomain", "r1", 1);
	watch(h->dom0, "/local/domain/5/a/b", "ab");
	watch(h->dom0, "/local/domain/5", "home");
	watch(h->dom0, "/", "root");
	harness_destroy(h, 5);
	event_is(h->dom0, "/local/domain/5/a/b ab");
	event_is(h->dom0, "/local/domain/5 home");
	event_is(h->dom0, "/local/domain/5 root");
	event_is(h->dom0, "@releaseDomain r");
	event_is(h->dom0, "@releaseDomain/5 r1");
	no_event(h->dom0);
}

static void test_dying_alone_is_nothing_and_dead_is_the_end(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	watch(h->dom0, "@releaseDomain", "r");
	h->domain[5].state |= DOMSTATE_DYING;
	h->domain[5].changed = true;
	harness_tell(h);
	no_event(h->dom0);
	ok(peer_write(five, 0, "x", ""));
	h->domain[5].state |= DOMSTATE_SHUTDOWN | DOMSTATE_DEAD;
	h->domain[5].changed = true;
	harness_tell(h);
	event_is(h->dom0, "@releaseDomain r");
	no_event(h->dom0);
	assert_true(five->closed);
	assert_false(exists(h, "/local/domain/5"));
	/* The hypervisor forgets it later. */
	harness_destroy(h, 5);
	no_event(h->dom0);
}

static void test_shutdown_and_death_are_told_once_each(void **state)
{
	struct harness *h = *state;

	guest(h, 5);
	watch(h->dom0, "@releaseDomain", "r");
	watch(h->dom0, "@releaseDomain/5", "r5");
	harness_shutdown(h, 5);
	event_is(h->dom0, "@releaseDomain/5 r5");
	event_is(h->dom0, "@releaseDomain r");
	no_event(h->dom0);
	harness_tell(h);
	no_event(h->dom0);
	harness_destroy(h, 5);
	event_is(h->dom0, "@releaseDomain r");
	event_is(h->dom0, "@releaseDomain/5 r5");
	no_event(h->dom0);
}

static void test_a_batch_of_shutdowns_has_one_bare_event(void **state)
{
	struct harness *h = *state;

	for (unsigned int i = 5; i < 8; i++)
		guest(h, i);
	watch(h->dom0, "@releaseDomain", "r");
	watch_depth(h->dom0, "@releaseDomain", "r1", 1);
	for (unsigned int i = 5; i < 8; i++) {
		h->domain[i].state |= DOMSTATE_SHUTDOWN;
		h->domain[i].changed = true;
	}
	harness_tell(h);
	event_is(h->dom0, "@releaseDomain/5 r1");
	event_is(h->dom0, "@releaseDomain/6 r1");
	event_is(h->dom0, "@releaseDomain/7 r1");
	event_is(h->dom0, "@releaseDomain r");
	no_event(h->dom0);
}

static void test_several_deaths_at_once_are_told_each(void **state)
{
	struct harness *h = *state;

	for (unsigned int i = 5; i < 8; i++)
		guest(h, i);
	watch(h->dom0, "@releaseDomain", "r");
	watch_depth(h->dom0, "@releaseDomain", "r1", 1);
	for (unsigned int i = 5; i < 8; i++)
		harness_destroy_silently(h, i);
	harness_tell(h);
	for (int i = 5; i < 8; i++) {
		char text[32];

		snprintf(text, sizeof(text), "@releaseDomain/%d r1", i);
		event_is(h->dom0, "@releaseDomain r");
		event_is(h->dom0, text);
	}
	no_event(h->dom0);
}

static void test_an_unintroduced_domain_goes_silently(void **state)
{
	struct harness *h = *state;

	harness_create(h, 5);
	node(h, "/x", "n5");
	node(h, "/y", "n0 r5");
	watch(h->dom0, "@releaseDomain", "r");
	watch(h->dom0, "/x", "x");
	/* Neither shutdown nor anything else short of its end matters. */
	harness_shutdown(h, 5);
	no_event(h->dom0);
	assert_true(exists(h, "/x"));
	harness_destroy(h, 5);
	event_is(h->dom0, "/x x");
	no_event(h->dom0);
	assert_false(exists(h, "/x"));
	perms_are(h->dom0, 0, "/y", "n0");
	fails(ENOENT, peer_ask(h->dom0, XS_CONTROL, 0, "quota 5", NULL));
}

static void test_foreign_nodes_below_go_and_below_foreign_ones_stay(void **state)
{
	struct harness *h = *state;

	guest(h, 5);
	guest(h, 6);
	node(h, "/x", "n5");
	node(h, "/x/six", "n6");
	node(h, "/x/six/zero", "n0");
	node(h, "/y", "n0");
	node(h, "/y/five", "n5");
	assert_int_equal(quota_now(h, 6, "nodes", NULL), 2);
	harness_destroy(h, 5);
	assert_false(exists(h, "/x"));
	assert_true(exists(h, "/y"));
	assert_false(exists(h, "/y/five"));
	assert_int_equal(quota_now(h, 6, "nodes", NULL), 1);
}

static void test_nested_ownership_is_one_removal(void **state)
{
	struct harness *h = *state;

	guest(h, 5);
	node(h, "/x", "n5");
	node(h, "/x/zero", "n0");
	node(h, "/x/zero/five", "n5");
	watch(h->dom0, "/x", "x");
	watch(h->dom0, "/x/zero/five", "deep");
	harness_destroy(h, 5);
	event_is(h->dom0, "/x/zero/five deep");
	event_is(h->dom0, "/x x");
	no_event(h->dom0);
}

static void test_nodes_below_one_that_was_given_away(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5), *six = guest(h, 6);

	ok(peer_write(five, 0, "a/b/c", ""));
	ok(peer_write(five, 0, "a/d", ""));
	ok(peer_set_perms(h->dom0, 0, "/local/domain/5", "n6 b5"));
	ok(peer_set_perms(h->dom0, 0, "/local/domain/5/a/b", "n6"));
	ok(peer_write(five, 0, "later", ""));
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 4);
	assert_int_equal(quota_now(h, 6, "nodes", NULL), 3);
	harness_destroy(h, 5);
	assert_true(exists(h, "/local/domain/5"));
	assert_false(exists(h, "/local/domain/5/a"));
	assert_false(exists(h, "/local/domain/5/later"));
	perms_are(h->dom0, 0, "/local/domain/5", "n6");
	assert_int_equal(quota_now(h, 6, "nodes", NULL), 2);
	ok(peer_write(six, 0, "/local/domain/5/x", ""));
}

static void test_given_away_and_taken_back(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	guest(h, 6);
	ok(peer_write(five, 0, "a/b", ""));
	ok(peer_set_perms(h->dom0, 0, "/local/domain/5/a", "n6"));
	ok(peer_set_perms(h->dom0, 0, "/local/domain/5/a", "n5"));
	ok(peer_set_perms(h->dom0, 0, "/local/domain/5", "n6"));
	ok(peer_set_perms(h->dom0, 0, "/local/domain/5", "n5"));
	harness_destroy(h, 6);
	assert_true(exists(h, "/local/domain/5/a/b"));
	harness_destroy(h, 5);
	assert_false(exists(h, "/local/domain/5"));
	assert_true(exists(h, "/local/domain"));
}

static void test_a_new_node_at_the_place_of_a_removed_one(void **state)
{
	struct harness *h = *state;

	guest(h, 5);
	guest(h, 6);
	node(h, "/x", "n5");
	node(h, "/x/y", "n5");
	ok(peer_rm(h->dom0, 0, "/x"));
	node(h, "/x", "n6");
	node(h, "/x/y", "n0");
	harness_destroy(h, 5);
	assert_true(exists(h, "/x/y"));
	ok(peer_rm(h->dom0, 0, "/x"));
	node(h, "/x", "n0");
	harness_destroy(h, 6);
	assert_true(exists(h, "/x"));
}

static void test_the_root_falls_back(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	ok(peer_set_perms(h->dom0, 0, "/", "n5"));
	ok(peer_write(five, 0, "/x/y", "five's"));
	node(h, "/z", "n0");
	harness_destroy(h, 5);
	perms_are(h->dom0, 0, "/", "n0");
	assert_false(exists(h, "/x"));
	assert_false(exists(h, "/local/domain/5"));
	assert_true(exists(h, "/z"));
	assert_true(exists(h, "/tool/xenstored"));
	five = guest(h, 5);
	fails(EACCES, peer_write(five, 0, "/x", ""));
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 1);
}

static void test_death_of_one_that_holds_transactions_and_watches(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	uint32_t tx;

	ok(peer_start(five, &tx));
	ok(peer_write(five, tx, "x", ""));
	ok(peer_watch(five, "/", "w"));
	five->take_max = 0;
	peer_send(five, XS_READ, 0, "x", 2);
	harness_run(h);
	harness_destroy(h, 5);
	assert_true(five->closed);
	assert_false(exists(h, "/local/domain/5"));
}

static void test_death_while_a_transaction_depends_on_its_nodes(void **state)
{
	struct harness *h = *state;
	uint32_t reader, writer, remover, below;

	guest(h, 5);
	node(h, "/x", "n5");
	ok(peer_start(h->dom0, &reader));
	ok(peer_start(h->dom0, &writer));
	ok(peer_start(h->dom0, &remover));
	ok(peer_start(h->dom0, &below));
	value_is(h->dom0, reader, "/x", "");
	ok(peer_write(h->dom0, reader, "/copy", ""));
	ok(peer_write(h->dom0, writer, "/x", "new"));
	ok(peer_rm(h->dom0, remover, "/x"));
	ok(peer_write(h->dom0, below, "/x/below", ""));
	harness_destroy(h, 5);
	value_is(h->dom0, reader, "/x", "");
	fails(EAGAIN, peer_end(h->dom0, reader, true));
	fails(EAGAIN, peer_end(h->dom0, writer, true));
	fails(EAGAIN, peer_end(h->dom0, remover, true));
	fails(EAGAIN, peer_end(h->dom0, below, true));
	assert_false(exists(h, "/x"));
	assert_false(exists(h, "/copy"));
}

static void test_death_of_one_that_a_transaction_makes_an_owner(void **state)
{
	struct harness *h = *state;
	uint32_t tx, later;

	harness_create(h, 5);
	ok(peer_start(h->dom0, &tx));
	ok(peer_mkdir(h->dom0, tx, "/x"));
	ok(peer_set_perms(h->dom0, tx, "/x", "n5"));
	ok(peer_start(h->dom0, &later));
	ok(peer_mkdir(h->dom0, later, "/y"));
	ok(peer_set_perms(h->dom0, later, "/y", "n0 r5"));
	harness_destroy(h, 5);
	harness_create(h, 5);
	guest(h, 5);
	/* Nothing may be given to a dead domain, nor to its successor. */
	fails(EAGAIN, peer_end(h->dom0, tx, true));
	assert_false(exists(h, "/x"));
	ok(peer_end(h->dom0, later, true));
	perms_are(h->dom0, 0, "/y", "n0");
}

static void test_death_of_a_target_while_its_nodes_are_being_changed(void **state)
{
	struct harness *h = *state;
	struct peer *nine = guest(h, 9);
	uint32_t tx;

	guest(h, 5);
	ok(set_target(h, "9 5"));
	ok(peer_start(nine, &tx));
	ok(peer_set_perms(nine, tx, "/local/domain/5", "n5 r9"));
	ok(peer_write(nine, tx, "x", ""));
	harness_destroy(h, 5);
	fails(EAGAIN, peer_end(nine, tx, true));
	assert_false(exists(h, "/local/domain/5"));
	assert_false(exists(h, "/local/domain/9/x"));
}

static void test_orphans_are_kept(void **state)
{
	struct core_config config = harness_config();
	struct harness *h;
	struct peer *five;

	(void)state;
	config.keep_orphans = true;
	h = new_world(&config);
	five = guest(h, 5);
	guest(h, 6);
	ok(peer_write(five, 0, "a/b", "kept"));
	ok(peer_set_perms(five, 0, "a", "r5 w6"));
	node(h, "/acl", "n0 r5");
	node(h, "/local/domain/5/six", "n6");
	node(h, "/local/domain/5/six/five", "r5");
	watch(h->dom0, "@releaseDomain", "r");
	watch(h->dom0, "/local", "l");
	harness_destroy(h, 5);
	event_is(h->dom0, "@releaseDomain r");
	no_event(h->dom0);
	value_is(h->dom0, 0, "/local/domain/5/a/b", "kept");
	perms_are(h->dom0, 0, "/local/domain/5", "n0");
	perms_are(h->dom0, 0, "/local/domain/5/a", "r0 w6");
	perms_are(h->dom0, 0, "/local/domain/5/six", "n6");
	perms_are(h->dom0, 0, "/local/domain/5/six/five", "r0");
	perms_are(h->dom0, 0, "/acl", "n0");
	harness_guest(h, 5);
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 0);
	ok(peer_ask(h->dom0, XS_CONTROL, 0, "check", NULL));
	harness_free(h);
}

/* After a thousand creations the first death comes with a thousand changes, in slices. */
static void test_many_changes_are_looked_at_in_slices(void **state)
{
	struct harness *h = *state;
	unsigned int turns = 0, told = 0;

	harness_guest(h, 1000);
	harness_guest(h, 2000);
	watch(h->dom0, "@releaseDomain", "t");
	for (unsigned int domid = 1; domid < 1000; domid++)
		harness_create(h, domid);
	harness_destroy_silently(h, 1000);
	harness_shutdown(h, 2000);
	harness_create(h, 1001);
	for (unsigned int domid = 3000; domid < 3200; domid++)
		harness_create(h, domid);
	harness_destroy_silently(h, 2000);
	core_domains_changed(h->core);
	while (!core_turn(h->core))
		turns++;
	assert_true(turns >= 2);
	while (strcmp(peer_event(h->dom0), "@releaseDomain t") == 0)
		told++;
	/* Two deaths and a shutdown. */
	assert_int_equal(told, 3);
	is_introduced(h, "1000", "F");
	is_introduced(h, "2000", "F");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_events_of_its_nodes_come_first),
		world_test(test_dying_alone_is_nothing_and_dead_is_the_end),
		world_test(test_shutdown_and_death_are_told_once_each),
		world_test(test_a_batch_of_shutdowns_has_one_bare_event),
		world_test(test_several_deaths_at_once_are_told_each),
		world_test(test_an_unintroduced_domain_goes_silently),
		world_test(test_foreign_nodes_below_go_and_below_foreign_ones_stay),
		world_test(test_nested_ownership_is_one_removal),
		world_test(test_nodes_below_one_that_was_given_away),
		world_test(test_given_away_and_taken_back),
		world_test(test_a_new_node_at_the_place_of_a_removed_one),
		world_test(test_the_root_falls_back),
		world_test(test_death_of_one_that_holds_transactions_and_watches),
		world_test(test_death_while_a_transaction_depends_on_its_nodes),
		world_test(test_death_of_one_that_a_transaction_makes_an_owner),
		world_test(test_death_of_a_target_while_its_nodes_are_being_changed),
		world_test(test_many_changes_are_looked_at_in_slices),
		cmocka_unit_test(test_orphans_are_kept),
	};

	return run_group(tests);
}
