/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine with little memory has put some aside: for answers, and for what
 * gives memory back. Nobody else gets at it.
 */
#include "guests.h"

#include "faults.h"

#define ALL ((unsigned long)-1 / 2)

static unsigned int asked;
static bool has_some;

static bool make_room(struct world *world)
{
	(void)world;
	asked++;
	if (!has_some)
		return false;
	has_some = false;
	faults_disarm();
	return true;
}

static bool is_short(struct world *world)
{
	(void)world;
	return !has_some;
}

static struct harness *start(void)
{
	struct harness *harness = harness_new();

	harness->world.make_room = make_room;
	harness->world.is_short = is_short;
	asked = 0;
	has_some = true;
	ok(peer_write(harness->dom0, 0, "/a/b/c", "value"));
	ok(peer_watch(harness->dom0, "/a", "token"));
	peer_forget_events(harness->dom0);
	return harness;
}

/* Ask with no memory from allocation number @first of the core on. Returns the answer's error. */
static int ask_without_memory(struct harness *harness, unsigned long first, uint32_t type,
			      const char *payload, size_t len)
{
	struct answer answer;

	peer_send(harness->dom0, type, 0, payload, len);
	faults_arm(first, ALL);
	harness_run(harness);
	faults_disarm();
	do {
		if (!peer_receive(harness->dom0, &answer))
			return -1;
	} while (answer.header.type == XS_WATCH_EVENT);
	if (answer.header.type != XS_ERROR)
		return 0;
	assert_string_equal(answer.payload, "ENOMEM");
	return ENOMEM;
}

static void test_a_removal_gets_what_was_put_aside(void **state)
{
	struct harness *harness = start();

	(void)state;
	/* The answer still has memory, the removal has not. */
	assert_int_equal(ask_without_memory(harness, 2, XS_RM, "/a/b", 5), 0);
	assert_int_equal(asked, 1);
	assert_false(exists(harness, "/a/b"));
	harness_free(harness);
}

static void test_a_write_does_not(void **state)
{
	struct harness *harness = start();

	(void)state;
	assert_int_equal(ask_without_memory(harness, 2, XS_WRITE, "/a/b/d\0x", 8), ENOMEM);
	assert_int_equal(asked, 0);
	assert_false(exists(harness, "/a/b/d"));
	harness_free(harness);
}

static void test_an_answer_gets_it(void **state)
{
	struct harness *harness = start();

	(void)state;
	assert_int_equal(ask_without_memory(harness, 1, XS_READ, "/a/b/c", 7), 0);
	assert_int_equal(asked, 1);
	harness_free(harness);
}

static void test_nothing_was_put_aside(void **state)
{
	struct harness *harness = start();

	(void)state;
	has_some = false;
	assert_int_equal(ask_without_memory(harness, 2, XS_RM, "/a/b", 5), ENOMEM);
	assert_int_equal(asked, 1);
	assert_true(exists(harness, "/a/b/c"));
	harness_free(harness);
}

static void test_a_watch_is_given_up(void **state)
{
	struct harness *harness = start();

	(void)state;
	assert_int_equal(ask_without_memory(harness, 1, XS_UNWATCH, "/a\0token", 9), 0);
	has_some = true;
	ok(peer_write(harness->dom0, 0, "/a/x", "1"));
	assert_string_equal(peer_event(harness->dom0), "");
	harness_free(harness);
}

static void test_while_it_is_short_nothing_is_added(void **state)
{
	struct harness *harness = start();
	struct peer *guest = harness_guest(harness, 1);

	(void)state;
	ok(peer_write(harness->dom0, 0, "/local/domain/1", ""));
	ok(peer_set_perms(harness->dom0, 0, "/local/domain/1", "n1"));
	ok(peer_write(guest, 0, "x", "1"));
	has_some = false;
	fails(ENOMEM, peer_write(harness->dom0, 0, "/a/new", "1"));
	fails(ENOMEM, peer_mkdir(harness->dom0, 0, "/a/new"));
	fails(ENOMEM, peer_write(guest, 0, "y", "1"));
	fails(ENOMEM, peer_watch(guest, "y", "t"));
	/* All else is as ever, also for guests. */
	ok(peer_read(harness->dom0, 0, "/a/b/c", NULL));
	ok(peer_read(guest, 0, "x", NULL));
	ok(peer_rm(guest, 0, "x"));
	ok(peer_rm(harness->dom0, 0, "/a/b"));
	has_some = true;
	ok(peer_write(harness->dom0, 0, "/a/new", "1"));
	harness_free(harness);
}

/* A guest with half a message must not hold what domain 0 needs to be heard. */
static void test_guests_do_not_take_the_spare_buffer(void **state)
{
	struct harness *harness = start();
	struct peer *one = harness_guest(harness, 1), *two = harness_guest(harness, 2);
	const uint32_t half[] = {XS_READ, 1, 0, 100, 0, 0};
	struct answer answer;
	char rest[96] = "/x";

	(void)state;
	has_some = false;
	peer_push(one, half, sizeof(half));
	harness_run(harness);
	/* No memory for the second guest's bytes: they stay where they are. */
	peer_push(two, half, sizeof(half));
	faults_arm(1, ALL);
	harness_run(harness);
	faults_disarm();
	assert_non_null(harness->core->spare);
	ok(peer_read(harness->dom0, 0, "/a/b/c", NULL));
	harness->now += 1000;
	peer_push(one, rest, 92);
	peer_push(two, rest, 92);
	harness_run(harness);
	assert_true(peer_receive(one, &answer));
	assert_true(peer_receive(two, &answer));
	harness_free(harness);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_removal_gets_what_was_put_aside),
		cmocka_unit_test(test_a_write_does_not),
		cmocka_unit_test(test_an_answer_gets_it),
		cmocka_unit_test(test_nothing_was_put_aside),
		cmocka_unit_test(test_a_watch_is_given_up),
		cmocka_unit_test(test_while_it_is_short_nothing_is_added),
		cmocka_unit_test(test_guests_do_not_take_the_spare_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
