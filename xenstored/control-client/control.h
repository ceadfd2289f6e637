/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CONTROL request as a list of words.
 *
 * A command travels as NUL-terminated words one after the other. Most are strings; a piece of a
 * kernel is not, so a word can also be bytes.
 */
#ifndef XENSTORED_CONTROL_CLIENT_CONTROL_H
#define XENSTORED_CONTROL_CLIENT_CONTROL_H

#include <stddef.h>

#include "control-client/connection.h"

struct control {
	char payload[4096];
	size_t length;
	int error; /* -E2BIG once a word did not fit; sticky */
};

/** Begins a request with the word @command. */
void control_init(struct control *control, const char *command);

/** Adds a word. That it does not fit shows in control_send(). */
void control_add(struct control *control, const char *word);

/** Adds a word of @length bytes of any value. */
void control_add_bytes(struct control *control, const void *bytes, size_t length);

/** Sends the request; results as of connection_request(), and -E2BIG. */
int control_send(const struct control *control, struct connection *connection, char **reply);

#endif
