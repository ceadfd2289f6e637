/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A stream comes out of the window as it went in, whatever the sizes. */
#include "stubdom/update/stream-window.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIZE 1000u

struct source {
	unsigned char bytes[SIZE];
	size_t piece; /* written at once */
	int error;
};

static int write_source(void *data, int (*put)(void *, const void *, size_t), void *sink)
{
	struct source *source = data;

	for (size_t at = 0; at < SIZE; at += source->piece) {
		size_t len = SIZE - at < source->piece ? SIZE - at : source->piece;

		if (put(sink, source->bytes + at, len))
			return EIO;
	}
	return source->error;
}

static void fill(struct source *source, size_t piece)
{
	for (size_t i = 0; i < SIZE; i++)
		source->bytes[i] = (unsigned char)(i * 7 + i / 256);
	source->piece = piece;
	source->error = 0;
}

static void expect_whole(struct source *source, size_t window_size, size_t asked)
{
	char *bytes = malloc(window_size);
	unsigned char piece[SIZE];
	struct stream_window window;
	uint64_t offset = 0;
	ssize_t got;

	assert_non_null(bytes);
	stream_window_init(&window, write_source, source, bytes, window_size);
	while ((got = stream_window_read(&window, offset, piece, asked)) > 0) {
		assert_true((size_t)got <= asked);
		assert_memory_equal(piece, source->bytes + offset, (size_t)got);
		offset += (uint64_t)got;
		assert_true(offset <= SIZE);
	}
	assert_int_equal(got, 0);
	assert_int_equal(offset, SIZE);
	if (window_size >= SIZE)
		assert_int_equal(window.passes, 2); /* the second one finds the end */
	free(bytes);
}

static void test_all_sizes(void **state)
{
	static const size_t sizes[] = {1, 3, 8, 64, 100, 999, 1000, 1001, 5000};
	struct source source;

	(void)state;
	for (size_t w = 0; w < 9; w++)
		for (size_t a = 0; a < 7; a++)
			for (size_t p = 0; p < 7; p++) {
				fill(&source, sizes[p]);
				expect_whole(&source, sizes[w], sizes[a]);
			}
}

static void test_going_back(void **state)
{
	struct source source;
	struct stream_window window;
	char bytes[100], piece[100];

	(void)state;
	fill(&source, 17);
	stream_window_init(&window, write_source, &source, bytes, sizeof(bytes));
	for (unsigned int i = 0; i < 200; i++) {
		uint64_t offset = i * 397 % SIZE;
		ssize_t got = stream_window_read(&window, offset, piece, sizeof(piece));

		assert_true(got > 0);
		assert_memory_equal(piece, source.bytes + offset, (size_t)got);
	}
}

static void test_an_error_is_passed_on(void **state)
{
	struct source source;
	struct stream_window window;
	char bytes[100], piece[100];

	(void)state;
	fill(&source, 17);
	source.error = ENOMEM;
	stream_window_init(&window, write_source, &source, bytes, sizeof(bytes));
	assert_int_equal(stream_window_read(&window, 0, piece, sizeof(piece)), -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_sizes),
		cmocka_unit_test(test_going_back),
		cmocka_unit_test(test_an_error_is_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
