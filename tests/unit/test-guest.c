/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guests on their rings: what an unprivileged identity may do and see. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "harness.h"

static void test_home_is_private(void **state)
{
	struct harness *harness = harness_new();
	struct peer *one = harness_guest(harness, 1), *two = harness_guest(harness, 2);
	struct answer answer;

	(void)state;
	assert_int_equal(peer_mkdir(harness->dom0, 0, "/local/domain/1/data"), 0);
	assert_int_equal(peer_set_perms(harness->dom0, 0, "/local/domain/1/data", "n1"), 0);
	assert_int_equal(peer_write(one, 0, "data/x", "hello"), 0);
	assert_int_equal(peer_read(one, 0, "/local/domain/1/data/x", &answer), 0);
	assert_string_equal(answer.payload, "hello");
	assert_int_equal(peer_read(two, 0, "/local/domain/1/data/x", &answer), EACCES);
	assert_int_equal(peer_read(two, 0, "/local/domain/1/data/none", &answer), EACCES);
	assert_int_equal(peer_write(one, 0, "/tool/x", "no"), EACCES);
	assert_int_equal(peer_get_perms(harness->dom0, 0, "/local/domain/1/data/x", &answer), 0);
	assert_string_equal(answer.payload, "n1");
	harness_free(harness);
}

static void test_death_takes_all_that_was_owned(void **state)
{
	struct harness *harness = harness_new();
	struct peer *one = harness_guest(harness, 1);
	struct answer answer;

	(void)state;
	assert_int_equal(peer_mkdir(harness->dom0, 0, "/local/domain/1/data"), 0);
	assert_int_equal(peer_set_perms(harness->dom0, 0, "/local/domain/1/data", "n1"), 0);
	assert_int_equal(peer_write(one, 0, "data/a/b/c", "hello"), 0);
	assert_int_equal(peer_watch(harness->dom0, "@releaseDomain", "r"), 0);
	peer_forget_events(harness->dom0);
	harness_destroy(harness, 1);
	assert_string_equal(peer_event(harness->dom0), "@releaseDomain r");
	assert_string_equal(peer_event(harness->dom0), "");
	assert_int_equal(peer_read(harness->dom0, 0, "/local/domain/1/data", &answer), ENOENT);
	assert_int_equal(peer_read(harness->dom0, 0, "/local/domain/1", &answer), 0);
	assert_true(one->closed);
	harness_free(harness);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_home_is_private),
		cmocka_unit_test(test_death_takes_all_that_was_owned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
