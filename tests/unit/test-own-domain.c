/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A daemon that runs in a domain of its own (1) while dom0 is the privileged
 * one: privilege follows the domid of a connection and nothing else (spec:
 * protocol.md section 2).
 */
#include "core/domains.h"
#include "guests.h"
#include "liveupdate/image.h"

struct world_of_two {
	struct harness *h;
	struct peer *zero;   /* dom0's ring */
	struct peer *socket; /* of a program beside the daemon */
};

static struct world_of_two start(void)
{
	struct core_config config = harness_config();
	struct world_of_two world;

	config.own_domid = 1;
	config.priv_domid = 0;
	world.h = new_world(&config);
	harness_create(world.h, 1);
	/* As at the daemon's start. */
	ok(core_introduce(world.h->core, 0, 1, INTRODUCE_START));
	world.zero = harness_find_guest(world.h, 0);
	world.socket = world.h->dom0;
	/* The shorthands ask as the one who may. */
	world.h->dom0 = world.zero;
	return world;
}

static void test_sockets_are_not_privileged(void **state)
{
	struct world_of_two world = start();
	struct answer answer;

	(void)state;
	fails(EACCES, peer_ask(world.socket, XS_CONTROL, 0, "help", NULL));
	fails(EACCES, peer_ask(world.socket, XS_INTRODUCE, 0, "5 1 9", NULL));
	fails(EACCES, peer_write(world.socket, 0, "/x", ""));
	fails(EACCES, peer_read(world.socket, 0, "/tool", NULL));
	ok(peer_ask(world.socket, XS_GET_DOMAIN_PATH, 0, "1", &answer));
	harness_free(world.h);
}

static void test_dom0s_ring_is_privileged(void **state)
{
	struct world_of_two world = start();
	struct peer *five;

	(void)state;
	ok(peer_write(world.zero, 0, "/x/y", "1"));
	perms_are(world.zero, 0, "/x/y", "n0");
	five = guest(world.h, 5);
	ok(peer_write(five, 0, "x", ""));
	harness_destroy(world.h, 5);
	assert_false(exists(world.h, "/local/domain/5"));
	harness_free(world.h);
}

static void test_sockets_have_the_daemons_own_identity(void **state)
{
	struct world_of_two world = start();

	(void)state;
	node(world.h, "/own", "n1");
	node(world.h, "/local/domain/1", "n1");
	ok(peer_write(world.socket, 0, "/own/x", "1"));
	perms_are(world.socket, 0, "/own/x", "n1");
	ok(peer_write(world.socket, 0, "relative", "2"));
	value_is(world.zero, 0, "/local/domain/1/relative", "2");
	fails(EPERM, peer_set_perms(world.socket, 0, "/own", "n0"));
	assert_int_equal(quota_now(world.h, 1, "nodes", NULL), 4);
	harness_free(world.h);
}

static void test_sockets_are_exempt_from_quotas_all_the_same(void **state)
{
	struct world_of_two world = start();
	uint32_t tx;

	(void)state;
	node(world.h, "/own", "n1");
	set_quota(world.h, 1, "nodes", 1);
	set_quota(world.h, 1, "watches", 1);
	set_quota(world.h, 1, "transactions", 1);
	set_quota(world.h, 1, "memory", 10);
	for (int i = 0; i < 3; i++) {
		char name[32];

		snprintf(name, sizeof(name), "/own/%d", i);
		ok(peer_write(world.socket, 0, name, ""));
		ok(peer_watch(world.socket, "/own", name));
		ok(peer_start(world.socket, &tx));
	}
	ok(peer_set_perms(world.socket, 0, "/own", "n1 r32757 r0 r0 r0 r0 r0"));
	harness_free(world.h);
}

static void test_neither_of_the_two_can_be_released(void **state)
{
	struct world_of_two world = start();

	(void)state;
	fails(EINVAL, release(world.h, "0"));
	fails(EINVAL, release(world.h, "1"));
	is_introduced(world.h, "0", "T");
	harness_free(world.h);
}

static void test_its_own_ring_is_not_exempt(void **state)
{
	struct world_of_two world = start();
	struct peer *one;

	(void)state;
	one = guest(world.h, 1);
	set_quota(world.h, 1, "watches", 1);
	ok(peer_watch(one, "x", "1"));
	fails(ENOSPC, peer_watch(one, "x", "2"));
	fails(EACCES, peer_ask(one, XS_CONTROL, 0, "help", NULL));
	harness_free(world.h);
}

static int no_ring(void *data, unsigned int domid, uint32_t port, struct transport **transport)
{
	(void)data;
	(void)port;
	(void)transport;
	if (domid == 1)
		fail_msg("our own ring is not to be mapped");
	return -ENOENT;
}

static struct client *no_socket(void *data, int fd)
{
	(void)data;
	(void)fd;
	return NULL;
}

/*
 * Another xenstored that is a domain knows its own nodes' owner by a ring of its own, which ours
 * does not have; and has one, which means nothing to us.
 */
static void test_other_readers_are_told_of_its_ring(void **state)
{
	static const char name[] = "/local/domain/1/name";
	struct world_of_two world = start();
	struct core_config config = harness_config();
	struct harness *restored;
	const struct node *found;
	struct image_process process = {.listen_fd = -1,
					.evtchn_fd = -1,
					.has_own_ring = true,
					.own_port = 77,
					.adopt_ring = no_ring,
					.adopt_socket = no_socket};
	struct image_requester requester = {0};
	struct stream_buffer image = {0};
	struct stream_writer writer;
	struct stream_reader reader;
	struct stream_record record;
	struct stream_error error;
	struct image_report report;
	unsigned int rings = 0, nodes_before = 0;

	(void)state;
	node(world.h, name, "n1");
	assert_int_equal(stream_writer_init(&writer, stream_dialect_find("4.22"), 0,
					    stream_buffer_put, &image),
			 0);
	assert_int_equal(image_save(world.h->core, &process, &requester, &writer), 0);
	assert_int_equal(stream_reader_init(&reader, image.data, image.len, &error), 0);
	while (stream_next(&reader, &record, &error) == STREAM_RECORD) {
		nodes_before += record.type == STREAM_NODE && !rings;
		if (record.type != STREAM_CONNECTION || record.connection.type != STREAM_RING ||
		    record.connection.domid != 1)
			continue;
		rings++;
		assert_int_equal(record.connection.port, 77);
		assert_int_equal(record.connection.input_len, 0);
		assert_int_equal(record.connection.output_len, 0);
	}
	assert_int_equal(rings, 1);
	assert_int_equal(nodes_before, 0);
	harness_free(world.h);

	config.own_domid = 1;
	config.priv_domid = 0;
	restored = harness_new_with(&config);
	harness_create(restored, 1);
	assert_int_equal(image_restore(restored->core, &process, image.data, image.len, &report),
			 0);
	assert_int_equal(report.dropped_nodes, 0);
	found = tree_find(&restored->core->state.live, name, strlen(name));
	assert_non_null(found);
	assert_int_equal(found->perms->entry[0].domid, 1);
	assert_null(domain_find(&restored->core->state.domains, 1)->client);
	harness_free(restored);
	stream_buffer_deinit(&image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sockets_are_not_privileged),
		cmocka_unit_test(test_dom0s_ring_is_privileged),
		cmocka_unit_test(test_sockets_have_the_daemons_own_identity),
		cmocka_unit_test(test_sockets_are_exempt_from_quotas_all_the_same),
		cmocka_unit_test(test_neither_of_the_two_can_be_released),
		cmocka_unit_test(test_its_own_ring_is_not_exempt),
		cmocka_unit_test(test_other_readers_are_told_of_its_ring),
	};

	return run_group(tests);
}
