/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client: one connection, by socket or as a guest, its requests and what came back.
 *
 * Requests are queued with client_put() and leave in one system call with client_flush(), so
 * that a scenario decides how many are in flight.  Every reply is compared with what it must
 * be: type, request id, transaction id, size and bytes; a benchmark of wrong answers is none.
 * Events are counted, checked for form and otherwise skipped.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "subject.h"
#include "wire.h"

#define CLIENT_BUFFER 32768u

struct guest;

struct client {
	const struct subject *subject;
	struct guest *guest; /* NULL: a socket */
	int fd;		     /* the socket, or what tells of a guest's events */
	uint32_t last_id;
	uint64_t events;
	const char *only_event; /* if set, the payload that every event must have */
	size_t only_event_len;
	size_t out_len;
	size_t in_start;
	size_t in_end;
	unsigned char out[CLIENT_BUFFER];
	unsigned char in[CLIENT_BUFFER];
};

struct reply {
	struct wire_header header;
	const unsigned char *payload; /* valid until the next client_fill() */
};

/* A bare connected socket, for connections that never speak. */
int client_socket(const struct subject *subject);

/* A new connected client; the subject must outlive it. */
struct client *client_new(const struct subject *subject);

/* Close and free; NULL is allowed. */
void client_free(struct client *client);

/* Queue a request; returns its request id, which is never 0. */
uint32_t client_put(struct client *client, uint32_t type, uint32_t tx_id, const void *payload,
		    size_t len);

/* Queue a request whose payload is a path and its NUL, followed by len more bytes. */
uint32_t client_put_path(struct client *client, uint32_t type, uint32_t tx_id, const char *path,
			 const void *more, size_t len);

/* Send all that is queued. */
void client_flush(struct client *client);

/* Receive once; with wait = false it may find nothing and returns false. */
bool client_fill(struct client *client, bool wait);

/* The next complete reply of what has been received; counts and skips events. */
bool client_next(struct client *client, struct reply *reply);

/* The next reply, waiting for it. */
void client_take(struct client *client, struct reply *reply);

/* Fail unless the reply is the one to this request with this payload. */
void client_check(const struct client *client, const struct reply *reply, uint32_t type,
		  uint32_t id, uint32_t tx_id, const void *payload, size_t len);

/* Whether the reply is the error with this name; fails if its ids are wrong. */
bool client_is_error(const struct client *client, const struct reply *reply, uint32_t id,
		     uint32_t tx_id, const char *name);

/* Flush, wait for one reply, and check it. */
void client_finish(struct client *client, uint32_t type, uint32_t id, uint32_t tx_id,
		   const void *payload, size_t len);

/* One round trip each, with the reply that the request must have. */
void client_read(struct client *client, const char *path, size_t size);
void client_write(struct client *client, const char *path, size_t size);
void client_rm(struct client *client, const char *path);
void client_watch(struct client *client, const char *path, const char *token);
void client_unwatch(struct client *client, const char *path, const char *token);

/* Read until count events have arrived since the client was made. */
void client_await_events(struct client *client, uint64_t count);

/* Receive whatever events are there, without waiting. */
void client_drain(struct client *client);

#endif
