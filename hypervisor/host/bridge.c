/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many clients, one ring. Messages pass unchanged wherever that is possible:
 *
 *  - Answers come in the order of requests, so a queue of "who asked" is enough
 *    to bring each to its client, whatever request ids clients use.
 *  - An event names the watch by its token. When a client sets a watch with a
 *    token that another client uses at the moment, the ring sees a longer one.
 *  - A client that leaves takes its watches and transactions with it: the bridge
 *    ends them in its name, and keeps the answers to itself.
 */
#include "bridge.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bytes.h"
#include "ring.h"
#include "store-client.h"

/* Clients are not read while this much waits for the ring. */
#define WAITING_MAX 65536U

struct client {
	int fd;
	struct bytes in, out;
	struct client *next;
};

/* A request whose answer is awaited. */
struct asked {
	struct client *client; /* NULL: nobody wants the answer any more */
	uint32_t type, tx_id;
	struct watch *watch; /* that it sets */
	struct asked *next;
};

struct watch {
	struct client *client;
	char *path, *token; /* as the client gave them */
	char *wire;	    /* the token on the ring */
	bool resets;	    /* a reset is on its way that ends it */
	struct watch *next;
};

struct transaction {
	struct client *client;
	uint32_t id;
	struct transaction *next;
};

struct bridge {
	struct ring *ring;
	struct bytes to_ring, from_ring;
	struct client *clients;
	struct asked *asked, **asked_end;
	struct watch *watches;
	struct transaction *transactions;
	unsigned int distinct; /* for tokens */
};

static void *need(void *block)
{
	if (!block) {
		fprintf(stderr, "simxen guest: out of memory\n");
		exit(1);
	}
	return block;
}

/* ---- towards the ring ---- */

static struct asked *ask(struct bridge *bridge, struct client *client,
			 const struct store_header *header, const void *payload)
{
	struct asked *asked = need(calloc(1, sizeof(*asked)));

	*asked = (struct asked){.client = client, .type = header->type, .tx_id = header->tx_id};
	*bridge->asked_end = asked;
	bridge->asked_end = &asked->next;
	bytes_add(&bridge->to_ring, header, sizeof(*header));
	bytes_add(&bridge->to_ring, payload, header->length);
	return asked;
}

/* A request of the bridge's own with up to two strings. */
static void ask_alone(struct bridge *bridge, uint32_t type, uint32_t tx_id, const char *first,
		      const char *second)
{
	struct store_header header = {.type = type, .tx_id = tx_id};
	struct bytes payload = {0};

	bytes_add(&payload, first, strlen(first) + 1);
	if (second)
		bytes_add(&payload, second, strlen(second) + 1);
	header.length = (uint32_t)payload.length;
	ask(bridge, NULL, &header, bytes_start(&payload));
	bytes_deinit(&payload);
}

static struct watch **find_watch(struct bridge *bridge, const struct client *client,
				 const char *path, const char *token)
{
	struct watch **link = &bridge->watches;

	while (*link && !((*link)->client == client && strcmp((*link)->path, path) == 0 &&
			  strcmp((*link)->token, token) == 0))
		link = &(*link)->next;
	return link;
}

static void drop_watch(struct bridge *bridge, struct watch **link)
{
	struct watch *watch = *link;

	for (struct asked *asked = bridge->asked; asked; asked = asked->next)
		if (asked->watch == watch)
			asked->watch = NULL;
	*link = watch->next;
	free(watch->path);
	free(watch->token);
	free(watch->wire);
	free(watch);
}

static bool token_is_taken(const struct bridge *bridge, const struct client *client,
			   const char *token)
{
	for (const struct watch *watch = bridge->watches; watch; watch = watch->next)
		if (watch->client != client && strcmp(watch->wire, token) == 0)
			return true;
	return false;
}

/* Splits a payload into path and token; false when it is not made of these. */
static bool split(const char *payload, size_t length, const char **path, const char **token)
{
	const char *end = memchr(payload, '\0', length);

	if (!end || !memchr(end + 1, '\0', length - (size_t)(end + 1 - payload)))
		return false;
	*path = payload;
	*token = end + 1;
	return true;
}

/* A WATCH or UNWATCH of a client: notes it, and exchanges the token if need be. */
static void ask_watch(struct bridge *bridge, struct client *client, struct store_header *header,
		      const char *payload)
{
	const char *path, *token, *wire, *rest;
	struct bytes changed = {0};
	struct watch *watch = NULL, **link;
	struct asked *asked;
	char *longer = NULL;

	if (!split(payload, header->length, &path, &token)) {
		ask(bridge, client, header, payload);
		return;
	}
	link = find_watch(bridge, client, path, token);
	wire = *link ? (*link)->wire : token;
	if (header->type == STORE_WATCH && !*link) {
		watch = need(calloc(1, sizeof(*watch)));
		if (token_is_taken(bridge, client, token)) {
			if (asprintf(&longer, "%s#%u", token, ++bridge->distinct) < 0)
				longer = need(NULL);
			wire = longer;
		}
		*watch = (struct watch){
			client, need(strdup(path)), need(strdup(token)), need(strdup(wire)),
			false,	bridge->watches};
		bridge->watches = watch;
	}
	rest = token + strlen(token) + 1;
	bytes_add(&changed, path, strlen(path) + 1);
	bytes_add(&changed, wire, strlen(wire) + 1);
	bytes_add(&changed, rest, header->length - (size_t)(rest - payload));
	header->length = (uint32_t)changed.length;
	asked = ask(bridge, client, header, bytes_start(&changed));
	asked->watch = watch;
	if (header->type == STORE_UNWATCH && *link)
		drop_watch(bridge, link);
	bytes_deinit(&changed);
	free(longer);
}

/* ---- clients come, talk and go ---- */

static void accept_client(struct bridge *bridge, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *client;

	if (fd < 0)
		return;
	client = need(calloc(1, sizeof(*client)));
	client->fd = fd;
	client->next = bridge->clients;
	bridge->clients = client;
}

static void end_client(struct bridge *bridge, struct client **link)
{
	struct client *client = *link;

	for (struct asked *asked = bridge->asked; asked; asked = asked->next)
		if (asked->client == client)
			asked->client = NULL;
	for (struct watch **watch = &bridge->watches; *watch;) {
		if ((*watch)->client != client) {
			watch = &(*watch)->next;
			continue;
		}
		ask_alone(bridge, STORE_UNWATCH, 0, (*watch)->path, (*watch)->wire);
		drop_watch(bridge, watch);
	}
	for (struct transaction **at = &bridge->transactions; *at;) {
		struct transaction *transaction = *at;

		if (transaction->client != client) {
			at = &transaction->next;
			continue;
		}
		ask_alone(bridge, STORE_TRANSACTION_END, transaction->id, "F", NULL);
		*at = transaction->next;
		free(transaction);
	}
	*link = client->next;
	close(client->fd);
	bytes_deinit(&client->in);
	bytes_deinit(&client->out);
	free(client);
}

/* Passes on the whole messages that a client has sent. False: it does not keep to the protocol. */
static bool take_requests(struct bridge *bridge, struct client *client)
{
	struct store_header header;
	size_t whole;

	while (client->in.length >= sizeof(header)) {
		const char *payload = bytes_start(&client->in) + sizeof(header);

		memcpy(&header, bytes_start(&client->in), sizeof(header));
		if (header.length > STORE_PAYLOAD_MAX)
			return false;
		whole = sizeof(header) + header.length;
		if (client->in.length < whole)
			break;
		if (header.type == STORE_WATCH || header.type == STORE_UNWATCH) {
			ask_watch(bridge, client, &header, payload);
		} else {
			if (header.type == STORE_RESET_WATCHES)
				for (struct watch *at = bridge->watches; at; at = at->next)
					at->resets = true;
			ask(bridge, client, &header, payload);
		}
		bytes_remove(&client->in, whole);
	}
	return true;
}

/* False: the client is to be ended. */
static bool serve_client(struct bridge *bridge, struct client *client, short events)
{
	char buffer[16384];
	ssize_t length;

	if (events & POLLOUT) {
		length = send(client->fd, bytes_start(&client->out), client->out.length,
			      MSG_NOSIGNAL | MSG_DONTWAIT);
		if (length > 0)
			bytes_remove(&client->out, (size_t)length);
	}
	if (!(events & (POLLIN | POLLHUP | POLLERR)))
		return true;
	length = recv(client->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
	if (length < 0)
		return errno == EAGAIN || errno == EINTR;
	if (length == 0)
		return false;
	bytes_add(&client->in, buffer, (size_t)length);
	return take_requests(bridge, client);
}

/* ---- from the ring ---- */

static void give(struct client *client, const struct store_header *header, const void *payload)
{
	ssize_t sent;

	if (!client)
		return;
	bytes_add(&client->out, header, sizeof(*header));
	bytes_add(&client->out, payload, header->length);
	/* Most of the time there is room, and no need to wait for being told so. */
	sent = send(client->fd, bytes_start(&client->out), client->out.length,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent > 0)
		bytes_remove(&client->out, (size_t)sent);
}

static void take_event(struct bridge *bridge, struct store_header *header, const char *payload)
{
	const char *path, *token;
	struct watch *watch = bridge->watches;
	struct bytes changed = {0};

	if (!split(payload, header->length, &path, &token))
		return;
	while (watch && strcmp(watch->wire, token) != 0)
		watch = watch->next;
	/* An event on its way when the watch was removed is nobody's. */
	if (!watch)
		return;
	bytes_add(&changed, path, strlen(path) + 1);
	bytes_add(&changed, watch->token, strlen(watch->token) + 1);
	header->length = (uint32_t)changed.length;
	give(watch->client, header, bytes_start(&changed));
	bytes_deinit(&changed);
}

/* What an answer means for the bridge's own tables. */
static void note_answer(struct bridge *bridge, const struct asked *asked,
			const struct store_header *header, const char *payload)
{
	bool failed = header->type == STORE_ERROR;
	struct transaction *started, **at;
	char number[16] = "";

	if (asked->type == STORE_TRANSACTION_START && !failed) {
		memcpy(number, payload,
		       header->length < sizeof(number) ? header->length : sizeof(number) - 1);
		if (!asked->client) {
			ask_alone(bridge, STORE_TRANSACTION_END,
				  (uint32_t)strtoul(number, NULL, 10), "F", NULL);
			return;
		}
		started = need(calloc(1, sizeof(*started)));
		*started = (struct transaction){asked->client, (uint32_t)strtoul(number, NULL, 10),
						bridge->transactions};
		bridge->transactions = started;
	} else if (asked->type == STORE_TRANSACTION_END) {
		if (failed && strncmp(payload, "EAGAIN", header->length) != 0)
			return;
		at = &bridge->transactions;
		while (*at && (*at)->id != asked->tx_id)
			at = &(*at)->next;
		if (*at) {
			started = *at;
			*at = started->next;
			free(started);
		}
	} else if (asked->type == STORE_RESET_WATCHES && !failed) {
		for (struct watch **link = &bridge->watches; *link;) {
			if ((*link)->resets)
				drop_watch(bridge, link);
			else
				link = &(*link)->next;
		}
	} else if (asked->watch && failed) {
		struct watch **link = &bridge->watches;

		while (*link && *link != asked->watch)
			link = &(*link)->next;
		if (*link)
			drop_watch(bridge, link);
	}
}

static void take_answer(struct bridge *bridge, const struct store_header *header,
			const char *payload)
{
	struct asked *asked = bridge->asked;

	if (!asked) {
		fprintf(stderr, "simxen guest: an answer to nothing\n");
		return;
	}
	bridge->asked = asked->next;
	if (!bridge->asked)
		bridge->asked_end = &bridge->asked;
	note_answer(bridge, asked, header, payload);
	give(asked->client, header, payload);
	free(asked);
}

/* Moves bytes in both directions. 0, or a negative errno when the ring cannot be used. */
static int pump(struct bridge *bridge)
{
	char buffer[RING_SIZE];
	struct store_header header;
	int written, read;

	if (!ring_connected(bridge->ring))
		return 0;
	do {
		written = ring_write(bridge->ring, bytes_start(&bridge->to_ring),
				     bridge->to_ring.length);
		if (written < 0)
			return written;
		bytes_remove(&bridge->to_ring, (size_t)written);
		read = ring_read(bridge->ring, buffer, sizeof(buffer));
		if (read < 0)
			return read;
		bytes_add(&bridge->from_ring, buffer, (size_t)read);
		if (written || read)
			ring_notify(bridge->ring);
		while (bridge->from_ring.length >= sizeof(header)) {
			memcpy(&header, bytes_start(&bridge->from_ring), sizeof(header));
			if (header.length > STORE_PAYLOAD_MAX)
				return -EPROTO;
			if (bridge->from_ring.length < sizeof(header) + header.length)
				break;
			size_t whole = sizeof(header) + header.length;
			const char *payload = bytes_start(&bridge->from_ring) + sizeof(header);

			if (header.type == STORE_WATCH_EVENT)
				take_event(bridge, &header, payload);
			else
				take_answer(bridge, &header, payload);
			bytes_remove(&bridge->from_ring, whole);
		}
	} while (read || (written && bridge->to_ring.length));
	return 0;
}

static void deinit(struct bridge *bridge)
{
	while (bridge->clients)
		end_client(bridge, &bridge->clients);
	while (bridge->asked) {
		struct asked *asked = bridge->asked;

		bridge->asked = asked->next;
		free(asked);
	}
	bytes_deinit(&bridge->to_ring);
	bytes_deinit(&bridge->from_ring);
}

/* After the last client has gone, what it left behind is still to be ended. */
static bool idle(const struct bridge *bridge)
{
	return !bridge->clients &&
	       (!ring_connected(bridge->ring) || (!bridge->asked && !bridge->to_ring.length));
}

int bridge_run(struct ring *ring, int listener, bool (*may_end)(void *data), void *data)
{
	struct bridge bridge = {.ring = ring, .asked_end = &bridge.asked};
	struct pollfd *polls = NULL;
	size_t count, room = 0;
	int error = 0;

	while (error == 0 && !(idle(&bridge) && may_end(data))) {
		struct client **link = &bridge.clients;

		count = 2;
		for (struct client *client = bridge.clients; client; client = client->next)
			count++;
		if (count > room) {
			room = count * 2;
			polls = need(realloc(polls, room * sizeof(*polls)));
		}
		polls[0] = (struct pollfd){.fd = ring->evtchn, .events = POLLIN};
		polls[1] = (struct pollfd){.fd = listener, .events = POLLIN};
		count = 2;
		for (struct client *client = bridge.clients; client; client = client->next)
			polls[count++] = (struct pollfd){
				.fd = client->fd,
				.events = (short)((client->out.length ? POLLOUT : 0) |
						  (bridge.to_ring.length < WAITING_MAX ? POLLIN
										       : 0))};
		if (poll(polls, count, -1) < 0 && errno != EINTR)
			break;
		for (size_t i = 2; i < count; i++) {
			if (polls[i].revents && !serve_client(&bridge, *link, polls[i].revents))
				end_client(&bridge, link);
			else
				link = &(*link)->next;
		}
		if (polls[1].revents)
			accept_client(&bridge, listener);
		if (polls[0].revents)
			error = ring_take_event(ring);
		if (error == 0)
			error = pump(&bridge);
	}
	free(polls);
	deinit(&bridge);
	return error;
}
