/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages on the ring, sent and received whole, for those roles that keep the rules. */
#ifndef GUEST_WIRE_H
#define GUEST_WIRE_H

#include "xen.h"

#define PAYLOAD_MAX 4096u

enum message_type {
	XS_READ = 2,
	XS_WATCH = 4,
	XS_WRITE = 11,
	XS_WATCH_EVENT = 15,
	XS_ERROR = 16,
};

struct header {
	uint32_t type, req_id, tx_id, length;
};

/* The message that was received last; its payload is terminated. */
extern struct header reply;
extern char payload[PAYLOAD_MAX + 1];

size_t length(const char *text);
bool equal(const char *a, const char *b);

/** Sends a request of a path and a value; waits for nothing but room. */
void send_request(enum message_type type, uint32_t req_id, const char *path, const char *value,
		  size_t size);

/** Waits for one message, which may be an event. */
void receive_message(void);

#endif
