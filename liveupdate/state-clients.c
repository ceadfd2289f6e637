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

/* What was held back, and what has not been begun yet, in one piece. */
static char *gather_input(const struct client *client, struct stream_connection *out)
{
	size_t len = client->parked_count * CLIENT_PARKED_SIZE + client->input_len;
	char *bytes = malloc(len ? len : 1);

	if (!bytes)
		return NULL;
	for (uint32_t i = 0; i < client->parked_count; i++)
		client_put_parked(client, i, bytes + i * CLIENT_PARKED_SIZE);
	if (client->input_len)
		memcpy(bytes + len - client->input_len, client->input, client->input_len);
	out->input = (const uint8_t *)bytes;
	out->input_len = (uint16_t)len;
	return bytes;
}

static int save_watches(const struct client *client, uint32_t id, struct stream_writer *writer)
{
	struct stream_watch_order order = {.conn_id = id};
	struct stream_serial *sequence;
	const struct watch *watch;
	uint32_t count = 0;
	int error = 0;

	TAILQ_FOREACH(watch, &client->watches, of_client)
		count++;
	if (!count)
		return 0;
	sequence = malloc(count * sizeof(*sequence));
	if (!sequence)
		return ENOMEM;
	order.sequence.data = sequence;
	TAILQ_FOREACH(watch, &client->watches, of_client) {
		struct stream_watch out = {
			.conn_id = id,
			.depth = watch->depth,
			.path = watch->text + watch->prefix,
			.path_len = (uint16_t)(watch->path_len - watch->prefix),
			.token = watch->text + watch->path_len + 1,
			.token_len = (uint16_t)watch->token_len,
		};

		sequence[order.sequence.count++].value = watch->sequence;
		error = stream_put_watch(writer, &out);
		if (error)
			break;
	}
	if (!error)
		error = stream_put_own(writer, STREAM_WATCH_ORDER, &order);
	free(sequence);
	return error;
}

int save_client(struct core *core, const struct client *client, uint32_t id,
		const struct image_requester *requester, struct stream_writer *writer)
{
	struct transport_place place = {.fd = -1};
	struct stream_connection out = {.id = id,
					.type = client->is_socket ? STREAM_SOCKET : STREAM_RING,
					.target = STREAM_NO_TARGET,
					.fd = -1};
	const struct domain *domain = client->identity.domain;
	uint8_t *output;
	char *input;
	int error;

	if (client->parked_count * CLIENT_PARKED_SIZE + client->input_len > UINT16_MAX)
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
	input = gather_input(client, &out);
	output = gather_output(client, requester, &out);
	error = input && output ? stream_put_connection(writer, &out) : ENOMEM;
	free(input);
	free(output);
	if (!error && writer->dialect->own) {
		struct stream_client extra = {
			.conn_id = id,
			.flags = (client->ignored ? STREAM_CLIENT_IGNORED : 0) |
				 (client->ending ? STREAM_CLIENT_ENDING : 0) |
				 (client->input_end ? STREAM_CLIENT_INPUT_END : 0),
			.last_transaction = client->last_transaction,
			.client = client->id,
			.releasing = client->releasing,
			.remote_port = place.remote_port,
		};

		error = stream_put_own(writer, STREAM_CLIENT, &extra);
		if (!error)
			error = save_events(core, client, id, writer);
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

		if (id > STREAM_CONNECTION_ID_MAX)
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
	client_requeue(core, client, message);
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

/* Another xenstored talks to itself over a ring. We do not; but it tells who we are. */
static int know_own_ring(struct restore *restore, const struct stream_connection *in)
{
	struct domain *own = restore_know(restore, in->domid);

	if (own && in->has_unique_id)
		own->unique_id = in->unique_id;
	return 0;
}

int restore_connection(struct restore *restore, const struct stream_connection *in)
{
	struct client *client;
	int error;

	if (in->type == STREAM_RING && restore->process->has_own_ring &&
	    in->domid == restore->core->state.domains.own_domid)
		return know_own_ring(restore, in);
	if (in->type == STREAM_SOCKET)
		client = restore->process->adopt_socket(restore->process->data, in->fd);
	else
		client = adopt_ring(restore, in);
	if (!client) {
		if (in->type == STREAM_SOCKET)
			restore_dropped(restore, &restore->report->dropped_clients,
					"socket %d is none", in->fd);
		else
			restore_dropped(restore, &restore->report->dropped_clients,
					"connection of domain %u", in->domid);
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
	if (client->transport->ops->bound)
		client->transport->ops->bound(client->transport, in->remote_port);
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
		restore_dropped(restore, &restore->report->dropped_watches,
				"watch of connection %u for %s", in->conn_id, in->path);
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

int restore_watch_order(struct restore *restore, const struct stream_watch_order *in)
{
	struct client *client = image_client(restore, in->conn_id);
	struct watch *watch;
	uint32_t i = 0;

	if (!client)
		return 0;
	/* Some may have been dropped; the others stand in the order of their records. */
	TAILQ_FOREACH(watch, &client->watches, of_client)
		i++;
	if (i != in->sequence.count)
		return 0;
	i = 0;
	TAILQ_FOREACH(watch, &client->watches, of_client)
		watch_place(watch, in->sequence.data[i++].value);
	return 0;
}
