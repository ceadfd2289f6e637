/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection of the load generator, see client.h.
 */
#define _GNU_SOURCE 1
#include "client.h"
#include "fail.h"
#include "guest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int client_socket(const struct subject *subject)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fail("socket: %s", strerror(errno));
	strcpy(address.sun_path, subject->socket);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail("%s: connect %s: %s", subject->name, subject->socket, strerror(errno));
	return fd;
}

struct client *client_new(const struct subject *subject)
{
	struct client *client = malloc(sizeof(*client));

	if (!client)
		fail("out of memory");
	/* The buffers stay untouched, so that a thousand clients cost no memory. */
	memset(client, 0, offsetof(struct client, out));
	client->subject = subject;
	client->fd = client_socket(subject);
	return client;
}

void client_free(struct client *client)
{
	if (client && client->guest)
		guest_free(client->guest);
	else if (client)
		close(client->fd);
	free(client);
}

uint32_t client_put_path(struct client *client, uint32_t type, uint32_t tx_id, const char *path,
			 const void *more, size_t len)
{
	size_t path_len = path ? strlen(path) + 1 : 0;
	struct wire_header header = {.type = type, .tx_id = tx_id};
	unsigned char *out = client->out + client->out_len;

	if (path_len + len > WIRE_PAYLOAD ||
	    client->out_len + WIRE_HEADER + path_len + len > sizeof(client->out))
		fail("request too large for the load generator");
	header.len = (uint32_t)(path_len + len);
	header.req_id = ++client->last_id;
	memcpy(out, &header, WIRE_HEADER);
	if (path_len)
		memcpy(out + WIRE_HEADER, path, path_len);
	if (len)
		memcpy(out + WIRE_HEADER + path_len, more, len);
	client->out_len += WIRE_HEADER + path_len + len;
	return header.req_id;
}

uint32_t client_put(struct client *client, uint32_t type, uint32_t tx_id, const void *payload,
		    size_t len)
{
	return client_put_path(client, type, tx_id, NULL, payload, len);
}

/* Receive from the ring; false when there is nothing. */
static bool take_from_ring(struct client *client)
{
	size_t n = guest_get(client->guest, client->in + client->in_end,
			     sizeof(client->in) - client->in_end);

	client->in_end += n;
	return n > 0;
}

/* A server that cannot get rid of its replies may take no requests: both go on together. */
static void flush_to_ring(struct client *client)
{
	size_t sent = 0;

	while (sent < client->out_len) {
		sent += guest_put(client->guest, client->out + sent, client->out_len - sent);
		if (sent < client->out_len && !take_from_ring(client))
			guest_event(client->guest, true);
	}
	client->out_len = 0;
}

void client_flush(struct client *client)
{
	size_t sent = 0;

	if (client->guest) {
		flush_to_ring(client);
		return;
	}
	while (sent < client->out_len) {
		ssize_t n = send(client->fd, client->out + sent, client->out_len - sent,
				 MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail("%s: send: %s", client->subject->name, strerror(errno));
		sent += (size_t)n;
	}
	client->out_len = 0;
}

static bool fill_from_ring(struct client *client, bool wait)
{
	guest_event(client->guest, false);
	while (!take_from_ring(client)) {
		if (!wait)
			return false;
		guest_event(client->guest, true);
	}
	return true;
}

bool client_fill(struct client *client, bool wait)
{
	ssize_t n;

	if (client->in_start > 0) {
		memmove(client->in, client->in + client->in_start,
			client->in_end - client->in_start);
		client->in_end -= client->in_start;
		client->in_start = 0;
	}
	if (client->guest)
		return fill_from_ring(client, wait);
	do
		n = recv(client->fd, client->in + client->in_end,
			 sizeof(client->in) - client->in_end, wait ? 0 : MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && !wait && (errno == EAGAIN || errno == EWOULDBLOCK))
		return false;
	if (n <= 0)
		fail("%s: recv: %s", client->subject->name,
		     n == 0 ? "the server closed the connection" : strerror(errno));
	client->in_end += (size_t)n;
	return true;
}

static void check_event(const struct client *client, const struct wire_header *header,
			const unsigned char *payload)
{
	size_t nuls = 0;

	for (size_t i = 0; i < header->len; i++)
		nuls += payload[i] == '\0';
	if (header->req_id || header->tx_id || nuls != 2 || payload[header->len - 1] != '\0')
		fail("%s: an event of wrong form", client->subject->name);
	if (client->only_event && (header->len != client->only_event_len ||
				   memcmp(payload, client->only_event, header->len) != 0))
		fail("%s: an event for %s that nobody watches", client->subject->name,
		     (const char *)payload);
}

bool client_next(struct client *client, struct reply *reply)
{
	for (;;) {
		size_t have = client->in_end - client->in_start;
		const unsigned char *in = client->in + client->in_start;

		if (have < WIRE_HEADER)
			return false;
		memcpy(&reply->header, in, WIRE_HEADER);
		if (reply->header.len > WIRE_PAYLOAD)
			fail("%s: a reply of %u bytes", client->subject->name, reply->header.len);
		if (have < WIRE_HEADER + reply->header.len)
			return false;
		reply->payload = in + WIRE_HEADER;
		client->in_start += WIRE_HEADER + reply->header.len;
		/* Begin at the front again instead of moving bytes later. */
		if (client->in_start == client->in_end)
			client->in_start = client->in_end = 0;
		if (reply->header.type != XS_WATCH_EVENT)
			return true;
		check_event(client, &reply->header, reply->payload);
		client->events++;
	}
}

void client_take(struct client *client, struct reply *reply)
{
	while (!client_next(client, reply))
		client_fill(client, true);
}

void client_check(const struct client *client, const struct reply *reply, uint32_t type,
		  uint32_t id, uint32_t tx_id, const void *payload, size_t len)
{
	const struct wire_header *h = &reply->header;

	if (h->type == type && h->req_id == id && h->tx_id == tx_id && h->len == len &&
	    (len == 0 || memcmp(reply->payload, payload, len) == 0))
		return;
	fail("%s: wrong reply to %s: expected id %u, transaction %u, %zu bytes; got %s, id %u, "
	     "transaction %u, %u bytes: %.*s",
	     client->subject->name, wire_name(type), id, tx_id, len, wire_name(h->type), h->req_id,
	     h->tx_id, h->len, (int)h->len, (const char *)reply->payload);
}

bool client_is_error(const struct client *client, const struct reply *reply, uint32_t id,
		     uint32_t tx_id, const char *name)
{
	const struct wire_header *h = &reply->header;

	if (h->req_id != id || h->tx_id != tx_id)
		fail("%s: a reply with id %u, transaction %u instead of %u, %u",
		     client->subject->name, h->req_id, h->tx_id, id, tx_id);
	return h->type == XS_ERROR && h->len == strlen(name) + 1 &&
	       memcmp(reply->payload, name, h->len) == 0;
}

void client_finish(struct client *client, uint32_t type, uint32_t id, uint32_t tx_id,
		   const void *payload, size_t len)
{
	struct reply reply;

	client_flush(client);
	client_take(client, &reply);
	client_check(client, &reply, type, id, tx_id, payload, len);
}

void client_read(struct client *client, const char *path, size_t size)
{
	uint32_t id = client_put_path(client, XS_READ, 0, path, NULL, 0);

	client_finish(client, XS_READ, id, 0, value_text(size), size);
}

void client_write(struct client *client, const char *path, size_t size)
{
	uint32_t id = client_put_path(client, XS_WRITE, 0, path, value_text(size), size);

	client_finish(client, XS_WRITE, id, 0, "OK", 3);
}

void client_rm(struct client *client, const char *path)
{
	uint32_t id = client_put_path(client, XS_RM, 0, path, NULL, 0);

	client_finish(client, XS_RM, id, 0, "OK", 3);
}

void client_watch(struct client *client, const char *path, const char *token)
{
	uint32_t id = client_put_path(client, XS_WATCH, 0, path, token, strlen(token) + 1);

	client_finish(client, XS_WATCH, id, 0, "OK", 3);
}

void client_unwatch(struct client *client, const char *path, const char *token)
{
	uint32_t id = client_put_path(client, XS_UNWATCH, 0, path, token, strlen(token) + 1);

	client_finish(client, XS_UNWATCH, id, 0, "OK", 3);
}

/* A reply that nobody asked for must not pass as an event. */
static void events_only(struct client *client)
{
	struct reply reply;

	if (client_next(client, &reply))
		fail("%s: a %s reply without a request", client->subject->name,
		     wire_name(reply.header.type));
}

void client_await_events(struct client *client, uint64_t count)
{
	events_only(client);
	while (client->events < count) {
		client_fill(client, true);
		events_only(client);
	}
}

void client_drain(struct client *client)
{
	events_only(client);
	while (client_fill(client, false))
		events_only(client);
}
