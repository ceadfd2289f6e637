/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The quota table and accounts (spec: quotas.md section 1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "state/quota.h"

static enum quota by_name(const char *name, bool *soft)
{
	return quota_by_name(name, strlen(name), soft);
}

static void test_names(void **state)
{
	bool soft;

	(void)state;
	for (enum quota i = 0; i < QUOTA_COUNT; i++) {
		assert_int_equal(by_name(quota_name(i), &soft), i);
		assert_false(soft);
		assert_non_null(quota_description(i));
	}
	assert_int_equal(by_name("soft-memory", &soft), QUOTA_MEMORY);
	assert_true(soft);
	assert_int_equal(by_name("soft-nodes", &soft), QUOTA_COUNT);
	assert_int_equal(by_name("permissions", &soft), QUOTA_COUNT);
	assert_int_equal(by_name("node", &soft), QUOTA_COUNT);
	assert_int_equal(by_name("nodesx", &soft), QUOTA_COUNT);
	assert_int_equal(by_name("", &soft), QUOTA_COUNT);
	assert_int_equal(by_name("soft-", &soft), QUOTA_COUNT);
	assert_int_equal(quota_by_name("nodesx", 5, &soft), QUOTA_NODES);
}

static void test_defaults(void **state)
{
	static const uint32_t hard[QUOTA_COUNT] = {1000, 128, 20, 2621440, 10, 1024, 5, 2048, 2048};
	struct quota_limits limits;

	(void)state;
	quota_defaults(&limits);
	for (enum quota i = 0; i < QUOTA_COUNT; i++) {
		assert_int_equal(limits.hard[i], hard[i]);
		assert_int_equal(limits.soft[i], i == QUOTA_MEMORY ? 2097152 : QUOTA_OFF);
	}
}

/* As many as the limit says, not one less and not one more; 0 is no limit. */
static void test_exact_limit(void **state)
{
	struct account account = {0};

	(void)state;
	account.limits.hard[QUOTA_NODES] = 10;
	assert_false(account_exceeds(&account, QUOTA_NODES, 10));
	assert_true(account_exceeds(&account, QUOTA_NODES, 11));
	account.limits.hard[QUOTA_NODES] = 0;
	assert_false(account_exceeds(&account, QUOTA_NODES, UINT64_MAX));
}

static void test_use_and_maxima(void **state)
{
	uint64_t global[QUOTA_COUNT] = {0};
	struct account one = {.global_max = global}, two = {.global_max = global}, special = {0};

	(void)state;
	account_add(&one, QUOTA_NODES, 5);
	account_add(&one, QUOTA_NODES, -2);
	account_add(&one, QUOTA_NODES, 1);
	assert_int_equal(one.now[QUOTA_NODES], 4);
	assert_int_equal(one.max[QUOTA_NODES], 5);
	account_add(&two, QUOTA_NODES, 7);
	account_add(&special, QUOTA_NODES, 100);
	account_seen(&two, QUOTA_NODE_SIZE, 300);
	account_seen(&two, QUOTA_NODE_SIZE, 200);
	assert_int_equal(global[QUOTA_NODES], 7);
	assert_int_equal(global[QUOTA_NODE_SIZE], 300);
	assert_int_equal(two.max[QUOTA_NODE_SIZE], 300);
	assert_int_equal(two.now[QUOTA_NODE_SIZE], 0);
	assert_int_equal(special.max[QUOTA_NODES], 100);
	/* never below nothing */
	account_add(&one, QUOTA_NODES, -10);
	assert_int_equal(one.now[QUOTA_NODES], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_exact_limit),
		cmocka_unit_test(test_use_and_maxima),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
