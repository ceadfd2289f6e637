/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arguments: taking a request's payload apart.
 *
 * All functions work on (pointer, length); nothing is trusted to be terminated
 * (spec: protocol.md section 3, "Payload parsing helpers").
 */
#ifndef XENSTORED_BYTES_ARGS_H
#define XENSTORED_BYTES_ARGS_H

#include <stdbool.h>
#include <stddef.h>

/* One NUL-terminated string inside a payload. */
struct arg {
	const char *text; /* terminated by the NUL in the payload */
	size_t len;	  /* without the NUL */
};

/** True when the payload is one string with its NUL as the only one; fills @arg. */
bool args_one(const char *payload, size_t len, struct arg *arg);

/**
 * Split a payload into its NUL-terminated strings; bytes behind the last NUL are ignored.
 * Fills at most @max of @args and returns how many strings there are, which may be more.
 */
size_t args_split(const char *payload, size_t len, struct arg *args, size_t max);

/** True when @arg is exactly @word. */
bool arg_is(const struct arg *arg, const char *word);

/** Parse a domain id (decimal, at most 65535). Returns 0 or EINVAL. */
int args_domid(const struct arg *arg, unsigned int *domid);

/** The integer at the start of @arg as atoi() reads it: blanks, sign, digits; 0 without any. */
int args_int(const struct arg *arg);

#endif
