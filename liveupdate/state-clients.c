/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clients: connections with what they have half sent and half received, and their watches. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "liveupdate/image.h"

struct client *image_client(const struct restore *restore, uint32_t conn_id)
{
	return conn_id < restore->clients ? restore->client[conn_id] : NULL;
}

/* All queued output in one piece, and the answer to the request for the update behind it. */
static uint8_t *gather_output(const struct client *client, const struct image_requester *requester,
			      struct stream_connection *out)
{
	bool answer = requester->client == client;
	size_t len = client->output_bytes + (answer ? WIRE_HEADER_SIZE + 3 : 0), at = 0;
	const struct message *message;
	uint8_t *bytes = malloc(len ? len : 1);

	if (!bytes)
		return NULL;
	TAILQ_FOREACH(message, &client->output, link) {
		size_t skip = message->sent;

		if (skip < WIRE_HEADER_SIZE) {
			memcpy(bytes + at, (const char *)&message->header + skip,
			       WIRE_HEADER_SIZE - skip);
			at += WIRE_HEADER_SIZE - skip;
			skip = WIRE_HEADER_SIZE;
		}
		skip -= WIRE_HEADER_SIZE;
		memcpy(bytes + at, message->payload + skip, message->header.len - skip);
		at += message->header.len - skip;
		if (message->sent)
			out->partial_len = (uint16_t)at;
	}
	if (answer) {
		struct wire_header header = {XS_CONTROL, requester->req_id, requester->tx_id, 3};

		memcpy(bytes + at, &header, sizeof(header));
		memcpy(bytes + at + sizeof(header), "OK", 3);
		at += sizeof(header) + 3;
	}
	out->output = bytes;
	out->output_len = (uint32_t)at;
	return bytes;
}

static int save_events(const struct client *client, uint32_t id, struct stream_writer *writer)
{
	struct stream_events events = {.conn_id = id};
	struct stream_event *list = NULL;
	const struct message *message;
	uint32_t number = 0, room = 0;
	int error = 0;

	TAILQ_FOREACH(message, &client->output, link) {
		if (message->expires || message->cause) {
			struct stream_event *entry;

			if (events.events.count == room) {
				struct stream_event *grown;

				room = room ? 2 * room : 16;
				grown = realloc(list, room * sizeof(*list));
				if (!grown) {
					free(list);
					return ENOMEM;
				}
				list = grown;
			}
			entry = &list[events.events.count++];
			memset(entry, 0, sizeof(*entry));
			entry->message = number;
			entry->flags = message->expires ? STREAM_EVENT_EXPIRES : 0;
			entry->deadline = message->deadline;
			if (message->cause) {
				entry->cause = (uint64_t)(uintptr_t)message->cause;
				entry->cause_domid = message->cause->domid;
				entry->cause_record = message->cause->record;
			}
		}
		number++;
	}
	events.events.data = list;
	if (events.events.count)
		error = stream_put_own(writer, STREAM_EVENTS, &events);
	free(list);
	return error;
}

static int save_watches(const struct client *client, uint32_t id, struct stream_writer *writer)
{
	const struct watch *watch;
	int error = 0;

	TAILQ_FOREACH(watch, &client->watches, of_client) {
		struct stream_watch out = {
			.conn_id = id,
			.depth = watch->depth,
			.path = watch->text + watch->prefix,
			.path_len = (uint16_t)(watch->path_len - watch->prefix),
			.token = watch->text + watch->path_len + 1,
			.token_len = (uint16_t)watch->token_len,
		};

		error = stream_put_watch(writer, &out);
		if (error)
			break;
	}
	return error;
}

int save_client(struct core *core, const struct client *client, uint32_t id,
		const struct image_requester *requester, struct stream_writer *writer)
{
	struct transport_place place = {.fd = -1};
	struct stream_connection out = {.id = id,
					.type = client->is_socket ? STREAM_SOCKET : STREAM_RING,
					.target = STREAM_NO_TARGET,
					.fd = -1,
					.input = (const uint8_t *)client->input,
					.input_len = (uint16_t)client->input_len};
	const struct domain *domain = client->identity.domain;
	uint8_t *bytes;
	int error;

	if (client->input_len > UINT16_MAX)
		return EOVERFLOW;
	client->transport->ops->describe(client->transport, &place);
	out.fd = place.fd;
	out.port = place.port;
	if (!client->is_socket) {
		out.domid = domain->domid;
		out.has_unique_id = writer->dialect->unique_ids;
		out.unique_id = domain->unique_id;
		if (domain_with_record(&core->state.domains, domain->target_domid, domain->target))
			out.target = domain->target_domid;
	}
	bytes = gather_output(client, requester, &out);
	if (!bytes)
		return ENOMEM;
	error = stream_put_connection(writer, &out);
	free(bytes);
	if (!error && writer->dialect->own) {
		struct stream_client extra = {
			.conn_id = id,
			.flags = (client->ignored ? STREAM_CLIENT_IGNORED : 0) |
				 (client->ending ? STREAM_CLIENT_ENDING : 0) |
				 (client->input_end ? STREAM_CLIENT_INPUT_END : 0),
			.last_transaction = client->last_transaction,
			.client = client->id,
			.releasing = client->releasing,
		};

		error = stream_put_own(writer, STREAM_CLIENT, &extra);
		if (!error)
			error = save_events(client, id, writer);
	}
	return error ? error : save_watches(client, id, writer);
}

/* Other readers lose a target whose connection comes after the one that targets it. */
static bool in_pass(const struct client *client, bool own, int pass)
{
	return (!own && !client->is_socket && client->identity.domain->target) == (pass == 1);
}

int save_clients(struct core *core, const struct image_requester *requester,
		 struct stream_writer *writer)
{
	struct client *client;
	int error = 0;

	for (int pass = 0; pass < 2 && !error; pass++)
		TAILQ_FOREACH(client, &core->clients, link) {
			if (!in_pass(client, writer->dialect->own, pass) || client->broken)
				continue;
			/* One inside of this program ends with it. */
			if (!client->transport->ops->describe)
				continue;
			client->image_id = ++core->image_clients;
			error = save_client(core, client, client->image_id, requester, writer);
			if (error)
				break;
		}
	return error;
}

static int remember(struct restore *restore, uint32_t id, struct client *client)
{
	if (id >= restore->clients) {
		uint32_t size = restore->clients ? restore->clients : 64;
		struct client **table;

		/* Ids are small numbers given one after the other; others are not ours to believe.
		 */
		if (id > 1000000)
			return EINVAL;
		while (size <= id)
			size *= 2;
		table = realloc(restore->client, size * sizeof(*table));
		if (!table)
			return ENOMEM;
		memset(table + restore->clients, 0, (size - restore->clients) * sizeof(*table));
		restore->client = table;
		restore->clients = size;
	}
	restore->client[id] = client;
	return 0;
}

static struct client *adopt_ring(struct restore *restore, const struct stream_connection *in)
{
	struct core *core = restore->core;
	struct domain *domain = restore_know(restore, in->domid);
	struct transport *transport;
	struct client *client;
	int error;

	if (!domain || domain->client)
		return NULL;
	if (!restore->own) {
		domain->introduced = true;
		if (in->has_unique_id)
			domain->unique_id = in->unique_id;
		ratelimit_join(&core->state.domains.ratelimit, &domain->credit, core->now);
	}
	error = restore->process->adopt_ring(restore->process->data, in->domid, in->port,
					     &transport);
	if (error) {
		/* It stays introduced, so that its end is told; INTRODUCE maps it again. */
		core_log(core, LOG_ERR, "live-update: ring of domain %u: %s", in->domid,
			 strerror(-error));
		return NULL;
	}
	client = client_new(core, transport, domain, false);
	if (!client)
		transport->ops->close(transport);
	else
		domain->client = client;
	return client;
}

static struct cause *cause_of(struct restore *restore, const struct stream_event *event)
{
	struct cause *cause;

	if (!event->cause_record)
		return NULL;
	for (size_t i = restore->causes; i--;)
		if (restore->cause_id[i] == event->cause)
			return restore->cause[i];
	if (restore->causes == restore->cause_room) {
		size_t room = restore->cause_room ? 2 * restore->cause_room : 64;
		struct cause **list = realloc(restore->cause, room * sizeof(*list));
		uint64_t *ids;

		if (list)
			restore->cause = list;
		ids = realloc(restore->cause_id, room * sizeof(*ids));
		if (ids)
			restore->cause_id = ids;
		if (!list || !ids)
			return NULL;
		restore->cause_room = room;
	}
	cause = calloc(1, sizeof(*cause));
	if (!cause)
		return NULL;
	cause->domid = event->cause_domid;
	cause->record = event->cause_record;
	restore->cause[restore->causes] = cause;
	restore->cause_id[restore->causes++] = event->cause;
	return cause;
}

/*
 * The list of what expires is in order of time, whoever it belongs to.
 * @earlier: one whose place is before it, or NULL
 */
static void set_deadline(struct core *core, struct message *message, struct message *earlier,
			 uint64_t deadline)
{
	struct message *other;

	TAILQ_REMOVE(&core->expiring, message, expiry);
	message->deadline = deadline;
	other = earlier ? TAILQ_NEXT(earlier, expiry) : TAILQ_FIRST(&core->expiring);
	while (other && other->deadline <= deadline)
		other = TAILQ_NEXT(other, expiry);
	if (other)
		TAILQ_INSERT_BEFORE(other, message, expiry);
	else
		TAILQ_INSERT_TAIL(&core->expiring, message, expiry);
}

/* What an earlier process said about a queued message. */
static void restore_event(struct restore *restore, struct message *message, struct message *earlier,
			  const struct stream_event *event)
{
	struct core *core = restore->core;
	struct domain *domain;

	if (message->expires)
		set_deadline(core, message, earlier, event->deadline);
	message->cause = cause_of(restore, event);
	if (!message->cause)
		return;
	domain = domain_with_record(&core->state.domains, message->cause->domid,
				    message->cause->record);
	if (!message->cause->refs++ && domain)
		account_add(&domain->account, QUOTA_OUTSTANDING, 1);
	if (message->counted) {
		message->counted = false;
		account_add(client_account(message->client), QUOTA_OUTSTANDING, -1);
	}
}

static int queue(struct core *core, struct client *client, const struct wire_header *header,
		 const uint8_t *payload, uint32_t sent)
{
	struct message *message = message_new(header->type, header->req_id, header->tx_id,
					      header->len);

	if (!message)
		return ENOMEM;
	message_set(message, payload, header->len);
	message->event = header->type == XS_WATCH_EVENT && !sent;
	message->sent = sent;
	client_queue(core, client, message);
	return 0;
}

int image_restore_output(struct core *core, struct client *client,
			 const struct stream_connection *in)
{
	const uint8_t *at = in->output, *end = in->output + in->output_len;
	struct wire_header header = {.len = in->partial_len};
	int error = 0;

	/* The rest of a half-sent message is only bytes. */
	if (in->partial_len) {
		error = queue(core, client, &header, at, WIRE_HEADER_SIZE);
		at += in->partial_len;
	}
	while (!error && (size_t)(end - at) >= sizeof(header)) {
		memcpy(&header, at, sizeof(header));
		at += sizeof(header);
		if (header.len > WIRE_PAYLOAD_MAX || header.len > (size_t)(end - at))
			return EINVAL;
		error = queue(core, client, &header, at, 0);
		at += header.len;
	}
	return error;
}

int restore_events(struct restore *restore, const struct stream_events *events)
{
	struct client *client = image_client(restore, events->conn_id);
	struct message *message, *earlier = NULL;
	uint32_t number = 0, next = 0;

	if (!client)
		return 0;
	TAILQ_FOREACH(message, &client->output, link) {
		if (next < events->events.count && events->events.data[next].message == number) {
			restore_event(restore, message, earlier, &events->events.data[next++]);
			if (message->expires &&
			    (!earlier || message->deadline >= earlier->deadline))
				earlier = message;
		}
		number++;
	}
	return 0;
}

int image_restore_input(struct client *client, const struct stream_connection *in)
{
	if (!in->input_len)
		return 0;
	client->input = malloc(in->input_len);
	if (!client->input)
		return ENOMEM;
	memcpy(client->input, in->input, in->input_len);
	client->input_len = client->input_room = in->input_len;
	return 0;
}

int restore_connection(struct restore *restore, const struct stream_connection *in)
{
	struct client *client;
	int error;

	if (in->type == STREAM_SOCKET)
		client = restore->process->adopt_socket(restore->process->data, in->fd);
	else
		client = adopt_ring(restore, in);
	if (!client) {
		restore->report->dropped_clients++;
		return 0;
	}
	error = remember(restore, in->id, client);
	if (!error)
		error = image_restore_input(client, in);
	client->readable = client->writable = true;
	if (!error)
		error = image_restore_output(restore->core, client, in);
	client_wake(restore->core, client);
	return error;
}

int restore_targets(struct restore *restore, const struct stream_connection *in)
{
	struct domains *domains = &restore->core->state.domains;
	struct domain *domain, *target;

	if (restore->own || in->type != STREAM_RING || in->target == STREAM_NO_TARGET)
		return 0;
	domain = domain_find(domains, in->domid);
	target = domain_find(domains, in->target);
	if (domain && target) {
		domain->target = target->record;
		domain->target_domid = target->domid;
	}
	return 0;
}

int restore_client(struct restore *restore, const struct stream_client *in)
{
	struct client *client = image_client(restore, in->conn_id);

	if (!client)
		return 0;
	client_set_id(restore->core, client, in->client);
	if (in->client > restore->max_client)
		restore->max_client = in->client;
	client->last_transaction = in->last_transaction;
	client->releasing = in->releasing;
	client->ignored = in->flags & STREAM_CLIENT_IGNORED;
	client->ending = in->flags & STREAM_CLIENT_ENDING;
	client->input_end = in->flags & STREAM_CLIENT_INPUT_END;
	return 0;
}

int restore_watch(struct restore *restore, const struct stream_watch *in)
{
	struct core *core = restore->core;
	struct client *client = image_client(restore, in->conn_id);
	struct account *account;
	struct watch *watch;
	struct path path;

	if (!client || path_make(&path, in->path, in->path_len, client->identity.domid, true, 0) ||
	    watch_find(&core->watches, client->id, path.text, path.len, in->token, in->token_len)) {
		restore->report->dropped_watches++;
		return 0;
	}
	watch = watch_add(&core->watches, client, client->id, &path, in->token, in->token_len,
			  in->depth == STREAM_NO_DEPTH ? WATCH_NO_DEPTH : in->depth);
	if (!watch)
		return ENOMEM;
	account = client_account(client);
	TAILQ_INSERT_TAIL(&client->watches, watch, of_client);
	account_add(account, QUOTA_WATCHES, 1);
	account_add(account, QUOTA_MEMORY, (int64_t)(path.len + in->token_len));
	return 0;
}
