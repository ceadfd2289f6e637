/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing and reading records: exact bytes, round trips, dialects, odd forms of upstream. */
#include "liveupdate/test-sample.h"

/* Bytes that an upstream xenstored wrote: a GLOBAL, two sockets, "/", a ring (spec:
 * live-update.md section 2, "Example"). The counts of bytes are the records'. */
static const uint8_t example[] = {
	0x78, 0x65, 0x6e, 0x73, 0x74, 0x6f, 0x72, 0x65, 0, 0, 0, 2, 0, 0, 0, 0,
	/* GLOBAL */
	1, 0, 0, 0, 8, 0, 0, 0, 3, 0, 0, 0, 6, 0, 0, 0,
	/* CONNECTION 4, with "OK" for the requester */
	2, 0, 0, 0, 0x30, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x13,
	0, 0, 0, 0, 0, 0, 0, 0x0c, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0x4f, 0x4b, 0, 0, 0, 0, 0, 0,
	/* CONNECTION 5 */
	2, 0, 0, 0, 0x18, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0,
	/* NODE "/" */
	5, 0, 0, 0, 0x18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0, 0x6e, 0, 0, 0,
	0x2f, 0, 0, 0,
	/* CONNECTION 2, ring */
	2, 0, 0, 0, 0x20, 0, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0, 5, 0, 0xf4, 0x7f, 0x15, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0xed, 3, 0, 0, 0, 0, 0, 0,
	/* END */
	0, 0, 0, 0, 0, 0, 0, 0};

static void test_example(void **state)
{
	static const uint8_t ok[] = {0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 'O', 'K', 0};
	struct stream_connection requester = {
		.id = 4, .type = STREAM_SOCKET, .fd = 8, .output = ok, .output_len = sizeof(ok)};
	struct stream_connection other = {.id = 5, .type = STREAM_SOCKET, .fd = 9};
	struct stream_connection ring = {.id = 2,
					 .domid = 5,
					 .target = STREAM_NO_TARGET,
					 .port = 21,
					 .has_unique_id = true,
					 .unique_id = 1005};
	struct stream_perm perm = {.letter = 'n'};
	struct stream_node node = {.path = "/", .path_len = 1, .perms = &perm, .perm_count = 1};
	struct stream_global global = {3, 6};
	struct stream_buffer buffer = {0};
	struct stream_writer writer;
	struct stream_report report;

	(void)state;
	stream_writer_init(&writer, stream_dialect_find("4.22"), 0, stream_buffer_put, &buffer);
	stream_put_global(&writer, &global);
	stream_put_connection(&writer, &requester);
	stream_put_connection(&writer, &other);
	stream_put_node(&writer, &node);
	stream_put_connection(&writer, &ring);
	assert_int_equal(stream_put_end(&writer), 0);
	assert_int_equal(buffer.len, sizeof(example));
	assert_memory_equal(buffer.data, example, sizeof(example));
	assert_int_equal(sample_check(example, sizeof(example), &report), 0);
	assert_int_equal(report.connections, 3);
	assert_int_equal(report.nodes, 1);
	stream_buffer_deinit(&buffer);
}

/* Write again what was read. */
static void copy(const struct stream_buffer *from, struct stream_buffer *to, const char *dialect,
		 struct stream_lost *lost)
{
	struct stream_reader reader;
	struct stream_record record;
	struct stream_writer writer;
	struct stream_error error;
	enum stream_status status;

	memset(to, 0, sizeof(*to));
	assert_int_equal(stream_reader_init(&reader, from->data, from->len, &error), 0);
	assert_int_equal(stream_writer_init(&writer, stream_dialect_find(dialect), reader.version,
					    stream_buffer_put, to),
			 0);
	do {
		status = stream_next(&reader, &record, &error);
		assert_true(status == STREAM_RECORD || status == STREAM_DONE);
		assert_int_equal(stream_put_record(&writer, &record), 0);
	} while (status == STREAM_RECORD);
	if (lost)
		*lost = writer.lost;
}

static void test_round_trips(void **state)
{
	const struct stream_dialect *dialect;

	(void)state;
	for (size_t i = 0; (dialect = stream_dialect_at(i)); i++) {
		for (uint32_t v = dialect->version_min; v <= dialect->version_max; v++) {
			struct stream_buffer first, second;

			sample_image(&first, dialect->name, v);
			copy(&first, &second, dialect->name, NULL);
			assert_int_equal(first.len, second.len);
			assert_memory_equal(first.data, second.data, first.len);
			stream_buffer_deinit(&first);
			stream_buffer_deinit(&second);
		}
	}
}

static unsigned int count_type(const struct stream_buffer *buffer, uint32_t type)
{
	struct stream_reader reader;
	struct stream_record record;
	struct stream_error error;
	unsigned int count = 0;

	assert_int_equal(stream_reader_init(&reader, buffer->data, buffer->len, &error), 0);
	while (stream_next(&reader, &record, &error) == STREAM_RECORD)
		count += record.type == type;
	return count;
}

static void test_dialects(void **state)
{
	static const struct {
		const char *name;
		unsigned int domains, quotas, extended, own;
	} expected[] = {
		{"4.17", 0, 0, 0, 0}, {"4.18", 0, 0, 0, 0}, {"4.21", 1, 0, 0, 0},
		{"4.22", 1, 1, 0, 0}, {"own", 1, 1, 1, 1},
	};

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct stream_buffer buffer;

		sample_image(&buffer, expected[i].name, 0);
		assert_int_equal(buffer.data[11], i < 2 ? 1 : 2);
		assert_int_equal(count_type(&buffer, STREAM_DOMAIN), expected[i].domains);
		assert_int_equal(count_type(&buffer, STREAM_GLOBAL_QUOTA), expected[i].quotas);
		assert_int_equal(count_type(&buffer, STREAM_WATCH_EXTENDED), expected[i].extended);
		assert_int_equal(count_type(&buffer, STREAM_TX), expected[i].own);
		stream_buffer_deinit(&buffer);
	}
	assert_null(stream_dialect_find("3.0"));
	assert_ptr_equal(stream_dialect_find("4.20"), stream_dialect_find("4.18"));
}

static void test_lost(void **state)
{
	struct stream_buffer own, plain;
	struct stream_lost lost;
	struct stream_writer writer;

	(void)state;
	sample_start(&writer, &own, "own", 1);
	sample_watch(&writer, 1, "@releaseDomain", "d", 1);
	stream_put_end(&writer);
	copy(&own, &plain, "4.17", &lost);
	assert_int_equal(lost.transactions, 1);
	assert_int_equal(lost.depths, 1);
	assert_int_equal(lost.watches, 1);
	assert_int_equal(lost.domains, 1);
	assert_int_equal(lost.quotas, 1);
	stream_buffer_deinit(&own);
	stream_buffer_deinit(&plain);
}

static void test_refusals(void **state)
{
	struct stream_connection connection = {.id = 1, .type = 2};
	struct stream_watch watch = {
		.conn_id = 1, .path = "/", .path_len = UINT16_MAX, .token = "", .depth = -1};
	struct stream_node node = {.path = "/", .path_len = 1};
	struct stream_buffer buffer = {0};
	struct stream_writer writer;

	(void)state;
	assert_int_not_equal(stream_writer_init(&writer, stream_dialect_find("4.17"), 2,
						stream_buffer_put, &buffer),
			     0);
	stream_writer_init(&writer, stream_dialect_find("own"), 0, stream_buffer_put, &buffer);
	assert_int_not_equal(stream_put_connection(&writer, &connection), 0);
	/* It stays so. */
	assert_int_not_equal(stream_put_end(&writer), 0);
	stream_writer_init(&writer, stream_dialect_find("own"), 0, stream_buffer_put, &buffer);
	assert_int_not_equal(stream_put_watch(&writer, &watch), 0);
	stream_writer_init(&writer, stream_dialect_find("own"), 0, stream_buffer_put, &buffer);
	assert_int_not_equal(stream_put_node(&writer, &node), 0);
	stream_buffer_deinit(&buffer);
}

/* A sink that fails at one of its calls. */
static int fail_after(void *sink, const void *data, size_t len)
{
	int *left = sink;

	(void)data;
	(void)len;
	return (*left)-- > 0 ? 0 : 28;
}

static void test_sink_failures(void **state)
{
	int calls = 0;

	(void)state;
	for (int i = 0;; i++) {
		struct stream_writer writer;
		struct stream_perm perm = {.letter = 'n'};
		struct stream_node node = {
			.path = "/abc", .path_len = 4, .perms = &perm, .perm_count = 1};

		calls = i;
		stream_writer_init(&writer, stream_dialect_find("own"), 0, fail_after, &calls);
		stream_put_node(&writer, &node);
		if (!stream_put_end(&writer)) {
			assert_in_range(i, 4, 20);
			break;
		}
		assert_int_equal(writer.error, 28);
	}
}

/* An extended watch as some implementation would write it, and a node behind it. */
static size_t extended(uint8_t *image, size_t offset, size_t announced, const char *path,
		       const char *token, size_t written)
{
	uint32_t words[3] = {STREAM_WATCH_EXTENDED, (uint32_t)announced, 4};
	uint16_t lens[3] = {(uint16_t)(strlen(path) + 1), (uint16_t)(strlen(token) + 1), 3};
	static const uint8_t rest[] = {5,    0, 0, 0, 0x18, 0, 0, 0, 0, 0, 0,	 0, 0, 0,
				       0,    0, 2, 0, 0,    0, 0, 0, 1, 0, 0x6e, 0, 0, 0,
				       0x2f, 0, 0, 0, 0,    0, 0, 0, 0, 0, 0,	 0};
	uint8_t *body = image + 24 + 16 + 8;

	memset(image, 0, 512);
	memcpy(image, example, 32); /* preamble, GLOBAL */
	memcpy(image + 32, words, 8);
	memcpy(image + 40, &words[2], 4);
	memcpy(image + 44, lens, 4);
	body = image + 40;
	if (offset > 8)
		memcpy(body + 8, &lens[2], 2);
	memcpy(body + offset, path, lens[0]);
	memcpy(body + offset + lens[0], token, lens[1]);
	memcpy(body + written, rest, sizeof(rest));
	return 40 + written + sizeof(rest);
}

static void expect_extended(const uint8_t *image, size_t size, const char *path, const char *token,
			    int depth)
{
	struct stream_reader reader;
	struct stream_record record;
	struct stream_error error;

	assert_int_equal(stream_reader_init(&reader, image, size, &error), 0);
	assert_int_equal(stream_next(&reader, &record, &error), STREAM_RECORD);
	assert_int_equal(stream_next(&reader, &record, &error), STREAM_RECORD);
	assert_int_equal(record.type, STREAM_WATCH_EXTENDED);
	assert_string_equal(record.watch.path, path);
	assert_string_equal(record.watch.token, token);
	assert_int_equal(record.watch.depth, depth);
	assert_int_equal(stream_next(&reader, &record, &error), STREAM_RECORD);
	assert_int_equal(record.type, STREAM_NODE);
	assert_string_equal(record.node.path, "/");
	assert_int_equal(stream_next(&reader, &record, &error), STREAM_DONE);
	assert_int_equal(reader.at, size);
}

static void test_extended_watches(void **state)
{
	static const char *const tokens[] = {"",      "a",	"ab",	   "abc",     "abcd",
					     "abcde", "abcdef", "abcdefg", "abcdefgh"};
	static const char *const paths[] = {"/", "/a", "/a/b", "rel", "@releaseDomain"};
	uint8_t image[512];

	(void)state;
	for (size_t p = 0; p < 5; p++) {
		bool special = paths[p][0] == '@';

		for (size_t t = 0; t < 9; t++) {
			size_t len = strlen(paths[p]) + strlen(tokens[t]) + 2, size;
			size_t announced = stream_round(12 + len);

			size = extended(image, 12, announced, paths[p], tokens[t], announced);
			expect_extended(image, size, paths[p], tokens[t], 3);
			size = extended(image, 10, announced, paths[p], tokens[t], announced);
			expect_extended(image, size, paths[p], tokens[t], 3);
			/* Upstream's writer: no depth, and shorter than it says. */
			size = extended(image, 8, announced, paths[p], tokens[t],
					stream_round(8 + len));
			expect_extended(image, size, paths[p], tokens[t],
					special ? 1 : STREAM_NO_DEPTH);
		}
	}
}

static void test_preambles(void **state)
{
	struct stream_reader reader;
	struct stream_error error;
	uint8_t image[sizeof(example)];

	(void)state;
	for (size_t size = 0; size < 16; size++)
		assert_int_not_equal(stream_reader_init(&reader, example, size, &error), 0);
	for (size_t i = 0; i < 16; i++) {
		memcpy(image, example, sizeof(image));
		image[i] ^= 0x44;
		assert_int_not_equal(stream_reader_init(&reader, image, sizeof(image), &error), 0);
		assert_int_equal(error.offset, i < 8 ? 0 : i < 12 ? 8 : 12);
	}
	/* The other byte order, however its flag is written. */
	memcpy(image, example, sizeof(image));
	image[12] = 1;
	assert_int_not_equal(stream_reader_init(&reader, image, sizeof(image), &error), 0);
	image[12] = 0;
	image[15] = 1;
	assert_int_not_equal(stream_reader_init(&reader, image, sizeof(image), &error), 0);
	assert_non_null(strstr(error.text, "byte order"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example),		 cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_dialects),	 cmocka_unit_test(test_lost),
		cmocka_unit_test(test_refusals),	 cmocka_unit_test(test_sink_failures),
		cmocka_unit_test(test_extended_watches), cmocka_unit_test(test_preambles),
	};

	return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
