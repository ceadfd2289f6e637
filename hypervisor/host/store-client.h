/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small client of a xenstored's socket, for what a toolstack does. Requests are
 * collected and sent together; the answers are read in the same order.
 */
#ifndef HYPERVISOR_HOST_STORE_CLIENT_H
#define HYPERVISOR_HOST_STORE_CLIENT_H

#include <stddef.h>
#include <stdint.h>

/* Message types of the protocol, as far as they are used here. */
enum store_type {
	STORE_DIRECTORY = 1,
	STORE_READ = 2,
	STORE_WATCH = 4,
	STORE_UNWATCH = 5,
	STORE_TRANSACTION_START = 6,
	STORE_TRANSACTION_END = 7,
	STORE_INTRODUCE = 8,
	STORE_RELEASE = 9,
	STORE_WRITE = 11,
	STORE_MKDIR = 12,
	STORE_RM = 13,
	STORE_SET_PERMS = 14,
	STORE_WATCH_EVENT = 15,
	STORE_ERROR = 16,
	STORE_IS_DOMAIN_INTRODUCED = 17,
	STORE_RESET_WATCHES = 21,
};

#define STORE_PAYLOAD_MAX 4096U

struct store_header {
	uint32_t type;
	uint32_t req_id;
	uint32_t tx_id;
	uint32_t length;
};

struct store {
	int fd;
	char *out;
	size_t length, room;
	unsigned int waiting; /* answers to requests that are sent or collected */
	int failed;	      /* the first error of writing or collecting */
	char answer[STORE_PAYLOAD_MAX + 1];
};

/* Connects to a socket; 0 or a negative errno. Deinit is allowed after a failure. */
int store_init(struct store *store, const char *path);
void store_deinit(struct store *store);

/* Collects a request: its payload is the format's text (with \377 for a NUL byte). */
void store_put(struct store *store, uint32_t type, uint32_t tx_id, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * Sends what was collected and reads all answers. 0, or the first error: of an
 * answer (a negative errno) or of the connection. The last answer's payload is in
 * store->answer.
 */
int store_flush(struct store *store);

/* Sends what was collected and reads one answer: 0 or its error. store->failed tells of others. */
int store_next(struct store *store);

#endif
