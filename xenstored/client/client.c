/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Life of a client and its output queue. Input is in input.c. */
#include "client/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/control.h"
#include "core/core.h"

struct client *client_new(struct core *core, struct transport *transport, struct domain *domain,
			  bool is_socket)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	client->id = ++core->last_client_id;
	client->transport = transport;
	client->is_socket = is_socket;
	client->identity.domid = domain->domid;
	client->identity.domain = domain;
	client->identity.privileged = domain->domid == core->state.domains.priv_domid;
	client->readable = client->writable = true;
	TAILQ_INIT(&client->output);
	TAILQ_INIT(&client->watches);
	LIST_INIT(&client->transactions);
	TAILQ_INSERT_TAIL(&core->clients, client, link);
	core->client_count++;
	core_trace(core, LOG_OBJ, "CREATE connection %llu", (unsigned long long)client->id);
	return client;
}

static void forget_input(struct client *client)
{
	free(client->input);
	client->input = NULL;
	client->input_len = client->input_room = 0;
}

static void drop_output(struct core *core, struct client *client)
{
	while (!TAILQ_EMPTY(&client->output))
		client_unqueue(core, TAILQ_FIRST(&client->output));
}

/* Nobody is to be answered any more for what was asked before. */
static void tell_gone(struct core *core, const struct client *client)
{
	if (core->control && core->control->client_gone)
		core->control->client_gone(core->control_data, client);
}

void client_free(struct core *core, struct client *client)
{
	tell_gone(core, client);
	client_drop_watches(core, client);
	client_drop_transactions(core, client);
	drop_output(core, client);
	forget_input(client);
	client_forget_parked(client);
	client_unwake(core, client);
	if (client->in_waiting)
		TAILQ_REMOVE(&core->waiting, client, waiting);
	TAILQ_REMOVE(&core->clients, client, link);
	core->client_count--;
	core_trace(core, LOG_OBJ, "DESTROY connection %llu", (unsigned long long)client->id);
	if (!client->is_socket && client->identity.domain)
		client->identity.domain->client = NULL;
	client->transport->ops->close(client->transport);
	free(client);
}

void client_reset(struct core *core, struct client *client)
{
	tell_gone(core, client);
	client_drop_watches(core, client);
	client_drop_transactions(core, client);
	drop_output(core, client);
	forget_input(client);
	client_forget_parked(client);
	client->was_reset = true;
	client->ignored = false;
	client->releasing = 0;
	client->wait = WAIT_NOT;
	client->readable = client->writable = true;
}

void client_ignore(struct core *core, struct client *client, int error)
{
	if (client->ignored)
		return;
	client_reset(core, client);
	client->ignored = true;
	client->transport->ops->fail(client->transport, error);
	core_trace(core, LOG_CLASS_NONE, "CONN %llu ignored, reason %d",
		   (unsigned long long)client->id, error);
	core_log(core, LOG_WARNING, "Domain %u: connection ignored, reason %d",
		 client->identity.domid, error);
}

void client_drop_watches(struct core *core, struct client *client)
{
	struct watch *watch;

	while ((watch = TAILQ_FIRST(&client->watches))) {
		account_add(client_account(client), QUOTA_WATCHES, -1);
		account_add(client_account(client), QUOTA_MEMORY,
			    -(int64_t)(watch->path_len + watch->token_len));
		TAILQ_REMOVE(&client->watches, watch, of_client);
		core_trace(core, LOG_OBJ, "DESTROY watch %llu",
			   (unsigned long long)watch->sequence);
		watch_remove(&core->watches, watch);
	}
}

void client_end_transaction(struct core *core, struct client *client, struct transaction *tx)
{
	LIST_REMOVE(tx, of_client);
	TAILQ_REMOVE(&core->transactions, tx, age);
	client->transaction_count--;
	core->transaction_count--;
	account_add(client_account(client), QUOTA_TRANSACTIONS, -1);
	account_add(client_account(client), QUOTA_MEMORY, -(int64_t)tx->charged);
	core_trace(core, LOG_OBJ, "DESTROY transaction %u", tx->id);
	transaction_free(&core->state, tx);
}

void client_drop_transactions(struct core *core, struct client *client)
{
	while (!LIST_EMPTY(&client->transactions))
		client_end_transaction(core, client, LIST_FIRST(&client->transactions));
}

struct transaction *client_transaction(const struct client *client, uint32_t id)
{
	struct transaction *tx;

	LIST_FOREACH(tx, &client->transactions, of_client)
		if (tx->id == id)
			return tx;
	return NULL;
}

void client_wake(struct core *core, struct client *client)
{
	if (client->in_run_queue)
		return;
	client->in_run_queue = true;
	TAILQ_INSERT_TAIL(&core->runnable, client, runnable);
	core->runnable_count++;
}

void client_unwake(struct core *core, struct client *client)
{
	if (!client->in_run_queue)
		return;
	client->in_run_queue = false;
	TAILQ_REMOVE(&core->runnable, client, runnable);
	core->runnable_count--;
}

static uint64_t payload_hash(const struct core *core, const struct message *message)
{
	return hash_bytes(&core->state.secret, message->client->id, message->payload,
			  message->header.len);
}

void client_set_id(struct core *core, struct client *client, uint64_t id)
{
	struct message *message;

	client->id = id;
	TAILQ_FOREACH(message, &client->output, link) {
		if (!message->indexed)
			continue;
		hash_remove(&core->pending_events, &message->pending);
		hash_insert(&core->pending_events, &message->pending, payload_hash(core, message));
	}
}

static bool is_duplicate(const struct core *core, const struct message *message, uint64_t hash)
{
	struct hash_link *link = NULL;

	while ((link = hash_find(&core->pending_events, hash, link))) {
		const struct message *other = hash_entry(link, struct message, pending);

		if (other->client == message->client && other->header.len == message->header.len &&
		    !memcmp(other->payload, message->payload, message->header.len))
			return true;
	}
	return false;
}

/* A request's consequences are one less. */
static void drop_cause(struct core *core, struct cause *cause)
{
	struct domain *domain;

	if (!cause || --cause->refs)
		return;
	domain = domain_with_record(&core->state.domains, cause->domid, cause->record);
	if (domain) {
		account_add(&domain->account, QUOTA_OUTSTANDING, -1);
		if (domain->client && domain->client->wait == WAIT_QUOTA)
			client_wake(core, domain->client);
	}
	free(cause);
}

static void discard(struct core *core, struct message *message)
{
	drop_cause(core, message->cause);
	message_free(message);
}

/* Whether an event is worth queueing, for what it says and for what its receiver may hold. */
static bool event_wanted(struct core *core, struct client *client, struct message *message)
{
	struct account *account = client_account(client);
	uint64_t hash;

	if (client->ignored || client->broken)
		return false;
	if (client_is_limited(client) &&
	    account_exceeds(account, QUOTA_MEMORY,
			    account->now[QUOTA_MEMORY] + message_size(message))) {
		core_quota_hit(core, client->identity.domain, QUOTA_MEMORY);
		return false;
	}
	/* The ring of a privileged domain is not closed, so there events end somewhere. */
	if (!client->is_socket && client->output_bytes > core->config.output_max)
		return false;
	if (message->payload[0] == '@')
		return true;
	hash = payload_hash(core, message);
	if (is_duplicate(core, message, hash))
		return false;
	message->indexed = true;
	hash_insert(&core->pending_events, &message->pending, hash);
	return true;
}

/* A reply too large for a guest that holds too much already becomes an error. */
static void shorten_reply(struct client *client, struct message *message)
{
	static const char error[] = "ENOMEM";
	struct account *account = client_account(client);

	if (message->header.len <= 16 || !client_is_limited(client) ||
	    !account_exceeds(account, QUOTA_MEMORY,
			     account->now[QUOTA_MEMORY] + message_size(message)))
		return;
	message->header.type = XS_ERROR;
	message_set(message, error, sizeof(error));
}

/* Put a message behind the others and count it. */
static void append(struct core *core, struct client *client, struct message *message)
{
	if (message->event && client_is_limited(client) && core->config.event_timeout_ms) {
		message->expires = true;
		message->deadline = core->now + core->config.event_timeout_ms;
		TAILQ_INSERT_TAIL(&core->expiring, message, expiry);
	}
	if (!message->event && !message->cause) {
		message->counted = true;
		account_add(client_account(client), QUOTA_OUTSTANDING, 1);
	}
	account_add(client_account(client), QUOTA_MEMORY, (int64_t)message_size(message));
	client->output_bytes += message_size(message);
	core->output_bytes += message_size(message);
	TAILQ_INSERT_TAIL(&client->output, message, link);
}

void client_queue(struct core *core, struct client *client, struct message *message)
{
	message->client = client;
	if (message->event && !event_wanted(core, client, message)) {
		discard(core, message);
		return;
	}
	if (!message->event)
		shorten_reply(client, message);
	append(core, client, message);
	if (!client->identity.privileged)
		core_memory_changed(core, client->identity.domain);
	if (client->is_socket && client->output_bytes > core->config.output_max &&
	    !client->broken) {
		core_log(core, LOG_WARNING,
			 "Connection %llu of domain %u does not read its messages: closed",
			 (unsigned long long)client->id, client->identity.domid);
		client->broken = true;
	}
	client_wake(core, client);
}

void client_requeue(struct core *core, struct client *client, struct message *message)
{
	message->client = client;
	if (message->event && message->payload[0] != '@') {
		message->indexed = true;
		hash_insert(&core->pending_events, &message->pending, payload_hash(core, message));
	}
	append(core, client, message);
	client_wake(core, client);
}

void client_unqueue(struct core *core, struct message *message)
{
	struct client *client = message->client;
	struct account *account = client_account(client);

	TAILQ_REMOVE(&client->output, message, link);
	client->output_bytes -= message_size(message);
	core->output_bytes -= message_size(message);
	account_add(account, QUOTA_MEMORY, -(int64_t)message_size(message));
	if (message->counted)
		account_add(account, QUOTA_OUTSTANDING, -1);
	if (message->indexed)
		hash_remove(&core->pending_events, &message->pending);
	if (message->expires)
		TAILQ_REMOVE(&core->expiring, message, expiry);
	if (client_is_limited(client))
		core_memory_changed(core, client->identity.domain);
	if (client->wait == WAIT_QUOTA)
		client_wake(core, client);
	discard(core, message);
}

void client_await_answer(struct client *client)
{
	client->wait = WAIT_ANSWER;
}

void client_queue_answer(struct core *core, struct client *client, struct message *message)
{
	if (client->wait == WAIT_ANSWER)
		client->wait = WAIT_NOT;
	if (message)
		client_queue(core, client, message);
	client_wake(core, client);
}

/* Copy from the front of the queue into the shared buffer. */
static size_t gather(struct core *core, const struct client *client)
{
	const struct message *message;
	size_t used = 0;

	TAILQ_FOREACH(message, &client->output, link) {
		size_t at = message->sent;

		if (at < WIRE_HEADER_SIZE) {
			size_t n = WIRE_HEADER_SIZE - at;

			if (used + n > CLIENT_INPUT_MAX)
				break;
			memcpy(core->output + used, (const char *)&message->header + at, n);
			used += n;
			at = WIRE_HEADER_SIZE;
		}
		if (at < message_size(message)) {
			size_t n = message_size(message) - at;

			if (n > CLIENT_INPUT_MAX - used)
				n = CLIENT_INPUT_MAX - used;
			memcpy(core->output + used, message->payload + (at - WIRE_HEADER_SIZE), n);
			used += n;
		}
		if (used == CLIENT_INPUT_MAX)
			break;
	}
	return used;
}

/* @done bytes of the queue are out. */
static void advance(struct core *core, struct client *client, size_t done)
{
	bool trace = core->world->log->enabled(core->world->log, LOG_IO);

	while (done) {
		struct message *message = TAILQ_FIRST(&client->output);
		size_t rest = message_size(message) - message->sent;

		if (done < rest) {
			message->sent += (uint32_t)done;
			return;
		}
		done -= rest;
		if (trace)
			core->world->log->io(core->world->log, LOG_OUT, client->id,
					     client->identity.domid, message->header.type,
					     message->payload, message->header.len);
		client_unqueue(core, message);
	}
}

void client_flush(struct core *core, struct client *client)
{
	while (client->writable && !client->broken && !TAILQ_EMPTY(&client->output)) {
		size_t len = gather(core, client);
		ssize_t sent = client->transport->ops->send(client->transport, core->output, len);

		if (sent < 0 && sent != -EAGAIN) {
			if (client->is_socket)
				client->broken = true;
			else
				client_ignore(core, client, TRANSPORT_RINGIDX);
			return;
		}
		if (sent > 0)
			advance(core, client, (size_t)sent);
		if (sent < (ssize_t)len)
			client->writable = false;
	}
}
