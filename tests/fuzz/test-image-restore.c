/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Restoring damaged images. The image of a core with something of everything is
 * cut off at every byte, and changed in any way; a fresh core is then restored
 * from it, whether the checker has accepted it or not, since a file that another
 * xenstored has written is restored as far as possible. Nothing may touch what
 * is not its (the tests run with sanitizers, on an exact copy). What the
 * checker accepts can be restored; what was restored is served for a while, and
 * is an image again that the checker accepts.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harness.h"
#include "liveupdate/image.h"
#include "liveupdate/stream-check.h"
#include "tests/unit/setting.h"

/* Turns of a restored core: some requests may be among what was changed. */
#define TURNS 50

static struct harness *harness;
static uint64_t seed = 4711;

static uint32_t below(uint32_t limit)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 11) % limit;
}

/* ---- connections that lead nowhere ---- */

struct nowhere {
	struct transport transport; /* first */
	struct transport_place place;
};

static ssize_t nothing_comes(struct transport *transport, void *data, size_t len)
{
	(void)transport;
	(void)data;
	(void)len;
	return -EAGAIN;
}

static ssize_t all_goes(struct transport *transport, const void *data, size_t len)
{
	(void)transport;
	(void)data;
	return (ssize_t)len;
}

static void no_failure(struct transport *transport, int error)
{
	(void)transport;
	(void)error;
}

static void close_nothing(struct transport *transport)
{
	free(transport);
}

static void describe(struct transport *transport, struct transport_place *place)
{
	*place = ((struct nowhere *)(void *)transport)->place;
}

static const struct transport_ops nowhere_ops = {
	.receive = nothing_comes,
	.send = all_goes,
	.fail = no_failure,
	.close = close_nothing,
	.describe = describe,
};

static struct transport *new_nowhere(int fd, uint32_t port)
{
	struct nowhere *nowhere = calloc(1, sizeof(*nowhere));

	assert_non_null(nowhere);
	nowhere->transport.ops = &nowhere_ops;
	nowhere->place.fd = fd;
	nowhere->place.port = port;
	return &nowhere->transport;
}

static struct client *adopt_socket(void *data, int fd)
{
	return core_accept(data, new_nowhere(fd, 0));
}

static int adopt_ring(void *data, unsigned int domid, uint32_t port, struct transport **transport)
{
	(void)data;
	(void)domid;
	*transport = new_nowhere(-1, port);
	return 0;
}

/* ---- the images ---- */

static void fill(void)
{
	struct peer *socket = harness_socket(harness), *idle = harness_socket(harness);
	struct peer *one = harness_guest(harness, 1), *two = harness_guest(harness, 2);
	uint32_t tx, other;

	harness_create(harness, 3);
	for (int i = 0; i < 12; i++) {
		char path[64], value[32];

		snprintf(path, sizeof(path), "/local/domain/%d/data/n%d", i % 3, i);
		snprintf(value, sizeof(value), "value %d", i);
		assert_int_equal(peer_write(socket, 0, path, value), 0);
		assert_int_equal(peer_set_perms(socket, 0, path, i % 2 ? "n1 r2" : "n2 b1 w3"), 0);
	}
	assert_int_equal(peer_set_perms(socket, 0, "/local/domain/1", "n1"), 0);
	assert_int_equal(peer_set_perms(socket, 0, "/local/domain/1/data", "n1 r2"), 0);
	assert_int_equal(peer_set_perms(socket, 0, "/local/domain/2", "n2"), 0);
	assert_int_equal(peer_ask(socket, XS_SET_TARGET, 0, "2 1", NULL), 0);
	assert_int_equal(peer_ask(socket, XS_SET_QUOTA, 0, "3 nodes 55", NULL), 0);
	assert_int_equal(peer_watch(one, "data", "token"), 0);
	assert_int_equal(peer_watch(socket, "@releaseDomain", "r"), 0);
	assert_int_equal(peer_ask(two, XS_WATCH, 0, "/local/domain/2 deep 2", NULL), 0);
	assert_int_equal(peer_start(one, &tx), 0);
	assert_int_equal(peer_write(one, tx, "data/in-tx", "1"), 0);
	assert_int_equal(peer_rm(one, tx, "data/in-tx"), 0);
	assert_int_equal(peer_write(socket, 0, "/local/domain/1/data/late", "x"), 0);
	assert_int_equal(peer_start(socket, &other), 0);
	assert_int_equal(peer_rm(socket, other, "/local/domain/0/data/n3"), 0);
	assert_int_equal(peer_mkdir(socket, other, "/made/by/it"), 0);
	assert_int_equal(peer_rm(socket, 0, "/local/domain/0/data/n0"), 0);
	/* Messages that are not taken, and half a request. */
	one->take_max = 20;
	assert_int_equal(peer_write(socket, 0, "/local/domain/1/data/x", "for the watch"), 0);
	peer_push(idle, "\13\0\0\0\7\0\0\0\0\0\0\0\20\0\0\0/half", 21);
	peer_push(two, "\2\0\0\0", 4);
	harness_run(harness);
}

static void save(struct core *core, const char *dialect, struct stream_buffer *out)
{
	struct image_process process = {.listen_fd = 1000, .evtchn_fd = 1001};
	struct image_requester nobody = {0};
	struct stream_writer writer;

	memset(out, 0, sizeof(*out));
	assert_int_equal(stream_writer_init(&writer, stream_dialect_find(dialect), 0,
					    stream_buffer_put, out),
			 0);
	assert_int_equal(image_save(core, &process, &nobody, &writer), 0);
}

/* ---- trying one ---- */

static bool accepted(const void *image, size_t size, struct stream_problem *problem)
{
	static const struct hash_secret secret = {5, 6};
	struct stream_report report = {.problem = problem, .room = 1};
	int error = stream_check(image, size, &secret, &report);

	assert_true(!error || error == EINVAL);
	if (error)
		assert_true(problem->offset <= size && problem->text[0]);
	return !error;
}

/* Right, but no state for this process: what is right is told by its options, not by the image. */
static bool is_of_another_store(const void *image, size_t size)
{
	const struct domains *domains = &harness->core->state.domains;
	struct stream_reader reader;
	struct stream_record record;
	struct stream_error error;

	if (stream_reader_init(&reader, image, size, &error))
		return false;
	while (stream_next(&reader, &record, &error) == STREAM_RECORD)
		if (record.type == STREAM_IMAGE && record.understood)
			return record.own.image.own_domid != domains->own_domid ||
			       record.own.image.priv_domid != domains->priv_domid;
	return false;
}

static struct {
	unsigned long tried, accepted, restored;
} counts;

/* The core that it was restored to works, and can be saved. */
static void use(struct core *core)
{
	struct stream_problem problem;
	struct stream_buffer again;

	for (int i = 0; i < TURNS; i++)
		core_turn(core);
	save(core, "own", &again);
	if (!accepted(again.data, again.len, &problem))
		fail_msg("restored and saved again it is wrong at %zu: %s", problem.offset,
			 problem.text);
	stream_buffer_deinit(&again);
}

static void try_image(const uint8_t *data, size_t size)
{
	struct world world = harness->world;
	struct image_process process = {.listen_fd = -1,
					.evtchn_fd = -1,
					.adopt_socket = adopt_socket,
					.adopt_ring = adopt_ring};
	struct stream_problem problem;
	struct image_report report;
	uint8_t *image = malloc(size ? size : 1);
	struct core *core;
	bool right;
	int error;

	assert_non_null(image);
	if (size)
		memcpy(image, data, size);
	world.rings = NULL;
	core = core_new(&world, &harness->config);
	assert_non_null(core);
	process.data = core;
	right = accepted(image, size, &problem);
	error = image_restore(core, &process, image, size, &report);
	counts.tried++;
	counts.accepted += right;
	counts.restored += !error;
	if (right && error && !is_of_another_store(image, size))
		fail_msg("the checker accepts what cannot be restored: %s", report.error);
	if (error)
		assert_true(report.error[0]);
	else if (right)
		use(core);
	core_free(core);
	free(image);
}

static const char *const dialects[] = {"own", "4.22", "4.17"};

static void test_whole(void **state)
{
	struct stream_buffer image;

	(void)state;
	for (int i = 0; i < 3; i++) {
		save(harness->core, dialects[i], &image);
		memset(&counts, 0, sizeof(counts));
		try_image(image.data, image.len);
		assert_int_equal(counts.accepted, 1);
		assert_int_equal(counts.restored, 1);
		stream_buffer_deinit(&image);
	}
}

static void test_truncation(void **state)
{
	struct stream_buffer image;

	(void)state;
	for (int i = 0; i < 3; i++) {
		save(harness->core, dialects[i], &image);
		memset(&counts, 0, sizeof(counts));
		for (size_t size = 0; size < image.len; size++)
			try_image(image.data, size);
		assert_int_equal(counts.accepted, 0);
		assert_int_equal(counts.restored, 0);
		stream_buffer_deinit(&image);
	}
}

static unsigned long rounds(unsigned long usual)
{
	return usual * setting("COUNT", 1);
}

static void test_changes(void **state)
{
	struct stream_buffer image;
	uint8_t *copy;

	(void)state;
	memset(&counts, 0, sizeof(counts));
	for (int i = 0; i < 3; i++) {
		save(harness->core, dialects[i], &image);
		copy = malloc(image.len);
		assert_non_null(copy);
		for (unsigned long round = 0; round < rounds(1500); round++) {
			memcpy(copy, image.data, image.len);
			for (uint32_t changes = 1 + below(3); changes; changes--) {
				uint8_t *at = copy + below((uint32_t)image.len);

				if (below(2))
					*at ^= (uint8_t)(1u << below(8));
				else
					*at = (uint8_t)(below(4) ? below(256) : 0xff);
			}
			try_image(copy, image.len);
		}
		free(copy);
		stream_buffer_deinit(&image);
	}
	/* Some changes are in values, where anything is as good; most are found. */
	assert_in_range(counts.accepted, counts.tried / 50, counts.tried * 9 / 10);
}

/* Records of the image in another order, doubled, left out. */
static void test_records(void **state)
{
	struct stream_buffer image, mixed;
	struct stream_reader reader;
	struct stream_record record;
	struct stream_error error;
	size_t offset[1000], count = 0;

	(void)state;
	save(harness->core, "own", &image);
	assert_int_equal(stream_reader_init(&reader, image.data, image.len, &error), 0);
	while (stream_next(&reader, &record, &error) == STREAM_RECORD && count < 999)
		offset[count++] = record.offset;
	offset[count] = record.offset;
	for (unsigned long round = 0; round < rounds(1500); round++) {
		memset(&mixed, 0, sizeof(mixed));
		stream_buffer_put(&mixed, image.data, STREAM_PREAMBLE_SIZE);
		for (size_t i = 0; i < count; i++) {
			size_t pick = below(40) ? i : below((uint32_t)count);
			size_t copies = below(60) ? 1 : below(3);

			while (copies--)
				stream_buffer_put(&mixed, image.data + offset[pick],
						  offset[pick + 1] - offset[pick]);
		}
		stream_buffer_put(&mixed, image.data + offset[count], image.len - offset[count]);
		try_image(mixed.data, mixed.len);
		stream_buffer_deinit(&mixed);
	}
	stream_buffer_deinit(&image);
}

static int set_up(void **state)
{
	(void)state;
	harness = harness_new();
	assert_non_null(harness);
	fill();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	harness_free(harness);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_records),
	};

	return cmocka_run_group_tests_name("image-restore", tests, set_up, tear_down);
}
