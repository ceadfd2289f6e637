/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each kind of state, out and back: what the restored core says of it, and "save, restore, save
 * again" giving the same bytes, which migration_finish() compares.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guests.h"
#include "migrate.h"

static void update(struct harness *h)
{
	struct migration migration = {0};
	char why[512] = "";

	migration_begin(&migration, h);
	if (!migration_finish(&migration, why, sizeof(why)))
		fail_msg("%s", why);
	/* And once more, from what was restored. */
	migration_begin(&migration, h);
	if (!migration_finish(&migration, why, sizeof(why)))
		fail_msg("the second time: %s", why);
}

static struct account *account_of(struct harness *h, unsigned int domid)
{
	return &domain_find(&h->core->state.domains, domid)->account;
}

static unsigned int pending(struct peer *peer, uint32_t type)
{
	struct answer answer;
	unsigned int count = 0;

	while (peer_receive(peer, &answer))
		count += answer.header.type == type;
	return count;
}

static void test_messages(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5), *six = guest(h, 6);
	char payload[64];

	node(h, "/x", "n0 b5 r6");
	ok(peer_watch(six, "/x", "t"));
	peer_forget_events(six);
	six->take_max = 7; /* half a header, and nothing more */
	for (int i = 0; i < 10; i++) {
		int len = snprintf(payload, sizeof(payload), "/x/%d", i);

		h->now += 100;
		ok(peer_request(five, XS_WRITE, 0, payload, (size_t)len + 1, NULL));
	}
	peer_send(six, XS_READ, 0, "/x", 3);
	peer_push(six, "\2\0\0", 3); /* the start of another request */
	harness_run(h);
	update(h);
	assert_int_equal(account_of(h, 5)->now[QUOTA_OUTSTANDING], 10);
	/* The same event again is none, since it is still to be taken. */
	ok(peer_write(h->dom0, 0, "/x/3", "again"));
	/* The first half of them expires at its own time, but for the one that is half sent. */
	h->now += 20000 - 500;
	harness_run(h);
	six->take_max = SIZE_MAX;
	harness_run(h);
	assert_int_equal(pending(six, XS_WATCH_EVENT), 1 + 5);
	assert_int_equal(account_of(h, 5)->now[QUOTA_OUTSTANDING], 0);
}

static void test_a_guest_over_its_memory_quota(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	char value[2000];

	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = 0;
	ok(peer_write(h->dom0, 0, "/local/domain/5/big", value));
	ok(peer_set_perms(h->dom0, 0, "/local/domain/5/big", "n0 r5"));
	ok(peer_watch(five, "data", "t"));
	peer_forget_events(five);
	five->take_max = 0;
	for (int i = 0; i < 5; i++)
		peer_send(five, XS_READ, 0, "big", 4);
	ok(peer_write(h->dom0, 0, "/local/domain/5/data", ""));
	harness_run(h);
	/* What it holds is more than it may now. */
	set_quota(h, 5, "memory", 3000);
	harness_run(h);
	h->log_len = 0;
	h->log[0] = 0;
	update(h);
	assert_false(harness_logged(h, "memory quota"));
	five->take_max = SIZE_MAX;
	harness_run(h);
	{
		struct answer answer;
		unsigned int replies = 0, events = 0;

		while (peer_receive(five, &answer)) {
			replies += answer.header.type == XS_READ && answer.header.len == 1999;
			events += answer.header.type == XS_WATCH_EVENT;
			assert_int_not_equal(answer.header.type, XS_ERROR);
		}
		assert_int_equal(replies, 5);
		assert_int_equal(events, 1);
	}
}

/* Watches of several clients, registered in turns. */
static void test_watches(void **state)
{
	struct harness *h = *state;
	struct peer *one = harness_socket(h), *two = harness_socket(h);
	const struct watch *watch;
	uint64_t last = 0;
	char token[16];

	for (int i = 0; i < 6; i++) {
		snprintf(token, sizeof(token), "%d", i);
		ok(peer_watch(i % 2 ? one : two, "/w", token));
	}
	ok(peer_ask(one, XS_WATCH, 0, "/w deep 2", NULL));
	peer_forget_events(one);
	peer_forget_events(two);
	update(h);
	/* In the index, too, they stand in the order in which they came. */
	TAILQ_FOREACH(watch, &watch_node_find(&h->core->watches, "/w", 2)->watches, of_node) {
		assert_true(watch->sequence > last);
		last = watch->sequence;
	}
	ok(peer_write(h->dom0, 0, "/w/a/b/c", ""));
	assert_string_equal(peer_event(one), "/w/a/b/c 1");
	assert_string_equal(peer_event(one), "/w/a/b/c 3");
	assert_string_equal(peer_event(one), "/w/a/b/c 5");
	assert_string_equal(peer_event(one), "");
	assert_string_equal(peer_event(two), "/w/a/b/c 0");
}

static void test_statistics(void **state)
{
	struct harness *h = *state;
	struct answer before, after;
	struct peer *five = guest(h, 5);
	char path[64];

	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "data/%d", i);
		ok(peer_write(five, 0, path, ""));
	}
	ok(peer_rm(five, 0, "data"));
	ok(peer_ask(h->dom0, XS_CONTROL, 0, "quota 5", &before));
	assert_non_null(strstr(before.payload, "(max       2"));
	update(h);
	ok(peer_ask(h->dom0, XS_CONTROL, 0, "quota 5", &after));
	assert_string_equal(before.payload, after.payload);
	ok(peer_ask(h->dom0, XS_CONTROL, 0, "quota max", &after));
	assert_non_null(strstr(after.payload, "nodes            :       2"));
}

static void test_quotas_features_targets(void **state)
{
	struct harness *h = *state;
	struct answer answer;

	guest(h, 5);
	guest(h, 6);
	set_quota(h, 5, "nodes", 77);
	ok(peer_ask(h->dom0, XS_CONTROL, 0, "quota set watches 99", NULL));
	ok(peer_ask(h->dom0, XS_SET_TARGET, 0, "5 6", NULL));
	harness_shutdown(h, 6);
	update(h);
	assert_int_equal(account_of(h, 5)->limits.hard[QUOTA_NODES], 77);
	assert_int_equal(account_of(h, 5)->limits.hard[QUOTA_WATCHES], 128);
	ok(peer_ask(h->dom0, XS_CONTROL, 0, "quota", &answer));
	assert_non_null(strstr(answer.payload, "99"));
	assert_true(domain_find(&h->core->state.domains, 5)->target ==
		    domain_find(&h->core->state.domains, 6)->record);
	/* That it has shut down has been told. */
	ok(peer_watch(h->dom0, "@releaseDomain", "t"));
	peer_forget_events(h->dom0);
	harness_tell(h);
	assert_string_equal(peer_event(h->dom0), "");
}

static void test_write_credit(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	struct credit *credit;
	int64_t points;
	char path[64];

	guest(h, 6);
	node(h, "/x", "n0 b5");
	ok(peer_watch(h->dom0, "/x", "t"));
	for (int i = 0; i < 30; i++) {
		int len = snprintf(path, sizeof(path), "/x/%d", i);

		peer_send(five, XS_WRITE, 0, path, (size_t)len + 1);
	}
	harness_run(h);
	credit = &domain_find(&h->core->state.domains, 5)->credit;
	points = credit->points;
	update(h);
	credit = &domain_find(&h->core->state.domains, 5)->credit;
	assert_int_equal(credit->points, points);
	assert_true(credit->joined);
}

static void test_ignored_and_ending(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5), *socket = harness_socket(h);
	static const char absurd[16] = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 99, 0};

	peer_push(five, absurd, sizeof(absurd));
	peer_send(socket, XS_READ, 0, "/", 2);
	socket->hung_up = true;
	socket->take_max = 3;
	harness_run(h);
	assert_int_not_equal(five->failed, 0);
	update(h);
	peer_send(five, XS_READ, 0, "/", 2);
	harness_run(h);
	assert_int_equal(five->from_len, 0);
	/* The reply of the one that has finished is still to be sent; then it is closed. */
	assert_false(socket->closed);
	socket->take_max = SIZE_MAX;
	harness_run(h);
	assert_true(socket->closed);
	assert_int_equal(socket->from_len, 16 + 0);
}

static char log_name[] = "/var/log/xenstored/traced";
static struct stream_log told;

static void get_log(void *data, struct stream_log *log)
{
	(void)data;
	log->flags = STREAM_LOG_ON;
	log->switches = 5;
	log->file = (struct stream_text){log_name, sizeof(log_name) - 1};
}

static void set_log(void *data, const struct stream_log *log)
{
	(void)data;
	told = *log;
	told.file.data = strdup(log->file.data);
}

static void test_log_settings(void **state)
{
	struct harness *h = *state;
	struct migration migration = {0};
	char why[512] = "";

	migration_begin(&migration, h);
	migration.process.get_log = get_log;
	migration.process.set_log = set_log;
	if (!migration_finish(&migration, why, sizeof(why)))
		fail_msg("%s", why);
	assert_int_equal(told.flags, STREAM_LOG_ON);
	assert_int_equal(told.switches, 5);
	assert_string_equal(told.file.data, log_name);
	free((char *)(uintptr_t)told.file.data);
}

static void put_node(struct stream_writer *writer, const char *path, unsigned int owner)
{
	struct stream_perm perm = {.letter = 'n', .domid = (uint16_t)owner};
	struct stream_node node = {.path = path,
				   .path_len = (uint16_t)strlen(path),
				   .value = (const uint8_t *)path,
				   .value_len = (uint16_t)strlen(path),
				   .perms = &perm,
				   .perm_count = 1};

	assert_int_equal(stream_put_node(writer, &node), 0);
}

/* An image of another xenstored: what can be restored is, and the rest is told. */
static void test_what_is_dropped(void **state)
{
	struct harness *h = *state;
	struct stream_global global = {-1, -1};
	struct image_process process = {.listen_fd = -1, .evtchn_fd = -1};
	struct stream_buffer image = {0};
	struct stream_writer writer;
	struct image_report report;
	struct answer answer;
	char path[32];

	harness_create(h, 5);
	assert_int_equal(stream_writer_init(&writer, stream_dialect_find("4.21"), 0,
					    stream_buffer_put, &image),
			 0);
	stream_put_global(&writer, &global);
	put_node(&writer, "/", 0);
	put_node(&writer, "/a", 0);
	put_node(&writer, "/a/owned", 5);
	put_node(&writer, "/b", 0);
	for (int i = 0; i < 40; i++) {
		snprintf(path, sizeof(path), "/b/%d", i);
		put_node(&writer, path, 0);
		if (i == 20)
			put_node(&writer, "/b/20/below", 5);
	}
	put_node(&writer, "/b/20", 5);
	put_node(&writer, "/b/20/second", 5);
	put_node(&writer, "/a/late", 0); /* its parent is there, if not the last one */
	put_node(&writer, "/a/late/below", 0);
	put_node(&writer, "/none/x", 0);
	put_node(&writer, "/dead", 9);
	put_node(&writer, "/dead/below", 0);
	put_node(&writer, "/no//name", 0);
	put_node(&writer, "@other", 0);
	stream_put_end(&writer);
	assert_int_equal(image_restore(h->core, &process, image.data, image.len, &report), 0);
	stream_buffer_deinit(&image);
	harness_run_untold(h);
	assert_int_equal(report.dropped_nodes, 6);
	assert_true(harness_logged(h, "node /dead: its owner, domain 9"));
	assert_true(harness_logged(h, "not restored: node /none/x"));
	assert_true(harness_logged(h, "not restored: second node /b/20"));
	assert_true(harness_logged(h, "special node @other"));
	ok(peer_directory(h->dom0, 0, "/a", &answer));
	assert_memory_equal(answer.payload, "owned\0late", 11);
	ok(peer_directory(h->dom0, 0, "/b/20", &answer));
	assert_string_equal(answer.payload, "below");
	value_is(h->dom0, 0, "/a/late/below", "/a/late/below");
	/* What was dropped is on nobody's account. */
	assert_int_equal(account_of(h, 5)->now[QUOTA_NODES], 2);
}

static struct client *adopt_dom0(void *data, int fd)
{
	(void)fd;
	return ((struct harness *)data)->dom0->client;
}

/* Others hold requests back in any number: a connection's input may be as long as the format lets
 * it. */
static void test_the_longest_input(void **state)
{
	static const struct wire_header header = {.type = XS_READ, .req_id = 3, .len = 2};
	static uint8_t input[UINT16_MAX];
	const size_t one = sizeof(header) + 2, count = sizeof(input) / one;
	struct harness *h = *state;
	struct stream_global global = {-1, -1};
	struct stream_connection socket = {.id = 1,
					   .type = STREAM_SOCKET,
					   .target = STREAM_NO_TARGET,
					   .fd = 9,
					   .input = input,
					   .input_len = sizeof(input)};
	struct image_process process = {
		.listen_fd = -1, .evtchn_fd = -1, .adopt_socket = adopt_dom0, .data = h};
	struct stream_buffer image = {0};
	struct stream_writer writer;
	struct image_report report;

	for (size_t i = 0; i < count; i++) {
		memcpy(input + i * one, &header, sizeof(header));
		memcpy(input + i * one + sizeof(header), "/", 2);
	}
	memcpy(input + count * one, &header, sizeof(input) - count * one);
	assert_int_equal(stream_writer_init(&writer, stream_dialect_find("4.21"), 0,
					    stream_buffer_put, &image),
			 0);
	stream_put_global(&writer, &global);
	assert_int_equal(stream_put_connection(&writer, &socket), 0);
	put_node(&writer, "/", 0);
	stream_put_end(&writer);
	assert_int_equal(image_restore(h->core, &process, image.data, image.len, &report), 0);
	stream_buffer_deinit(&image);
	harness_run(h);
	/* The last one is not complete yet. */
	peer_push(h->dom0, (const char *)&header + sizeof(input) - count * one,
		  sizeof(header) - (sizeof(input) - count * one));
	peer_push(h->dom0, "/", 2);
	harness_run(h);
	assert_int_equal(pending(h->dom0, XS_READ), count + 1);
}

static int (*any_ring)(void *data, unsigned int domid, uint32_t port, struct transport **transport);

static int no_ring_of_five(void *data, unsigned int domid, uint32_t port,
			   struct transport **transport)
{
	return domid == 5 ? -ENOENT : any_ring(data, domid, port, transport);
}

/* A domain is gone when its ring is to be mapped. What it was to be told goes, others' stays. */
static void test_a_ring_that_is_gone(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5), *six = guest(h, 6), *seven = guest(h, 7);
	struct migration migration = {0};
	struct client *client;
	char why[512] = "", path[32];

	node(h, "/x", "n0 b7 r5 r6");
	node(h, "/y", "n0 b7 r6");
	ok(peer_watch(five, "/x", "t"));
	ok(peer_watch(six, "/x/2", "t"));
	ok(peer_watch(six, "/y", "t"));
	peer_forget_events(five);
	peer_forget_events(six);
	five->take_max = six->take_max = 0;
	for (int i = 0; i < 6; i++) {
		snprintf(path, sizeof(path), "/%c/%d", i < 3 ? 'x' : 'y', i);
		ok(peer_write(seven, 0, path, ""));
	}
	assert_int_equal(account_of(h, 7)->now[QUOTA_OUTSTANDING], 6);
	migration_begin(&migration, h);
	any_ring = migration.process.adopt_ring;
	migration.process.adopt_ring = no_ring_of_five;
	assert_false(migration_finish(&migration, why, sizeof(why)));
	assert_string_equal(why, "dropped: 1 clients, 0 nodes, 1 watches");
	TAILQ_FOREACH(client, &h->core->clients, link)
		((struct peer *)(void *)client->transport)->client = client;
	five->closed = true;
	/* Of the writes to /x the last was told to another one as well. */
	assert_int_equal(account_of(h, 7)->now[QUOTA_OUTSTANDING], 4);
	six->take_max = SIZE_MAX;
	harness_run(h);
	assert_int_equal(pending(six, XS_WATCH_EVENT), 4);
	assert_int_equal(account_of(h, 7)->now[QUOTA_OUTSTANDING], 0);
}

/* Put @difference into an image that is right otherwise, and restore that. Returns the result. */
static int restore_difference(uint32_t operation, const char *path, size_t len, uint32_t value_len)
{
	static const uint8_t value[UINT16_MAX + 1];
	struct stream_own_perm owner = {.letter = 'n'};
	struct stream_tx_difference difference = {.operation = operation,
						  .path = {path, (uint32_t)len},
						  .perms = {&owner, operation == STREAM_SET},
						  .value = {value, value_len}};
	struct stream_image front = {.format = STREAM_OWN_FORMAT, .program = {"test", 4}};
	struct stream_tx tx = {.tx_id = 1, .differences = 1};
	struct image_process process = {.listen_fd = -1, .evtchn_fd = -1};
	struct harness *h = harness_new();
	struct stream_buffer image = {0};
	struct stream_writer writer;
	struct image_report report;
	int error;

	assert_int_equal(stream_writer_init(&writer, stream_dialect_find("own"), 0,
					    stream_buffer_put, &image),
			 0);
	assert_int_equal(stream_put_own(&writer, STREAM_IMAGE, &front), 0);
	assert_int_equal(stream_put_own(&writer, STREAM_TX, &tx), 0);
	assert_int_equal(stream_put_own(&writer, STREAM_TX_DIFFERENCE, &difference), 0);
	stream_put_end(&writer);
	error = image_restore(h->core, &process, image.data, image.len, &report);
	stream_buffer_deinit(&image);
	harness_free(h);
	return error;
}

/* Paths that no program of ours writes are refused, not followed. */
static void test_impossible_differences(void **state)
{
	static char longest[2 * PATH_SIZE];

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[0] = '/';
	assert_int_equal(restore_difference(STREAM_SET, "/a", 2, 0), 0);
	assert_int_equal(restore_difference(STREAM_SET, "/a", 2, UINT16_MAX + 1), EINVAL);
	assert_int_equal(restore_difference(STREAM_REMOVE, "/", 1, 0), EINVAL);
	assert_int_equal(restore_difference(STREAM_REMOVE, "@releaseDomain", 14, 0), EINVAL);
	for (uint32_t i = STREAM_SET; i <= STREAM_ORDER; i++) {
		assert_int_equal(restore_difference(i, "", 0, 0), EINVAL);
		assert_int_equal(restore_difference(i, "a", 1, 0), EINVAL);
		assert_int_equal(restore_difference(i, longest, sizeof(longest) - 1, 0), EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_messages),
		world_test(test_a_guest_over_its_memory_quota),
		world_test(test_watches),
		world_test(test_statistics),
		world_test(test_quotas_features_targets),
		world_test(test_write_credit),
		world_test(test_ignored_and_ending),
		world_test(test_log_settings),
		world_test(test_what_is_dropped),
		world_test(test_the_longest_input),
		world_test(test_a_ring_that_is_gone),
		cmocka_unit_test(test_impossible_differences),
	};

	return run_group(tests);
}
