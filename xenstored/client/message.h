/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages to clients: replies and watch events, waiting in one queue.
 *
 * An event knows which request caused it, so that a guest whose requests flood
 * others with events is held back until these are delivered or have expired
 * (spec: quotas.md section 3, "outstanding").
 */
#ifndef XENSTORED_CLIENT_MESSAGE_H
#define XENSTORED_CLIENT_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "bytes/hash.h"
#include "bytes/wire.h"

struct client;

/* A request that has caused events: it stays outstanding until none of them is left. */
struct cause {
	uint32_t refs;
	uint16_t domid;
	uint64_t record;	/* of the domain that sent it */
	uint64_t image, number; /* in image number @image it has this number */
};

struct message {
	TAILQ_ENTRY(message) link;
	struct client *client;
	struct wire_header header;
	uint32_t sent; /* bytes that have been handed over */
	uint32_t room; /* for payload */
	bool event;
	bool expires; /* stands in the list of events that time out */
	bool counted; /* one of the client's outstanding requests */
	bool indexed; /* stands in the index of pending events */

	/* Of events only. */
	struct hash_link pending; /* by client and payload, to find duplicates */
	TAILQ_ENTRY(message) expiry;
	uint64_t deadline; /* ms */
	struct cause *cause;

	char payload[];
};

TAILQ_HEAD(message_list, message);

/** A message with room for @room bytes of payload. NULL: no memory. */
struct message *message_new(uint32_t type, uint32_t req_id, uint32_t tx_id, size_t room);

/** Free a message that is in no queue. May be NULL. */
void message_free(struct message *message);

/** Fill the payload; it must fit. */
void message_set(struct message *message, const void *payload, size_t len);

static inline size_t message_size(const struct message *message)
{
	return WIRE_HEADER_SIZE + message->header.len;
}

#endif
