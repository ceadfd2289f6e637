/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A connection whose two ends are in the same program. */
#include "stubdom/own-client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Turns that a request may need; simple ones take one. */
#define TURNS_MAX 64

/* Tells our watches apart from nothing: there is one token. */
#define TOKEN "own"

static struct own_client *of_transport(struct transport *transport)
{
	return (struct own_client *)(void *)transport;
}

static ssize_t receive(struct transport *transport, void *data, size_t len)
{
	struct own_client *own = of_transport(transport);
	size_t left = own->request_len - own->request_taken;

	if (!left)
		return -EAGAIN;
	if (len > left)
		len = left;
	memcpy(data, own->request + own->request_taken, len);
	own->request_taken += len;
	return (ssize_t)len;
}

static void message_complete(struct own_client *own)
{
	own->received = 0;
	if (own->header.type == XS_WATCH_EVENT) {
		own->watch_fired = true;
		own->fired(own->data);
	} else if (own->header.req_id == own->last_id) {
		own->answered = true;
		own->is_error = own->header.type == XS_ERROR;
		own->answer_len = own->header.len;
		memcpy(own->answer, own->payload, own->header.len);
		own->answer[own->header.len] = 0;
	}
	/* Else it is the answer to a request that nobody waits for any more. */
}

static ssize_t send_bytes(struct transport *transport, const void *data, size_t len)
{
	struct own_client *own = of_transport(transport);
	const char *from = data;
	size_t left = len;

	while (left) {
		size_t whole = sizeof(own->header), n;

		if (own->received >= whole)
			whole += own->header.len;
		n = whole - own->received < left ? whole - own->received : left;
		if (own->received < sizeof(own->header))
			memcpy((char *)&own->header + own->received, from, n);
		else
			memcpy(own->payload + own->received - sizeof(own->header), from, n);
		own->received += n;
		from += n;
		left -= n;
		if (own->received >= sizeof(own->header) &&
		    own->received == sizeof(own->header) + own->header.len)
			message_complete(own);
	}
	return (ssize_t)len;
}

static void fail(struct transport *transport, int error)
{
	(void)transport;
	(void)error;
}

static void close_transport(struct transport *transport)
{
	of_transport(transport)->client = NULL;
}

static const struct transport_ops own_ops = {
	.receive = receive,
	.send = send_bytes,
	.fail = fail,
	.close = close_transport,
};

int own_client_open(struct own_client *own, struct core *core)
{
	own->transport.ops = &own_ops;
	own->core = core;
	own->client = core_accept(core, &own->transport);
	return own->client ? 0 : -ENOMEM;
}

void own_client_close(struct own_client *own)
{
	if (own->client)
		client_free(own->core, own->client);
	own->client = NULL;
	own->request_len = own->request_taken = own->received = 0;
}

static int error_of(const char *name)
{
	static const int known[] = {ENOENT, EACCES, EINVAL, ENOMEM, ENOSPC, EEXIST, EAGAIN, EBUSY};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(wire_error_name(known[i]), name))
			return -known[i];
	return -EIO;
}

/* Hand a request with two strings over, the second with its NUL or without, and take the answer. */
static int ask(struct own_client *own, uint32_t type, const char *first, const char *second,
	       size_t second_len)
{
	size_t first_len = strlen(first) + 1;
	struct wire_header header = {
		.type = type,
		.req_id = ++own->last_id,
		.len = (uint32_t)(first_len + second_len),
	};

	if (!own->client)
		return -ENOTCONN;
	if (header.len > WIRE_PAYLOAD_MAX)
		return -E2BIG;
	/* An earlier one that could not be taken yet must not be written over. */
	if (own->request_taken != own->request_len)
		return -EAGAIN;
	memcpy(own->request, &header, sizeof(header));
	memcpy(own->request + sizeof(header), first, first_len);
	if (second_len)
		memcpy(own->request + sizeof(header) + first_len, second, second_len);
	own->request_len = sizeof(header) + header.len;
	own->request_taken = 0;
	own->answered = false;
	own->busy = true;
	core_ready(own->core, own->client, true, true, false);
	for (int i = 0; i < TURNS_MAX && own->client && !own->answered; i++) {
		client_unwake(own->core, own->client);
		if (!client_turn(own->core, own->client, CLIENT_BUDGET))
			break;
	}
	own->busy = false;
	if (!own->client || !own->answered)
		return -EAGAIN;
	return own->is_error ? error_of(own->answer) : 0;
}

int own_client_read(struct own_client *own, const char *path, char *value, size_t size)
{
	int error = ask(own, XS_READ, path, NULL, 0);

	if (error)
		return error;
	if (own->answer_len >= size)
		return -E2BIG;
	memcpy(value, own->answer, own->answer_len + 1);
	return 0;
}

int own_client_write(struct own_client *own, const char *path, const char *value)
{
	return ask(own, XS_WRITE, path, value, strlen(value));
}

int own_client_watch(struct own_client *own, const char *path, bool watch)
{
	return ask(own, watch ? XS_WATCH : XS_UNWATCH, path, TOKEN, sizeof(TOKEN));
}
