/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Quotas that count items, and those that limit the size of one thing: exactly
 * as many as the quota says are allowed (spec: quotas.md sections 1 to 3).
 * Memory is in test-memory.c, outstanding requests in test-outstanding.c.
 */
#include "guests.h"

static unsigned int get_quota(struct harness *h, const char *text)
{
	struct answer answer;

	ok(peer_ask(h->dom0, XS_GET_QUOTA, 0, text, &answer));
	return (unsigned int)strtoul(answer.payload, NULL, 10);
}

static void test_nodes(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	set_quota(h, 5, "nodes", 3);
	ok(peer_write(five, 0, "a", ""));
	ok(peer_mkdir(five, 0, "b"));
	assert_false(harness_logged(h, "Domain 5 reaches quota nodes (3)"));
	fails(ENOSPC, peer_write(five, 0, "c", ""));
	fails(ENOSPC, peer_mkdir(five, 0, "c"));
	assert_true(harness_logged(h, "Domain 5 reaches quota nodes (3)"));
	/* What exists can be used on. */
	ok(peer_write(five, 0, "a", "new"));
	ok(peer_mkdir(five, 0, "a"));
	ok(peer_rm(five, 0, "b"));
	ok(peer_write(five, 0, "c", ""));
	fails(ENOSPC, peer_write(five, 0, "d", ""));
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 3);
}

static void test_nodes_default_is_a_thousand(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	char path[32];

	set_quota(h, 5, "node-size", 0);
	for (int i = 1; i < 1000; i++) {
		snprintf(path, sizeof(path), "n/%d", i);
		ok(peer_mkdir(five, 0, i == 1 ? "n" : path));
	}
	fails(ENOSPC, peer_mkdir(five, 0, "more"));
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 1000);
}

static void test_nodes_of_dom0s_making_count_but_are_not_refused(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	set_quota(h, 5, "nodes", 2);
	ok(peer_write(h->dom0, 0, "/local/domain/5/a/b/c", ""));
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 4);
	fails(ENOSPC, peer_write(five, 0, "x", ""));
	/* They can be given away, and to it. */
	ok(peer_set_perms(h->dom0, 0, "/local/domain/5/a", "n0"));
	ok(peer_set_perms(h->dom0, 0, "/local/domain/5/a/b", "n0"));
	ok(peer_set_perms(h->dom0, 0, "/local/domain/5/a/b/c", "n0"));
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 1);
	ok(peer_write(five, 0, "x", ""));
	ok(peer_set_perms(h->dom0, 0, "/local/domain/5/a", "n5"));
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 3);
}

static void test_removed_nodes_make_room_at_once(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	char path[32];

	set_quota(h, 5, "nodes", 502);
	set_quota(h, 5, "node-size", 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 500; i++) {
			snprintf(path, sizeof(path), "d/%d", i);
			ok(peer_write(five, 0, path, ""));
		}
		fails(ENOSPC, peer_write(five, 0, "more", ""));
		/* Both in one go. */
		peer_send(five, XS_RM, 0, "d", 2);
		peer_send(five, XS_WRITE, 0, "more\0", 5);
		peer_send(five, XS_RM, 0, "more", 5);
		harness_run(h);
		answered(five);
		answered(five);
		answered(five);
	}
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 1);
}

static void test_nodes_in_a_transaction(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	uint32_t tx, other;

	set_quota(h, 5, "nodes", 3);
	ok(peer_start(five, &tx));
	ok(peer_write(five, tx, "a", ""));
	ok(peer_write(five, tx, "b", ""));
	fails(ENOSPC, peer_write(five, tx, "c", ""));
	ok(peer_end(five, tx, false));
	/* What it removes makes room for what it creates. */
	ok(peer_write(five, 0, "a", ""));
	ok(peer_write(five, 0, "b", ""));
	ok(peer_start(five, &tx));
	ok(peer_rm(five, tx, "a"));
	ok(peer_write(five, tx, "c", ""));
	ok(peer_end(five, tx, true));
	/* Each of two has room, together they have not. */
	ok(peer_rm(five, 0, "c"));
	ok(peer_start(five, &tx));
	ok(peer_start(five, &other));
	ok(peer_write(five, tx, "d", ""));
	ok(peer_write(five, other, "e", ""));
	ok(peer_end(five, tx, true));
	fails(ENOSPC, peer_end(five, other, true));
	assert_false(exists(h, "/local/domain/5/e"));
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 3);
	/* One that creates nothing is not checked. */
	set_quota(h, 5, "nodes", 1);
	ok(peer_start(five, &tx));
	ok(peer_write(five, tx, "d", "1"));
	ok(peer_rm(five, tx, "b"));
	ok(peer_end(five, tx, true));
}

static void test_watches(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	char token[16];

	for (int i = 0; i < 128; i++) {
		snprintf(token, sizeof(token), "%d", i);
		ok(peer_watch(five, "x", token));
	}
	fails(EEXIST, peer_watch(five, "x", "0"));
	fails(ENOSPC, peer_watch(five, "x", "more"));
	assert_true(harness_logged(h, "Domain 5 reaches quota watches (128)"));
	ok(peer_unwatch(five, "x", "0"));
	ok(peer_watch(five, "x", "more"));
	fails(ENOSPC, peer_watch(five, "x", "0"));
	ok(peer_request(five, XS_RESET_WATCHES, 0, "", 1, NULL));
	ok(peer_watch(five, "x", "0"));
	assert_int_equal(quota_now(h, 5, "watches", NULL), 1);
}

static void test_transactions(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	uint32_t tx, first;

	ok(peer_start(five, &first));
	for (int i = 1; i < 10; i++)
		ok(peer_start(five, &tx));
	fails(ENOSPC, peer_start(five, &tx));
	assert_true(harness_logged(h, "Domain 5 reaches quota transactions (10)"));
	ok(peer_end(five, first, false));
	ok(peer_start(five, &tx));
	fails(ENOSPC, peer_start(five, &tx));
	assert_int_equal(quota_now(h, 5, "transactions", NULL), 10);
}

static void test_transaction_nodes(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	char path[16];
	uint32_t tx;

	for (int i = 0; i < 6; i++) {
		snprintf(path, sizeof(path), "n%d", i);
		ok(peer_write(five, 0, path, ""));
	}
	set_quota(h, 5, "transaction-nodes", 5);
	ok(peer_start(five, &tx));
	for (int i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "n%d", i);
		ok(i & 1 ? peer_read(five, tx, path, NULL) : peer_write(five, tx, path, "1"));
	}
	/* Again is not more. */
	ok(peer_read(five, tx, "n1", NULL));
	ok(peer_write(five, tx, "n1", "1"));
	fails(ENOSPC, peer_read(five, tx, "n5", NULL));
	assert_true(harness_logged(h, "Domain 5 reaches quota transaction-nodes (5)"));
	fails(ENOMEM, peer_end(five, tx, true));
	value_is(five, 0, "n0", "");
	/* Exactly as many commit. */
	ok(peer_start(five, &tx));
	for (int i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "n%d", i);
		ok(peer_write(five, tx, path, "1"));
	}
	ok(peer_end(five, tx, true));
	value_is(five, 0, "n0", "1");
	/* A missing node counts with the ancestors that were looked at. */
	set_quota(h, 5, "transaction-nodes", 3);
	ok(peer_start(five, &tx));
	fails(ENOENT, peer_read(five, tx, "a/b", NULL));
	fails(ENOSPC, peer_read(five, tx, "n0", NULL));
	fails(ENOMEM, peer_end(five, tx, true));
}

static void test_node_permissions(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	ok(peer_set_perms(five, 0, "/local/domain/5", "n5 r0 r0 r0 r0"));
	fails(ENOSPC, peer_set_perms(five, 0, "/local/domain/5", "n5 r0 r0 r0 r0 r0"));
	assert_true(harness_logged(h, "Domain 5 reaches quota node-permissions (5)"));
	ok(peer_set_perms(h->dom0, 0, "/local/domain/5", "n5 r0 r0 r0 r0 r0 r0"));
	/* Inherited ones are not counted. */
	ok(peer_write(five, 0, "x", ""));
	perms_are(five, 0, "x", "n5 r0 r0 r0 r0 r0 r0");
}

static int read_path_of(struct peer *peer, const char *prefix, size_t len)
{
	char path[4096];

	memset(path, 'x', sizeof(path));
	memcpy(path, prefix, strlen(prefix));
	path[len] = 0;
	return peer_read(peer, 0, path, NULL);
}

static void test_path_max(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	const char *home = "/local/domain/5/", *other = "/local/domain/65535/";

	fails(ENOENT, read_path_of(five, "", 2048));
	fails(EINVAL, read_path_of(five, "", 2049));
	fails(ENOENT, read_path_of(five, home, strlen(home) + 2048));
	fails(EINVAL, read_path_of(five, home, strlen(home) + 2049));
	fails(EACCES, read_path_of(five, other, strlen(other) + 2048));
	fails(EINVAL, read_path_of(five, other, strlen(other) + 2049));
	fails(EACCES, read_path_of(five, "/", 2048));
	fails(EINVAL, read_path_of(five, "/", 2049));
	fails(ENOENT, read_path_of(h->dom0, "/", 4095));
	set_quota(h, 5, "path-max", 3);
	fails(EINVAL, peer_read(five, 0, "four", NULL));
	fails(ENOENT, peer_read(five, 0, "two", NULL));
	fails(EINVAL, peer_watch(five, "four", "t"));
	set_quota(h, 5, "path-max", 0);
	fails(ENOENT, read_path_of(five, "", 4000));
}

static void test_node_size(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	char value[2049];

	memset(value, 'v', sizeof(value));
	/* 16 and 8 for each entry, and the value. */
	value[2048 - 24] = 0;
	ok(peer_write(five, 0, "x", value));
	value[2048 - 24] = 'v';
	value[2048 - 24 + 1] = 0;
	fails(ENOSPC, peer_write(five, 0, "x", value));
	fails(ENOSPC, peer_write(five, 0, "y", value));
	assert_false(exists(h, "/local/domain/5/y"));
	assert_true(harness_logged(h, "Domain 5 reaches quota node-size (2048)"));
	fails(ENOSPC, peer_set_perms(five, 0, "x", "n5 r0"));
	perms_are(five, 0, "x", "n5");
	ok(peer_write(h->dom0, 0, "/local/domain/5/x", value));
	value_is(five, 0, "x", value);
	ok(peer_write(five, 0, "x", ""));
	ok(peer_set_perms(five, 0, "x", "n5 r0"));
}

static void test_node_size_of_a_parent(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	/* Home: 24, "12345" and "123" with their NULs: 34. */
	set_quota(h, 5, "node-size", 34);
	ok(peer_write(five, 0, "12345", ""));
	ok(peer_write(five, 0, "123", ""));
	fails(ENOSPC, peer_write(five, 0, "a", ""));
	fails(ENOSPC, peer_write(five, 0, "a/b", ""));
	ok(peer_write(five, 0, "123/b", ""));
	/* A list that dom0 made longer can be shortened, and used. */
	ok(peer_mkdir(h->dom0, 0, "/local/domain/5/long-name"));
	fails(ENOSPC, peer_write(five, 0, "/local/domain/5", ""));
	ok(peer_rm(five, 0, "12345"));
	fails(ENOSPC, peer_write(five, 0, "a", ""));
	ok(peer_rm(five, 0, "long-name"));
	ok(peer_write(five, 0, "abcde", ""));
}

static void test_a_name_in_between_that_is_too_long_for_its_parent(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	set_quota(h, 5, "node-size", 34);
	fails(ENOSPC, peer_write(five, 0, "a/name-with-17-ch/b", ""));
	assert_false(exists(h, "/local/domain/5/a"));
	ok(peer_write(five, 0, "a/ninechars/b", ""));
}

static void test_domain_values_and_global_ones(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5), *six;

	ok(peer_ask(h->dom0, XS_SET_QUOTA, 0, "watches 1", NULL));
	assert_int_equal(get_quota(h, "watches"), 1);
	assert_int_equal(get_quota(h, "5 watches"), 128);
	ok(peer_watch(five, "x", "1"));
	ok(peer_watch(five, "x", "2"));
	six = guest(h, 6);
	assert_int_equal(get_quota(h, "6 watches"), 1);
	ok(peer_watch(six, "x", "1"));
	fails(ENOSPC, peer_watch(six, "x", "2"));
	set_quota(h, 6, "watches", 2);
	ok(peer_watch(six, "x", "2"));
	fails(ENOSPC, peer_watch(six, "x", "3"));
	/* 0 is no limit. */
	set_quota(h, 6, "watches", 0);
	ok(peer_watch(six, "x", "3"));
	/* A value below what is there takes nothing away. */
	set_quota(h, 5, "watches", 1);
	fails(ENOSPC, peer_watch(five, "x", "3"));
	/* The successor starts with the global ones. */
	harness_destroy(h, 6);
	assert_non_null(harness_guest(h, 6));
	assert_int_equal(get_quota(h, "6 watches"), 1);
	/* A domain that exists can be given its quotas before it is introduced. */
	harness_create(h, 7);
	set_quota(h, 7, "watches", 5);
	assert_non_null(harness_guest(h, 7));
	assert_int_equal(get_quota(h, "7 watches"), 5);
}

static void test_dom0s_ring_is_exempt(void **state)
{
	struct harness *h = *state;
	struct peer *zero = harness_guest(h, 0);
	uint32_t tx;

	set_quota(h, 0, "watches", 1);
	set_quota(h, 0, "transactions", 1);
	set_quota(h, 0, "nodes", 1);
	set_quota(h, 0, "memory", 100);
	set_quota(h, 0, "node-size", 30);
	set_quota(h, 0, "node-permissions", 1);
	set_quota(h, 0, "outstanding", 1);
	ok(peer_watch(zero, "/x", "1"));
	ok(peer_watch(zero, "/x", "2"));
	ok(peer_start(zero, &tx));
	ok(peer_start(zero, &tx));
	ok(peer_write(zero, 0, "/x/y/z", "a value of more than thirty bytes"));
	ok(peer_set_perms(zero, 0, "/x", "n0 r0 r0"));
}

static void test_reaching_a_quota_is_told_every_ten_seconds(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5), *six = guest(h, 6);

	set_quota(h, 5, "nodes", 1);
	set_quota(h, 6, "nodes", 1);
	for (int i = 0; i < 5; i++)
		fails(ENOSPC, peer_write(five, 0, "x", ""));
	assert_int_equal(harness_log_count(h, "Domain 5 reaches quota nodes (1)"), 1);
	/* Another domain or another quota is another matter. */
	fails(ENOSPC, peer_write(six, 0, "x", ""));
	assert_int_equal(harness_log_count(h, "Domain 6 reaches quota nodes (1)"), 1);
	fails(ENOSPC, peer_set_perms(five, 0, "/local/domain/5", "n5 n5 n5 n5 n5 n5"));
	assert_int_equal(harness_log_count(h, "Domain 5 reaches quota node-permissions (5)"), 1);
	h->now += 9999;
	fails(ENOSPC, peer_write(five, 0, "x", ""));
	assert_int_equal(harness_log_count(h, "Domain 5 reaches quota nodes (1)"), 1);
	h->now += 1;
	fails(ENOSPC, peer_write(five, 0, "x", ""));
	assert_int_equal(harness_log_count(h, "Domain 5 reaches quota nodes (1)"), 2);
}

static void test_maxima(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5), *six = guest(h, 6);
	struct answer answer;
	unsigned int max;

	ok(peer_write(five, 0, "a/b", "12345678"));
	ok(peer_write(six, 0, "a/b/c/d", ""));
	ok(peer_rm(six, 0, "a"));
	for (int i = 0; i < 9; i++)
		ok(peer_mkdir(h->dom0, 0, "/dom0/a/b/c/d/e/f/g/h/i/j"));
	assert_int_equal(quota_now(h, 6, "nodes", &max), 1);
	assert_int_equal(max, 5);
	assert_int_equal(quota_now(h, 5, "node-size", &max), 0);
	assert_int_equal(max, 32);
	assert_int_equal(quota_now(h, 5, "path-max", &max), 0);
	assert_int_equal(max, 3);
	ok(peer_ask(h->dom0, XS_CONTROL, 0, "quota max", &answer));
	assert_non_null(strstr(answer.payload, "\nnodes            :        5"));
	ok(peer_ask(h->dom0, XS_CONTROL, 0, "quota max -r", &answer));
	assert_non_null(strstr(answer.payload, "\nnodes            :        0"));
	assert_int_equal(quota_now(h, 6, "nodes", &max), 1);
	assert_int_equal(max, 1);
	fails(ENOENT, peer_ask(h->dom0, XS_CONTROL, 0, "quota 7", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_nodes),
		world_test(test_nodes_default_is_a_thousand),
		world_test(test_nodes_of_dom0s_making_count_but_are_not_refused),
		world_test(test_removed_nodes_make_room_at_once),
		world_test(test_nodes_in_a_transaction),
		world_test(test_watches),
		world_test(test_transactions),
		world_test(test_transaction_nodes),
		world_test(test_node_permissions),
		world_test(test_path_max),
		world_test(test_node_size),
		world_test(test_node_size_of_a_parent),
		world_test(test_a_name_in_between_that_is_too_long_for_its_parent),
		world_test(test_domain_values_and_global_ones),
		world_test(test_dom0s_ring_is_exempt),
		world_test(test_reaching_a_quota_is_told_every_ten_seconds),
		world_test(test_maxima),
	};

	return run_group(tests);
}
