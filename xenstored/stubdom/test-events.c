/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taking events, against the model of the hypervisor: none is lost when an image ends while it does
 * so, when it is not told of them, or when there is no end of them.
 */
#include "stubdom/test-world.h"

static const struct hv_config with_state = {.seed = 1};

#define CALLERS 200u

static jmp_buf stop;
static unsigned int taken[PORTS_MAX / 8], taken_count, stop_after;
static struct test_world *ringing;

static void note(void *data, uint32_t port)
{
	(void)data;
	taken[port]++;
	if (++taken_count == stop_after)
		longjmp(stop, 1);
}

/* Each domain signals once. */
static void ring_all(struct test_world *world)
{
	for (unsigned int domid = 2; domid < 2 + CALLERS; domid++)
		assert_int_equal(
			hv_evtchn_send(&world->machine->hv, domid, world->guest[domid].port), 0);
	world_show(world);
}

/* All are taken from the queue, at most @most of them; then the taker ends. */
static void take(unsigned int most)
{
	taken_count = 0;
	stop_after = most;
	if (!setjmp(stop))
		events_collect(note, NULL);
}

static void expect_each_taken(unsigned int times)
{
	unsigned int ports = 0;

	for (size_t port = 0; port < sizeof(taken) / sizeof(*taken); port++) {
		if (!taken[port])
			continue;
		assert_int_equal(taken[port], times);
		ports++;
	}
	assert_int_equal(ports, CALLERS);
	memset(taken, 0, sizeof(taken));
}

static void introduce(struct test_world *world, unsigned int domid)
{
	char answer[RING_SIZE];

	world_create(world, domid);
	assert_int_equal(world_introduce(world, domid, answer), XS_INTRODUCE);
}

static struct test_world *world_of_callers(bool has_fifo)
{
	struct test_world *world = world_new(with_state, has_fifo);

	world_start(world);
	for (unsigned int domid = 2; domid < 2 + CALLERS; domid++)
		introduce(world, domid);
	memset(taken, 0, sizeof(taken));
	return world;
}

static void next_image(void)
{
	ring0_state_arm(true);
	ring0_state_adopt();
	assert_true(ring0_updated);
	assert_int_equal(events_init(), 0);
}

/* The next image takes each of the events that there are once, and those that come later. */
static void expect_next_hears_all(struct test_world *world)
{
	next_image();
	take(0);
	expect_each_taken(1);
	ring_all(world);
	take(0);
	expect_each_taken(1);
}

/* An image that ends while it takes events must not leave ports that are never heard again. */
static void expect_nothing_lost_by_an_end(bool has_fifo)
{
	struct test_world *world = world_of_callers(has_fifo);

	for (unsigned int most = 1; most <= CALLERS; most += 33) {
		ring_all(world);
		take(most);
		assert_int_equal(taken_count, most);
		expect_next_hears_all(world);
	}
	/* Some signal again before the next image looks. */
	ring_all(world);
	take(CALLERS / 2);
	memset(taken, 0, sizeof(taken));
	ring_all(world);
	expect_next_hears_all(world);
	world_free(world);
}

static void test_an_end_while_events_are_taken_loses_none(void **state)
{
	(void)state;
	expect_nothing_lost_by_an_end(true);
}

static void test_the_same_with_the_older_interface(void **state)
{
	(void)state;
	expect_nothing_lost_by_an_end(false);
}

static void expect_upcall(bool upcall)
{
	assert_int_equal(world_shared()->vcpu_info[0].evtchn_upcall_pending, upcall);
}

/* While interrupts are on everywhere, events must neither interrupt nor be lost. */
static void expect_quiet_events(bool has_fifo)
{
	struct test_world *world = world_of_callers(has_fifo);

	ring_all(world);
	expect_upcall(true);
	events_quiet(true);
	expect_upcall(false);
	for (int round = 0; round < 3; round++) {
		ring_all(world);
		expect_upcall(false);
		take(0);
		expect_each_taken(1);
	}
	/* The first who wants to sleep looks once more. */
	ring_all(world);
	events_quiet(false);
	expect_upcall(false);
	assert_true(events_came);
	take(0);
	expect_each_taken(1);
	assert_false(events_came);
	ring_all(world);
	expect_upcall(true);
	take(0);
	expect_each_taken(1);
	/* The way back may be taken at any time, by an image that knows of nothing. */
	events_quiet(true);
	ring_all(world);
	take(CALLERS / 3);
	events_quiet(false);
	events_came = false;
	next_image();
	take(0);
	expect_each_taken(1);
	ring_all(world);
	expect_upcall(true);
	take(0);
	expect_each_taken(1);
	world_free(world);
}

static void test_quiet_events_are_neither_told_nor_lost(void **state)
{
	(void)state;
	expect_quiet_events(true);
	expect_quiet_events(false);
}

static void ring_again(void *data, uint32_t port)
{
	(void)data;
	(void)port;
	if (++taken_count > 100 * PORTS_MAX)
		longjmp(stop, 1);
	assert_int_equal(hv_evtchn_send(&ringing->machine->hv, 2, ringing->guest[2].port), 0);
	world_show(ringing);
}

static void test_a_domain_that_signals_without_end_does_not_hold_up(void **state)
{
	(void)state;
	ringing = world_of_callers(true);
	ring_all(ringing);
	taken_count = 0;
	if (setjmp(stop))
		fail_msg("events are taken for ever");
	events_collect(ring_again, NULL);
	assert_true(events_came); /* there is more, so there will be no sleep */
	/* The others have had their turn. */
	assert_true(taken_count >= CALLERS);
	ring_all(ringing);
	take(0);
	expect_each_taken(1);
	assert_false(events_came);
	world_free(ringing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_end_while_events_are_taken_loses_none),
		cmocka_unit_test(test_the_same_with_the_older_interface),
		cmocka_unit_test(test_quiet_events_are_neither_told_nor_lost),
		cmocka_unit_test(test_a_domain_that_signals_without_end_does_not_hold_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
