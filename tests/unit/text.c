/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Growing, formatting, comparing. */
#include "text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void text_add(struct text *text, const void *data, size_t len)
{
	if (text->len + len + 1 > text->room) {
		text->room = 2 * (text->len + len + 1);
		text->data = test_realloc(text->data, text->room);
	}
	memcpy(text->data + text->len, data, len);
	text->len += len;
	text->data[text->len] = 0;
}

void text_print(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

void text_print(struct text *text, const char *format, ...)
{
	char line[8192];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	text_add(text, line, (size_t)len);
}

void text_clear(struct text *text)
{
	text->len = 0;
	text_add(text, "", 0);
}

void text_free(struct text *text)
{
	if (text->data)
		test_free(text->data);
	memset(text, 0, sizeof(*text));
}

static int by_line(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of @text in order, each of them once. */
void text_sort_lines(const struct text *text, struct text *out)
{
	char *line[512], *copy = test_malloc(text->len + 1), *at, *rest;
	size_t count = 0;

	memcpy(copy, text->data, text->len + 1);
	for (at = strtok_r(copy, "\n", &rest); at; at = strtok_r(NULL, "\n", &rest)) {
		assert_true(count < sizeof(line) / sizeof(line[0]));
		line[count++] = at;
	}
	qsort(line, count, sizeof(line[0]), by_line);
	text_clear(out);
	for (size_t i = 0; i < count; i++)
		if (!i || strcmp(line[i], line[i - 1]) != 0)
			text_print(out, "%s\n", line[i]);
	test_free(copy);
}

bool text_equal(const struct text *a, const struct text *b)
{
	return a->len == b->len && !memcmp(a->data, b->data, a->len);
}
