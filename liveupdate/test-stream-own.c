/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our own records: what other versions of them mean to a reader. */
#include <stdio.h>

#include "liveupdate/test-sample.h"

static void test_numbers(void **state)
{
	const struct stream_own_type *type;
	uint32_t numbers = 0;

	(void)state;
	for (size_t i = 0; (type = stream_own_at(i)); i++) {
		uint32_t bit = 1u << (type->type & 0xffff);

		assert_true(stream_is_own(type->type));
		assert_ptr_equal(stream_own_find(type->type), type);
		assert_string_equal(stream_type_name(type->type), type->name);
		/* A number is used once, in whichever class. */
		assert_int_equal(numbers & bit, 0);
		numbers |= bit;
		assert_true(type->oldest >= 1 && type->oldest <= type->version);
	}
	/* Who does not know the classes sees types that the format has not given out. */
	assert_false(stream_is_own(STREAM_WATCH_EXTENDED));
	assert_false(stream_is_own(0x80000001));
}

/* Read the only record behind the preamble. */
static enum stream_status read_one(const struct stream_buffer *buffer, struct stream_record *record,
				   struct stream_error *error)
{
	struct stream_reader reader;

	assert_int_equal(stream_reader_init(&reader, buffer->data, buffer->len, error), 0);
	return stream_next(&reader, record, error);
}

static void start(struct stream_writer *writer, struct stream_buffer *buffer)
{
	memset(buffer, 0, sizeof(*buffer));
	assert_int_equal(stream_writer_init(writer, stream_dialect_find("own"), 0,
					    stream_buffer_put, buffer),
			 0);
}

static void test_values(void **state)
{
	static const struct stream_own_perm perms[] = {
		{.letter = 'b', .flags = 1, .domid = 0x7ff5, .record = UINT64_MAX},
		{.letter = 'n', .domid = 3, .record = 4}};
	struct stream_tx_change change = {
		1, 0xfffffffe, STREAM_CHANGE_CREATE, COUNTED(perms), TEXT("/a"), BYTES("\0\xff")};
	struct stream_credit credit = {.domid = 7, .points = INT64_MIN, .rest = -1};
	struct stream_writer writer;
	struct stream_buffer buffer;
	struct stream_record record;
	struct stream_error error;

	(void)state;
	start(&writer, &buffer);
	assert_int_equal(stream_put_own(&writer, STREAM_TX_CHANGE, &change), 0);
	assert_int_equal(read_one(&buffer, &record, &error), STREAM_RECORD);
	assert_int_equal(record.own.tx_change.tx_id, 0xfffffffe);
	assert_int_equal(record.own.tx_change.perms.count, 2);
	assert_memory_equal(record.own.tx_change.perms.data, perms, sizeof(perms));
	assert_string_equal(record.own.tx_change.path.data, "/a");
	assert_int_equal(record.own.tx_change.path.count, 2);
	assert_int_equal(record.own.tx_change.value.count, 2);
	assert_memory_equal(record.own.tx_change.value.data, "\0\xff", 2);
	stream_buffer_deinit(&buffer);
	start(&writer, &buffer);
	assert_int_equal(stream_put_own(&writer, STREAM_CREDIT, &credit), 0);
	assert_int_equal(read_one(&buffer, &record, &error), STREAM_RECORD);
	assert_true(record.own.credit.points == INT64_MIN);
	assert_true(record.own.credit.rest == -1);
	stream_buffer_deinit(&buffer);
}

/* A DESCRIPTOR as written by hand: fixed part of @fixed bytes, then the text "ab". */
static void put_descriptor(struct stream_buffer *buffer, uint32_t type, unsigned int version,
			   unsigned int oldest, size_t fixed, const char *behind)
{
	struct stream_own_prefix prefix = {(uint8_t)version, (uint8_t)oldest, (uint16_t)fixed};
	uint32_t words[] = {9, 3}, header[2] = {type, 0};
	uint8_t body[64] = {0};
	struct stream_writer writer;

	start(&writer, buffer);
	memcpy(body, &prefix, 4);
	memcpy(body + 4, words, 8);
	memcpy(body + 12, "\1\1\1\1\1\1\1\1", 8);
	memcpy(body + fixed, "ab", 3);
	memcpy(body + fixed + 3, behind, strlen(behind));
	header[1] = (uint32_t)stream_round(fixed + 3 + strlen(behind));
	stream_buffer_put(buffer, header, 8);
	stream_buffer_put(buffer, body, header[1]);
}

static void test_younger_version(void **state)
{
	struct stream_buffer buffer;
	struct stream_record record;
	struct stream_error error;

	(void)state;
	/* More fields and more parts than are known: what is known is there. */
	put_descriptor(&buffer, STREAM_DESCRIPTOR, 2, 1, 20, "more");
	assert_int_equal(read_one(&buffer, &record, &error), STREAM_RECORD);
	assert_true(record.understood);
	assert_int_equal(record.odd, 0);
	assert_int_equal(record.own.descriptor.fd, 9);
	assert_string_equal(record.own.descriptor.name.data, "ab");
	stream_buffer_deinit(&buffer);
	/* One that this reader is too old for is skipped, for this type. */
	put_descriptor(&buffer, STREAM_DESCRIPTOR, 3, 2, 12, "");
	assert_int_equal(read_one(&buffer, &record, &error), STREAM_RECORD);
	assert_false(record.understood);
	stream_buffer_deinit(&buffer);
	/* A number that nobody knows: skipped, or refused. */
	put_descriptor(&buffer, STREAM_OWN_MAY(999), 1, 1, 12, "");
	assert_int_equal(read_one(&buffer, &record, &error), STREAM_RECORD);
	assert_false(record.understood);
	stream_buffer_deinit(&buffer);
	put_descriptor(&buffer, STREAM_OWN_NEED(999), 1, 1, 12, "");
	assert_int_equal(read_one(&buffer, &record, &error), STREAM_BAD);
	assert_non_null(strstr(error.text, "must be understood"));
	stream_buffer_deinit(&buffer);
	put_descriptor(&buffer, STREAM_TX, 3, 2, 12, "");
	assert_int_equal(read_one(&buffer, &record, &error), STREAM_BAD);
	stream_buffer_deinit(&buffer);
}

static void test_bad_bodies(void **state)
{
	static const struct {
		unsigned int version, oldest;
		size_t fixed;
	} wrong[] = {{0, 0, 12}, {1, 0, 12}, {1, 2, 12}, {1, 1, 11}, {1, 1, 3}, {1, 1, 16}};
	struct stream_buffer buffer;
	struct stream_record record;
	struct stream_error error;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		put_descriptor(&buffer, STREAM_DESCRIPTOR, wrong[i].version, wrong[i].oldest,
			       wrong[i].fixed, "");
		assert_int_equal(read_one(&buffer, &record, &error), STREAM_BAD);
		assert_true(error.offset >= STREAM_PREAMBLE_SIZE && error.offset < buffer.len);
		stream_buffer_deinit(&buffer);
	}
	/* The text does not end where its count says. */
	put_descriptor(&buffer, STREAM_DESCRIPTOR, 1, 1, 12, "");
	buffer.data[24 + 8] = 2;
	assert_int_equal(read_one(&buffer, &record, &error), STREAM_BAD);
	buffer.data[24 + 8] = 200;
	assert_int_equal(read_one(&buffer, &record, &error), STREAM_BAD);
	buffer.data[24 + 8] = 0;
	assert_int_equal(read_one(&buffer, &record, &error), STREAM_BAD);
	stream_buffer_deinit(&buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_younger_version),
		cmocka_unit_test(test_bad_bodies),
	};

	return cmocka_run_group_tests_name("stream-own", tests, NULL, NULL);
}
