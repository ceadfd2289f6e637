/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The connection to the store in the same program. */
#include "core/domains.h"
#include "guests.h"

#include "stubdom/own-client.h"

#define OWN 3u /* our domid; 0 is the privileged one */

static unsigned int fired;

static void count_event(void *data)
{
	(void)data;
	fired++;
}

static struct harness *start(struct own_client *own)
{
	struct core_config config = harness_config();
	struct harness *harness;

	config.own_domid = OWN;
	config.priv_domid = 0;
	harness = new_world(&config);
	harness_create(harness, OWN);
	ok(core_introduce(harness->core, 0, 1, INTRODUCE_START));
	harness->dom0 = harness_find_guest(harness, 0);
	node(harness, "/local/domain/3/device", "n3");
	memset(own, 0, sizeof(*own));
	own->fired = count_event;
	fired = 0;
	assert_int_equal(own_client_open(own, harness->core), 0);
	return harness;
}

static void end(struct harness *harness, struct own_client *own)
{
	own_client_close(own);
	assert_null(own->client);
	harness_free(harness);
}

static void test_reads_and_writes_at_home(void **state)
{
	struct own_client own;
	struct harness *harness = start(&own);
	char value[16];

	(void)state;
	assert_int_equal(own_client_read(&own, "device/x", value, sizeof(value)), -ENOENT);
	assert_int_equal(own_client_write(&own, "device/x", "12"), 0);
	assert_int_equal(own_client_read(&own, "/local/domain/3/device/x", value, sizeof(value)),
			 0);
	assert_string_equal(value, "12");
	assert_int_equal(own_client_read(&own, "device/x", value, 2), -E2BIG);
	assert_int_equal(own_client_write(&own, "bad//path", ""), -EINVAL);
	end(harness, &own);
}

static void test_watches(void **state)
{
	struct own_client own;
	struct harness *harness = start(&own);

	(void)state;
	assert_int_equal(own_client_watch(&own, "device", true), 0);
	harness_run(harness);
	assert_int_equal(fired, 1); /* as every new watch */
	assert_int_equal(own_client_write(&own, "device/y", "1"), 0);
	harness_run(harness);
	assert_int_equal(fired, 2);
	assert_true(own.watch_fired);
	assert_int_equal(own_client_watch(&own, "device", true), -EEXIST);
	assert_int_equal(own_client_watch(&own, "device", false), 0);
	assert_int_equal(own_client_write(&own, "device/y", "2"), 0);
	harness_run(harness);
	assert_int_equal(fired, 2);
	end(harness, &own);
}

static void test_has_no_more_rights_than_its_domain(void **state)
{
	struct own_client own;
	struct harness *harness = start(&own);
	char value[16];

	(void)state;
	ok(peer_write(harness->dom0, 0, "/secret", "x"));
	assert_int_equal(own_client_read(&own, "/secret", value, sizeof(value)), -EACCES);
	assert_int_equal(own_client_write(&own, "/tool/x", "x"), -EACCES);
	end(harness, &own);
}

static void test_survives_its_own_end(void **state)
{
	struct own_client own;
	struct harness *harness = start(&own);
	char value[16];

	(void)state;
	assert_int_equal(own_client_watch(&own, "device", true), 0);
	own_client_close(&own);
	assert_int_equal(own_client_read(&own, "x", value, sizeof(value)), -ENOTCONN);
	assert_int_equal(own_client_open(&own, harness->core), 0);
	assert_int_equal(own_client_watch(&own, "device", true), 0);
	assert_int_equal(own_client_write(&own, "device/z", "1"), 0);
	end(harness, &own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_and_writes_at_home),
		cmocka_unit_test(test_watches),
		cmocka_unit_test(test_has_no_more_rights_than_its_domain),
		cmocka_unit_test(test_survives_its_own_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
