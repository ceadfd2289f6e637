/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Write credits (spec: quotas.md section 6). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "state/ratelimit.h"

static unsigned int charge_until_held(struct ratelimit *limit, struct credit *credit, uint64_t now)
{
	unsigned int units = 0;

	while (!ratelimit_wait(limit, credit, now)) {
		ratelimit_charge(limit, credit, now);
		units++;
		assert_true(units < 5000);
	}
	return units;
}

/* A newcomer may draw 10 units from an empty reserve; the eleventh puts him in debt. */
static void test_first_credit(void **state)
{
	struct ratelimit limit;
	struct credit credit = {0};

	(void)state;
	ratelimit_init(&limit);
	ratelimit_join(&limit, &credit, 1000);
	assert_int_equal(credit.points, RATELIMIT_CAP);
	assert_int_equal(charge_until_held(&limit, &credit, 1000), 11);
	ratelimit_leave(&limit, &credit);
}

/* When everybody is in debt, the wait that is announced is exactly as long as it must be. */
static void test_wait_is_exact(void **state)
{
	(void)state;
	for (unsigned int domains = 1; domains <= 7; domains++) {
		struct ratelimit limit;
		struct credit credit[7] = {0};
		uint64_t now = 5000, wait = 5 * domains; /* a unit at 200 units a second for all */

		ratelimit_init(&limit);
		for (unsigned int i = 0; i < domains; i++)
			ratelimit_join(&limit, &credit[i], now);
		limit.reserve = 0; /* nothing to be lifted from */
		for (unsigned int i = 0; i < domains; i++)
			charge_until_held(&limit, &credit[i], now);
		for (unsigned int i = 0; i < domains; i++)
			assert_int_equal(ratelimit_wait(&limit, &credit[i], now), wait);
		assert_int_equal(ratelimit_wait(&limit, &credit[0], now + wait - 1), 1);
		for (unsigned int i = 0; i < domains; i++)
			assert_int_equal(ratelimit_wait(&limit, &credit[i], now + wait), 0);
		for (unsigned int i = 0; i < domains; i++)
			ratelimit_leave(&limit, &credit[i]);
	}
}

/* What the resting leave over goes to the reserve, which lifts those in debt. */
static void test_reserve_lifts_debtors(void **state)
{
	struct ratelimit limit;
	struct credit credit[5] = {0};

	(void)state;
	ratelimit_init(&limit);
	for (int i = 0; i < 5; i++)
		ratelimit_join(&limit, &credit[i], 0);
	limit.reserve = 0;
	charge_until_held(&limit, &credit[0], 0);
	assert_int_equal(ratelimit_wait(&limit, &credit[0], 0), 25);
	/* the four others do not use theirs */
	assert_int_equal(ratelimit_wait(&limit, &credit[0], 5), 0);
	for (int i = 0; i < 5; i++)
		ratelimit_leave(&limit, &credit[i]);
}

/* With thousands in debt credit is handed out now and then only; the announced wait knows that. */
static void test_wait_among_thousands(void **state)
{
	const unsigned int count = 10000;
	struct credit *credit = calloc(count, sizeof(*credit));
	struct ratelimit limit;
	uint64_t now = 1000, wait;

	(void)state;
	assert_non_null(credit);
	ratelimit_init(&limit);
	limit.reserve = -RATELIMIT_NEW_DEBT;
	for (unsigned int i = 0; i < count; i++)
		ratelimit_join(&limit, &credit[i], now);
	for (unsigned int i = 0; i < count; i++)
		ratelimit_charge(&limit, &credit[i], now);
	wait = ratelimit_wait(&limit, &credit[7], now);
	/* A unit takes the share of 10,000 in 200 a second. */
	assert_in_range(wait, 49000, 51000);
	assert_in_range(ratelimit_wait(&limit, &credit[7], now + 1), wait - 1, wait);
	assert_true(ratelimit_wait(&limit, &credit[7], now + wait - 200) > 0);
	assert_int_equal(ratelimit_wait(&limit, &credit[7], now + wait), 0);
	for (unsigned int i = 0; i < count; i++)
		ratelimit_leave(&limit, &credit[i]);
	free(credit);
}

/* Whoever rests gets back to 10 units, and not more. */
static void test_refill_up_to_the_cap(void **state)
{
	struct ratelimit limit;
	struct credit credit = {0};

	(void)state;
	ratelimit_init(&limit);
	ratelimit_join(&limit, &credit, 0);
	charge_until_held(&limit, &credit, 0);
	assert_int_equal(ratelimit_wait(&limit, &credit, 60000), 0);
	ratelimit_charge(&limit, &credit, 600000);
	assert_int_equal(credit.points, RATELIMIT_CAP - RATELIMIT_UNIT);
	assert_true(limit.reserve <= RATELIMIT_RESERVE);
	ratelimit_leave(&limit, &credit);
}

/* Two that write as fast as they may get equal shares of 200 units a second. */
static void test_fair_shares(void **state)
{
	struct ratelimit limit;
	struct credit credit[2] = {0};
	unsigned int units[2] = {0};

	(void)state;
	ratelimit_init(&limit);
	for (int i = 0; i < 2; i++)
		ratelimit_join(&limit, &credit[i], 0);
	for (uint64_t now = 0; now < 100000; now++)
		for (int i = 0; i < 2; i++)
			while (!ratelimit_wait(&limit, &credit[i], now)) {
				ratelimit_charge(&limit, &credit[i], now);
				units[i]++;
			}
	assert_in_range(units[0], units[1] - 2, units[1] + 2);
	/* 100 seconds; the first credits, and what newcomers may owe, come on top */
	assert_in_range(units[0] + units[1], 20000 - 60, 20000 + 60);
	for (int i = 0; i < 2; i++)
		ratelimit_leave(&limit, &credit[i]);
}

/* The reserve may go down to -50 units for newcomers; then they start with nothing. */
static void test_reserve_for_newcomers(void **state)
{
	struct ratelimit limit;
	struct credit credit[8] = {0};

	(void)state;
	ratelimit_init(&limit);
	for (int i = 0; i < 8; i++)
		ratelimit_join(&limit, &credit[i], 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(credit[i].points, RATELIMIT_CAP);
	for (int i = 5; i < 8; i++)
		assert_int_equal(credit[i].points, 0);
	assert_int_equal(limit.reserve, -RATELIMIT_NEW_DEBT);
	/* who leaves gives back what he saved */
	ratelimit_leave(&limit, &credit[0]);
	assert_int_equal(limit.reserve, RATELIMIT_CAP - RATELIMIT_NEW_DEBT);
	ratelimit_leave(&limit, &credit[0]); /* no second time */
	assert_int_equal(limit.domains, 7);
	for (int i = 1; i < 8; i++)
		ratelimit_leave(&limit, &credit[i]);
	assert_int_equal(limit.domains, 0);
	assert_int_equal(limit.active_count, 0);
}

/* Time that stands still or a domain that never joined do no harm. */
static void test_odd_cases(void **state)
{
	struct ratelimit limit;
	struct credit credit = {0};

	(void)state;
	ratelimit_init(&limit);
	ratelimit_charge(&limit, &credit, 5);
	assert_int_equal(ratelimit_wait(&limit, &credit, 5), 0);
	ratelimit_leave(&limit, &credit);
	ratelimit_join(&limit, &credit, 100);
	charge_until_held(&limit, &credit, 100);
	assert_true(ratelimit_wait(&limit, &credit, 100) > 0);
	assert_true(ratelimit_wait(&limit, &credit, 50) > 0);
	/* a year later */
	assert_int_equal(ratelimit_wait(&limit, &credit, 31536000000ULL), 0);
	ratelimit_leave(&limit, &credit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_credit),
		cmocka_unit_test(test_wait_is_exact),
		cmocka_unit_test(test_reserve_lifts_debtors),
		cmocka_unit_test(test_wait_among_thousands),
		cmocka_unit_test(test_refill_up_to_the_cap),
		cmocka_unit_test(test_fair_shares),
		cmocka_unit_test(test_reserve_for_newcomers),
		cmocka_unit_test(test_odd_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
