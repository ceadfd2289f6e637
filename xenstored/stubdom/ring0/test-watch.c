/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When an image is watched, for how long, and that nothing but time ends its time. */
#include "stubdom/ring0/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "stubdom/ring0/clock.h"
#include "stubdom/ring0/console.h"
#include "stubdom/ring0/kexec.h"
#include "stubdom/ring0/state.h"
#include "stubdom/ring0/ticks.h"

#define SECOND 1000000000ull

/* ---- the processor ---- */

static uint64_t now;
static bool has_timer, ticking, quiet;
static uint32_t period;
static unsigned int seen;
static char said[200];

uint64_t clock_monotonic_ns(void)
{
	return now;
}

bool ticks_start(uint32_t seconds)
{
	period = seconds;
	ticking = has_timer;
	return has_timer;
}

void ticks_stop(void)
{
	ticking = false;
}

void events_quiet(bool on)
{
	assert_false(ticking); /* no upcall may come in */
	quiet = on;
}

void ticks_seen(void)
{
	seen++;
}

void console_write(const char *text, size_t len)
{
	snprintf(said, sizeof(said), "%.*s", (int)len, text);
}

/* ---- tests ---- */

/* As an image that another one has started, or a builder; and what the way back says. */
static void start(bool updated, uint64_t back, uint32_t seconds)
{
	watch_end();
	ring0_updated = updated;
	kexec_back()->state = back;
	kexec_back()->seconds = seconds;
	now = 1000 * SECOND;
	has_timer = true;
	ticking = false;
	said[0] = 0;
	watch_begin();
}

static void expect_time(unsigned int seconds)
{
	char text[100];

	assert_true(ticking);
	assert_true(quiet);
	assert_in_range(period, 1, seconds);
	now += seconds * SECOND - 1;
	for (int i = 0; i < 3; i++) {
		seen = 0;
		assert_null(watch_tick());
		assert_int_equal(seen, 1); /* else there would be no other */
	}
	now++;
	snprintf(text, sizeof(text), "The new image did not serve within %u seconds.", seconds);
	assert_string_equal(watch_tick(), text);
}

static void test_time_is_over(void **state)
{
	(void)state;
	start(true, KEXEC_BACK_READY, 5);
	expect_time(5);
	start(true, KEXEC_BACK_READY, 86400);
	expect_time(86400);
}

static void test_a_number_that_none_has_given(void **state)
{
	(void)state;
	start(true, KEXEC_BACK_READY, 0);
	expect_time(WATCH_SECONDS);
	start(true, KEXEC_BACK_READY, 0xc2c2c2c2);
	expect_time(WATCH_SECONDS);
}

static void test_nobody_is_watched_who_has_no_way_back(void **state)
{
	(void)state;
	start(false, KEXEC_BACK_READY, 5);
	assert_false(ticking);
	start(true, KEXEC_BACK_TAKEN, 5);
	assert_false(ticking);
	start(true, 0, 5);
	assert_false(ticking);
	now += 100 * SECOND;
	assert_null(watch_tick());
}

static void test_who_serves_is_not_watched_any_more(void **state)
{
	(void)state;
	start(true, KEXEC_BACK_READY, 5);
	watch_end();
	assert_false(ticking);
	assert_false(quiet);
	now += 100 * SECOND;
	seen = 0;
	assert_null(watch_tick()); /* one that was on its way */
	assert_int_equal(seen, 1);
	watch_end();
}

static void test_no_timer_is_said(void **state)
{
	(void)state;
	start(true, 0, 0);
	assert_string_equal(said, "");
	has_timer = false;
	kexec_back()->state = KEXEC_BACK_READY;
	watch_begin();
	assert_non_null(strstr(said, "no timer"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time_is_over),
		cmocka_unit_test(test_a_number_that_none_has_given),
		cmocka_unit_test(test_nobody_is_watched_who_has_no_way_back),
		cmocka_unit_test(test_who_serves_is_not_watched_any_more),
		cmocka_unit_test(test_no_timer_is_said),
	};
	void *low = mmap((void *)LAYOUT_RESERVED, LAYOUT_RESERVED_END - LAYOUT_RESERVED,
			 PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			 -1, 0);

	if (low != (void *)LAYOUT_RESERVED) {
		perror("the place of the way back");
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
