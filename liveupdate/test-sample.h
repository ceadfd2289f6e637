/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small image with a record of every kind, for the tests of the stream. */
#ifndef LIVEUPDATE_TEST_SAMPLE_H
#define LIVEUPDATE_TEST_SAMPLE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "liveupdate/stream-check.h"
#include "liveupdate/stream-writer.h"

#define TEXT(s)                                                                                    \
	{                                                                                          \
		s, sizeof(s) - 1                                                                   \
	}
#define BYTES(s)                                                                                   \
	{                                                                                          \
		(const uint8_t *)(s), sizeof(s) - 1                                                \
	}
#define COUNTED(list)                                                                              \
	{                                                                                          \
		list, sizeof(list) / sizeof(*(list))                                               \
	}

static const struct hash_secret sample_secret = {1, 2};

static inline void sample_node(struct stream_writer *writer, const char *path, const char *value,
			       unsigned int owner)
{
	struct stream_perm perms[2] = {{.letter = 'n', .domid = (uint16_t)owner},
				       {.letter = 'r', .domid = 5}};
	struct stream_node node = {.path = path,
				   .path_len = (uint16_t)strlen(path),
				   .value = (const uint8_t *)value,
				   .value_len = (uint16_t)strlen(value),
				   .perms = perms,
				   .perm_count = owner ? 1 : 2};

	assert_int_equal(stream_put_node(writer, &node), 0);
}

static inline void sample_watch(struct stream_writer *writer, uint32_t conn_id, const char *path,
				const char *token, int depth)
{
	struct stream_watch watch = {.conn_id = conn_id,
				     .path = path,
				     .path_len = (uint16_t)strlen(path),
				     .token = token,
				     .token_len = (uint16_t)strlen(token),
				     .depth = depth};

	assert_int_equal(stream_put_watch(writer, &watch), 0);
}

static inline void sample_connections(struct stream_writer *writer)
{
	/* Two replies, of which three bytes of the first one are left; a request of 2 bytes. */
	static const uint8_t output[] = "abc\2\0\0\0\7\0\0\0\0\0\0\0\3\0\0\0xyz";
	static const uint8_t input[] = "\1\0\0\0\10\0\0\0\0\0\0\0\2\0\0\0/\0\2\0\0";
	struct stream_connection ring = {.id = 1,
					 .type = STREAM_RING,
					 .target = STREAM_NO_TARGET,
					 .port = 20,
					 .has_unique_id = true,
					 .unique_id = 1000};
	struct stream_connection guest = {.id = 2,
					  .type = STREAM_RING,
					  .domid = 5,
					  .target = 0,
					  .port = 21,
					  .has_unique_id = true,
					  .unique_id = 1005,
					  .input = input,
					  .input_len = sizeof(input) - 1};
	struct stream_connection socket = {.id = 4,
					   .type = STREAM_SOCKET,
					   .fd = 8,
					   .output = output,
					   .output_len = sizeof(output) - 1,
					   .partial_len = 3};

	assert_int_equal(stream_put_connection(writer, &ring), 0);
	sample_watch(writer, 1, "@releaseDomain", "r", STREAM_NO_DEPTH);
	assert_int_equal(stream_put_connection(writer, &guest), 0);
	sample_watch(writer, 2, "data", "token", STREAM_NO_DEPTH);
	sample_watch(writer, 2, "/local/domain/5", "", STREAM_NO_DEPTH);
	assert_int_equal(stream_put_connection(writer, &socket), 0);
	sample_watch(writer, 4, "/local", "deep", 2);
}

static inline void sample_transaction(struct stream_writer *writer)
{
	static const struct stream_own_perm perms[] = {{.letter = 'n', .domid = 5, .record = 17}};
	struct stream_tx tx = {.conn_id = 2,
			       .tx_id = 3,
			       .flags = STREAM_TX_CREATED,
			       .started = 5,
			       .version = 6,
			       .differences = 3,
			       .touches = 1,
			       .changes = 3};
	struct stream_tx_difference difference[] = {
		{2, 3, STREAM_SET, COUNTED(perms), TEXT("/local/domain/5/was"), BYTES("there")},
		{2, 3, STREAM_REMOVE, {0}, TEXT("/local/domain/5/new"), {0}},
		{2, 3, STREAM_ORDER, {0}, TEXT("/local/domain/5"), BYTES("was\0data\0")},
	};
	struct stream_tx_touch touch = {
		2, 3, 1, 2, STREAM_TOUCH_EVENT, 0, TEXT("/local/domain/5/was")};
	struct stream_tx_change change[] = {
		{2, 3, STREAM_CHANGE_WRITE, {0}, TEXT("/local/domain/5/was"), BYTES("x")},
		{2, 3, STREAM_CHANGE_CREATE, COUNTED(perms), TEXT("/local/domain/5/a/b"), {0}},
		{2, 3, STREAM_CHANGE_REMOVE, {0}, TEXT("/local/domain/5/a"), {0}},
	};

	assert_int_equal(stream_put_own(writer, STREAM_TX, &tx), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(stream_put_own(writer, STREAM_TX_DIFFERENCE, &difference[i]), 0);
	assert_int_equal(stream_put_own(writer, STREAM_TX_TOUCH, &touch), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(stream_put_own(writer, STREAM_TX_CHANGE, &change[i]), 0);
}

static inline void sample_own(struct stream_writer *writer)
{
	static const struct stream_own_perm perms[] = {{.letter = 'r', .domid = 5, .record = 17}};
	static const struct stream_event event[] = {{1, STREAM_EVENT_EXPIRES, 5, 77, 17, 1}};
	static const struct stream_serial order[] = {{8}};
	static const struct stream_serial max[] = {{1}, {2}};
	struct stream_counters counters = {.last_record = 17, .last_client = 3, .generation = 9};
	struct stream_descriptor descriptor = {9, TEXT("pidfile")};
	struct stream_log log = {STREAM_LOG_ON, 5, 0, TEXT("/var/log/trace")};
	struct stream_ratelimit ratelimit = {.reserve = -50};
	struct stream_credit credit = {.domid = 5, .flags = 1, .points = -7, .rest = 2};
	struct stream_events events = {4, COUNTED(event)};
	struct stream_watch_order watch_order = {4, COUNTED(order)};
	struct stream_statistics statistics = {5, 0, COUNTED(max), BYTES("nodes\0watches\0")};
	struct stream_update update = {4, 12, 0, 0, 55};
	struct stream_migration migration = {4, 9, BYTES("xenst")};
	struct stream_domain_state zero = {
		.record = 16, .target_domid = STREAM_NO_TARGET, .flags = STREAM_DOMAIN_INTRODUCED};
	struct stream_domain_state state = {.domid = 5,
					    .record = 17,
					    .target_domid = 0,
					    .target_record = 16,
					    .unique_id = 1005,
					    .flags = STREAM_DOMAIN_INTRODUCED};
	struct stream_client client = {.conn_id = 1, .client = 1};
	struct stream_delta delta[] = {
		{STREAM_REMOVE, {0}, TEXT("/local/domain/5/old"), {0}},
		{STREAM_SET, COUNTED(perms), TEXT("/local/domain/5/new"), BYTES("1")},
		{STREAM_SET, COUNTED(perms), TEXT("/local/domain/5/data"), BYTES("2")},
		{STREAM_ORDER, {0}, TEXT("/local/domain/5"), BYTES("new\0data\0")},
	};

	stream_put_own(writer, STREAM_COUNTERS, &counters);
	stream_put_own(writer, STREAM_DESCRIPTOR, &descriptor);
	stream_put_own(writer, STREAM_LOG, &log);
	stream_put_own(writer, STREAM_RATELIMIT, &ratelimit);
	stream_put_own(writer, STREAM_DOMAIN_STATE, &zero);
	stream_put_own(writer, STREAM_DOMAIN_STATE, &state);
	stream_put_own(writer, STREAM_CREDIT, &credit);
	stream_put_own(writer, STREAM_EVENTS, &events);
	stream_put_own(writer, STREAM_WATCH_ORDER, &watch_order);
	stream_put_own(writer, STREAM_STATISTICS, &statistics);
	stream_put_own(writer, STREAM_UPDATE, &update);
	stream_put_own(writer, STREAM_MIGRATION, &migration);
	stream_put_own(writer, STREAM_CLIENT, &client);
	client = (struct stream_client){.conn_id = 2, .client = 2};
	stream_put_own(writer, STREAM_CLIENT, &client);
	client = (struct stream_client){.conn_id = 4, .client = 3, .last_transaction = 6};
	stream_put_own(writer, STREAM_CLIENT, &client);
	for (size_t i = 0; i < 4; i++)
		stream_put_own(writer, STREAM_DELTA, &delta[i]);
	assert_int_equal(writer->error, 0);
}

static inline void sample_quotas(struct stream_quotas *quotas)
{
	*quotas = (struct stream_quotas){.count = 2, .entry = {{"nodes", 1000}, {"watches", 128}}};
}

/** The image as @dialect says it, all records but END. */
static inline void sample_start(struct stream_writer *writer, struct stream_buffer *buffer,
				const char *dialect, unsigned int version)
{
	struct stream_image image = {.format = 1, .program = TEXT("test")};
	struct stream_global global = {3, 6};
	struct stream_domain domain = {.domid = 5, .features = 14};
	static const struct stream_serial serial[] = {{17}};
	struct stream_perms perms = {0, COUNTED(serial)};
	static const struct stream_owner owner[] = {{.domid = 0, .record = 16},
						    {.domid = 5, .record = 17}};
	struct stream_snapshot snapshot = {.owners = COUNTED(owner)};

	memset(buffer, 0, sizeof(*buffer));
	assert_int_equal(stream_writer_init(writer, stream_dialect_find(dialect), version,
					    stream_buffer_put, buffer),
			 0);
	assert_int_equal(stream_put_global(writer, &global), 0);
	stream_put_own(writer, STREAM_IMAGE, &image);
	sample_quotas(&domain.quotas);
	assert_int_equal(stream_put_global_quota(writer, &domain.quotas), 0);
	sample_connections(writer);
	stream_put_own(writer, STREAM_SNAPSHOT, &snapshot);
	sample_node(writer, "/", "", 0);
	sample_node(writer, "/local", "v", 0);
	sample_node(writer, "/local/domain", "", 0);
	sample_node(writer, "/local/domain/5", "", 5);
	sample_node(writer, "/local/domain/5/data", "some value", 5);
	stream_put_own(writer, STREAM_PERMS, &perms);
	sample_node(writer, "/local/domain/5/old", "", 5);
	sample_node(writer, "@introduceDomain", "", 0);
	sample_node(writer, "@releaseDomain", "", 0);
	assert_int_equal(stream_put_domain(writer, &domain), 0);
	sample_own(writer);
	sample_transaction(writer);
}

static inline void sample_image(struct stream_buffer *buffer, const char *dialect,
				unsigned int version)
{
	struct stream_writer writer;

	sample_start(&writer, buffer, dialect, version);
	assert_int_equal(stream_put_end(&writer), 0);
	assert_int_equal(writer.offset, buffer->len);
}

/** Check an image; returns the number of errors, the first one's text in @report. */
static inline size_t sample_check(const void *image, size_t size, struct stream_report *report)
{
	static struct stream_problem problem[4];
	int result;

	*report = (struct stream_report){.problem = problem, .room = 4};
	problem[0].text[0] = 0;
	result = stream_check(image, size, &sample_secret, report);
	assert_int_equal(result, report->errors ? EINVAL : 0);
	return report->errors;
}

#endif
