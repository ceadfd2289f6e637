/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Splitting at blanks. */
#include "stubdom/ring0/arguments.h"

#include <stdbool.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

size_t arguments_split(char *text, char **words, size_t max)
{
	size_t count = 0;

	for (;;) {
		while (is_blank(*text))
			*text++ = 0;
		if (!*text || count + 1 >= max)
			break;
		words[count++] = text;
		while (*text && !is_blank(*text))
			text++;
	}
	words[count] = NULL;
	return count;
}
