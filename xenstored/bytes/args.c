/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Splitting and number parsing for request payloads. */
#include "bytes/args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool args_one(const char *payload, size_t len, struct arg *arg)
{
	if (!len || memchr(payload, 0, len) != payload + len - 1)
		return false;
	arg->text = payload;
	arg->len = len - 1;
	return true;
}

size_t args_split(const char *payload, size_t len, struct arg *args, size_t max)
{
	const char *at = payload, *end = payload + len, *nul;
	size_t n = 0;

	while (at < end && (nul = memchr(at, 0, (size_t)(end - at)))) {
		if (n < max) {
			args[n].text = at;
			args[n].len = (size_t)(nul - at);
		}
		n++;
		at = nul + 1;
	}
	return n;
}

bool arg_is(const struct arg *arg, const char *word)
{
	return strlen(word) == arg->len && !memcmp(arg->text, word, arg->len);
}

int args_domid(const struct arg *arg, unsigned int *domid)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(arg->text, &end, 10);
	if (end != arg->text + arg->len || value > 65535 || errno == ERANGE)
		return EINVAL;
	*domid = (unsigned int)value;
	return 0;
}

int args_int(const struct arg *arg)
{
	/* strtol saturates; the cut to int is what atoi() does on this platform. */
	return (int)strtol(arg->text, NULL, 10);
}
