/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A text that grows, in memory of the test and not of what is tested.
 */
#ifndef TESTS_UNIT_TEXT_H
#define TESTS_UNIT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Starts as all zero. */
struct text {
	char *data; /* with a NUL behind; NULL before the first use */
	size_t len, room;
};

/** Append bytes. */
void text_add(struct text *text, const void *data, size_t len);

/** Append up to 8191 formatted bytes. */
void text_print(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Make it the empty text. */
void text_clear(struct text *text);

/** Give its memory back; it may be used again. */
void text_free(struct text *text);

/** Make @out the lines of @text in order, each of them once. */
void text_sort_lines(const struct text *text, struct text *out);

bool text_equal(const struct text *a, const struct text *b);

#endif
