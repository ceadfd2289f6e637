/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The little that the load generator and the echo server must know of the wire: header,
 * request types, and the one value that every node of a benchmark holds.
 *
 * It is written apart from the daemon's own wire code, so that a mistake there is seen here as
 * a wrong reply instead of being shared.  All values begin with the same endless text, so that
 * a reader who knows a value's size can check each of its bytes.
 */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define WIRE_HEADER  16u
#define WIRE_PAYLOAD 4096u

/* Size of a value wherever a scenario does not ask for another one. */
#define VALUE_SIZE 16u

enum wire_type {
	XS_CONTROL = 0,
	XS_DIRECTORY = 1,
	XS_READ = 2,
	XS_WATCH = 4,
	XS_UNWATCH = 5,
	XS_TRANSACTION_START = 6,
	XS_TRANSACTION_END = 7,
	XS_INTRODUCE = 8,
	XS_WRITE = 11,
	XS_MKDIR = 12,
	XS_RM = 13,
	XS_SET_PERMS = 14,
	XS_WATCH_EVENT = 15,
	XS_ERROR = 16,
};

struct wire_header {
	uint32_t type;
	uint32_t req_id;
	uint32_t tx_id;
	uint32_t len;
};

/* The first size bytes of the text that fills all values; size is at most 64. */
const char *value_text(size_t size);

/* The name of a request type, for messages. */
const char *wire_name(uint32_t type);

#endif
