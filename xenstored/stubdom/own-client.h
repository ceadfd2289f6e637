/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stub domain as a client of its own store.
 *
 * The front-end of a device finds its back-end through the store, like that of
 * any domain. Here the store is in the same program: a request is handed to the
 * core as if it had come in by a connection of our own domain, and answered
 * before the call returns. The connection has the rights of our domain, not
 * those of the privileged one.
 */
#ifndef XENSTORED_STUBDOM_OWN_CLIENT_H
#define XENSTORED_STUBDOM_OWN_CLIENT_H

#include "core/core.h"

struct own_client {
	struct transport transport; /* first */
	struct core *core;
	struct client *client;	   /* NULL: not connected */
	bool busy;		   /* in a request: what the core does now is our own doing */
	bool watch_fired;	   /* some watch, since this was set to false */
	void (*fired)(void *data); /* a watch has fired; called in the middle of the core's work */
	void *data;

	char request[WIRE_MESSAGE_MAX];
	size_t request_len, request_taken;
	uint32_t last_id;

	/* What the core sends, as it comes: one message. */
	struct wire_header header;
	char payload[WIRE_PAYLOAD_MAX];
	size_t received;

	/* The answer to the request. */
	bool answered, is_error;
	size_t answer_len;
	char answer[WIRE_PAYLOAD_MAX + 1];
};

/** Connect. Returns 0 or -ENOMEM. */
int own_client_open(struct own_client *own, struct core *core);

/** Disconnect; watches are gone then. */
void own_client_close(struct own_client *own);

/**
 * Read a node into @value as a string. @path: absolute, or relative to our domain's home. Returns 0
 * or a negative errno; -E2BIG: it is longer than @size - 1; -EAGAIN: the core could not answer now.
 */
int own_client_read(struct own_client *own, const char *path, char *value, size_t size);

/** Write a node; watch or unwatch a path. Errors as above. */
int own_client_write(struct own_client *own, const char *path, const char *value);
int own_client_watch(struct own_client *own, const char *path, bool watch);

#endif
