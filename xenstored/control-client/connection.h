/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client's connection to xenstored: one request at a time, over the daemon's socket or the
 * kernel's device.
 *
 * Written here instead of using libxenstore so that the tool works where only the daemon is
 * installed, and next to a library of any version.
 */
#ifndef XENSTORED_CONTROL_CLIENT_CONNECTION_H
#define XENSTORED_CONTROL_CLIENT_CONNECTION_H

#include <stddef.h>
#include <stdint.h>

struct connection {
	int fd;
	uint32_t request_id; /* of the last request */
};

/**
 * Connects to xenstored: to XENSTORED_PATH (socket or device) and nothing else if that is set;
 * otherwise to the socket in XENSTORED_RUNDIR or in the compiled-in run directory, and when nobody
 * answers there (a guest; a store domain) through the kernel's device.
 *
 * Returns 0 or a negative errno, that of the first attempt.
 */
int connection_open(struct connection *connection);

void connection_close(struct connection *connection);

/**
 * Sends a request of @type and waits for its reply. Watch events in between are dropped.
 *
 * Returns 0 with *@reply a string: the payload, followed by a NUL that is not counted in
 * *@reply_length; to be freed by the caller. A positive errno is the daemon's ERROR reply, a
 * negative one is trouble with the connection or with memory; *@reply is NULL then.
 * @reply_length may be NULL.
 */
int connection_request(struct connection *connection, uint32_t type, const void *payload,
		       size_t length, char **reply, size_t *reply_length);

#endif
