/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Damaged images: cut off anywhere, bits flipped, bytes at random. The reader
 * must not touch what is not its (the tests run with sanitizers on an exact
 * copy), and what the checker accepts must be an image that can be written
 * again and accepted again.
 */
#include "liveupdate/test-sample.h"
#include "tests/unit/setting.h"

static uint64_t seed = 12345;

static uint32_t random_below(uint32_t limit)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 11) % limit;
}

/* An allocation of exactly this size, so that a sanitizer sees the smallest step too far. */
static uint8_t *exact(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	assert_non_null(copy);
	if (size)
		memcpy(copy, data, size);
	return copy;
}

static void expect_same_again(const uint8_t *image, size_t size)
{
	struct stream_buffer buffer = {0};
	struct stream_reader reader;
	struct stream_record record;
	struct stream_writer writer;
	struct stream_error error;
	struct stream_report report;
	enum stream_status status;

	assert_int_equal(stream_reader_init(&reader, image, size, &error), 0);
	stream_writer_init(&writer, stream_dialect_find("own"), reader.version, stream_buffer_put,
			   &buffer);
	do {
		status = stream_next(&reader, &record, &error);
		assert_true(status == STREAM_RECORD || status == STREAM_DONE);
		assert_int_equal(stream_put_record(&writer, &record), 0);
	} while (status == STREAM_RECORD);
	assert_int_equal(reader.at, size);
	if (sample_check(buffer.data, buffer.len, &report))
		fail_msg("written again it is wrong: %s", report.problem[0].text);
	stream_buffer_deinit(&buffer);
}

/* Check what may be damaged. Returns whether it was accepted. */
static bool examine(const uint8_t *data, size_t size)
{
	uint8_t *image = exact(data, size);
	struct stream_report report;
	bool accepted = !sample_check(image, size, &report);

	if (accepted)
		expect_same_again(image, size);
	else
		assert_true(report.problem[0].offset <= size && report.problem[0].text[0]);
	free(image);
	return accepted;
}

static void test_truncation(void **state)
{
	static const char *const dialects[] = {"4.17", "4.22", "own"};

	(void)state;
	for (size_t d = 0; d < 3; d++) {
		struct stream_buffer buffer;

		sample_image(&buffer, dialects[d], 0);
		for (size_t size = 0; size < buffer.len; size++)
			if (examine(buffer.data, size))
				fail_msg("%s: accepted with %zu of %zu bytes", dialects[d], size,
					 buffer.len);
		assert_true(examine(buffer.data, buffer.len));
		stream_buffer_deinit(&buffer);
	}
}

static void test_flips(void **state)
{
	static const char *const dialects[] = {"4.17", "4.22", "own"};

	(void)state;
	for (size_t d = 0; d < 3; d++) {
		struct stream_buffer buffer;
		size_t accepted = 0;

		sample_image(&buffer, dialects[d], 0);
		for (size_t bit = 0; bit < buffer.len * 8; bit++) {
			buffer.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
			accepted += examine(buffer.data, buffer.len);
			buffer.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		/* Most bits are in values, names and numbers, where any others are as good. */
		assert_in_range(accepted, 1, buffer.len * 8 * 3 / 4);
		stream_buffer_deinit(&buffer);
	}
}

/* Every type of record turned into every other, every word into a hostile one. */
static void test_hostile_words(void **state)
{
	static const uint32_t words[] = {
		0,	    1,		7,	    8,		0x7fff,	    0xffff,    0x10000,
		0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff8, 0xffff0000, STREAM_TX, STREAM_DELTA,
		0x2f002f};
	struct stream_buffer buffer;

	(void)state;
	sample_image(&buffer, "own", 0);
	for (size_t at = 16; at + 4 <= buffer.len; at += 2) {
		uint8_t saved[4];

		memcpy(saved, buffer.data + at, 4);
		for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
			memcpy(buffer.data + at, &words[i], 4);
			examine(buffer.data, buffer.len);
		}
		memcpy(buffer.data + at, saved, 4);
	}
	stream_buffer_deinit(&buffer);
}

/* Records in another order, doubled, left out. */
static void test_shuffled_records(void **state)
{
	struct stream_reader reader;
	struct stream_record record;
	struct stream_error error;
	struct stream_buffer buffer;
	size_t offset[100], count = 0;

	(void)state;
	sample_image(&buffer, "own", 0);
	assert_int_equal(stream_reader_init(&reader, buffer.data, buffer.len, &error), 0);
	while (stream_next(&reader, &record, &error) == STREAM_RECORD)
		offset[count++] = record.offset;
	offset[count] = record.offset;
	for (int round = 0; round < 3000; round++) {
		struct stream_buffer mixed = {0};

		stream_buffer_put(&mixed, buffer.data, 16);
		for (size_t i = 0; i < count; i++) {
			size_t pick = random_below(20) ? i : random_below((uint32_t)count);
			size_t copies = random_below(40) ? 1 : random_below(3);

			while (copies--)
				stream_buffer_put(&mixed, buffer.data + offset[pick],
						  offset[pick + 1] - offset[pick]);
		}
		stream_buffer_put(&mixed, buffer.data + offset[count], buffer.len - offset[count]);
		examine(mixed.data, mixed.len);
		stream_buffer_deinit(&mixed);
	}
	stream_buffer_deinit(&buffer);
}

static void test_random_changes(void **state)
{
	unsigned long rounds = 20000ul * setting("COUNT", 1);
	struct stream_buffer buffer;
	uint8_t *image;

	(void)state;
	sample_image(&buffer, "own", 0);
	image = exact(buffer.data, buffer.len);
	for (unsigned long round = 0; round < rounds; round++) {
		uint32_t changes = 1 + random_below(4);

		memcpy(image, buffer.data, buffer.len);
		while (changes--)
			image[random_below((uint32_t)buffer.len)] = (uint8_t)random_below(256);
		examine(image, random_below(3) ? buffer.len : random_below((uint32_t)buffer.len));
	}
	free(image);
	stream_buffer_deinit(&buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_truncation),     cmocka_unit_test(test_flips),
		cmocka_unit_test(test_hostile_words),  cmocka_unit_test(test_shuffled_records),
		cmocka_unit_test(test_random_changes),
	};

	return cmocka_run_group_tests_name("stream-damage", tests, NULL, NULL);
}
