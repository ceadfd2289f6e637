/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Input of a client: from bytes to requests, one turn at a time.
 *
 * Receiving goes into a buffer that all clients share. What is left in it at
 * the end of the turn (the start of a message, or requests beyond the turn's
 * budget) is kept with the client. Bytes that have been received are never
 * lost: when there is no memory to keep them, a spare buffer is given to the
 * client, and without a spare nothing is received.
 */
#include "client/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "verbs/request.h"

/* The shared buffer during a turn. */
struct input {
	char *data;
	size_t len; /* bytes in it */
	size_t at;  /* of these are dealt with */
};

/* Length of the message at the front: 0 when its header is not complete, or is not acceptable. */
static size_t message_len(const struct input *input, bool *too_long)
{
	struct wire_header header;

	*too_long = false;
	if (input->len - input->at < WIRE_HEADER_SIZE)
		return 0;
	memcpy(&header, input->data + input->at, sizeof(header));
	if (header.len > WIRE_PAYLOAD_MAX) {
		*too_long = true;
		return 0;
	}
	return WIRE_HEADER_SIZE + header.len;
}

/* Whether it has requests that were held back and are not any more. */
static bool client_has_parked(const struct core *core, const struct client *client)
{
	return client->parked_count && !core->holds_transactions;
}

static bool has_request(const struct input *input)
{
	bool too_long;
	size_t len = message_len(input, &too_long);

	return too_long || (len && input->len - input->at >= len);
}

/* Bring what was left over to the shared buffer. */
static void take_over(struct core *core, struct client *client, struct input *input)
{
	input->data = core->input;
	input->len = client->input_len;
	input->at = 0;
	if (client->input_len)
		memcpy(core->input, client->input, client->input_len);
	client->input_len = 0;
}

/* Keep what is left. */
static void leave_over(struct core *core, struct client *client, struct input *input)
{
	size_t rest = input->len - input->at;

	if (client->was_reset) {
		client->was_reset = false;
		rest = 0;
	}
	if (!rest) {
		free(client->input);
		client->input = NULL;
		client->input_room = 0;
		return;
	}
	if (client->input_room < rest) {
		char *buffer = malloc(rest);

		if (!buffer) {
			/* A client whose own buffer is too small gets the spare one. */
			buffer = core->spare;
			core->spare = NULL;
		}
		free(client->input);
		client->input = buffer;
		client->input_room = (uint32_t)rest;
	}
	memcpy(client->input, input->data + input->at, rest);
	client->input_len = (uint32_t)rest;
}

static void wait_for_memory(struct core *core, struct client *client)
{
	client->wait = WAIT_MEMORY;
	client->wait_until = core->now + MEMORY_RETRY_MS;
}

/*
 * While memory is short, a guest's bytes are taken only where there is already a place to keep
 * them, so that the spare buffer stays for the others. Returns false when there is none.
 */
static bool make_place(struct client *client)
{
	const uint32_t whole = WIRE_MESSAGE_MAX;
	char *buffer;

	if (client->input_room >= whole)
		return true;
	buffer = malloc(whole);
	if (!buffer)
		return false;
	free(client->input);
	client->input = buffer;
	client->input_room = whole;
	return true;
}

static void receive(struct core *core, struct client *client, struct input *input)
{
	size_t room = CLIENT_INPUT_MAX - input->len;
	ssize_t got;

	if (!core->spare)
		core->spare = malloc(CLIENT_INPUT_MAX);
	if (!core->spare && !client_is_limited(client) && core_make_room(core))
		core->spare = malloc(CLIENT_INPUT_MAX);
	if (client_is_limited(client) && core_is_short(core)) {
		if (!make_place(client)) {
			wait_for_memory(core, client);
			return;
		}
		room = client->input_room - input->len;
	} else if (!core->spare) {
		wait_for_memory(core, client);
		return;
	}
	got = client->transport->ops->receive(client->transport, input->data + input->len, room);
	if (got > 0) {
		input->len += (size_t)got;
		client->readable = (size_t)got == room || client->ending;
		return;
	}
	client->readable = false;
	if (got == -EAGAIN)
		return;
	if (!client->is_socket)
		client_ignore(core, client, TRANSPORT_RINGIDX);
	else if (got == 0)
		client->input_end = true;
	else
		client->broken = true;
}

/* Tell the administrator of the first time for a domain, and of the first after a quiet time. */
static void tell_limited(struct core *core, struct domain *domain)
{
	struct ratelimit *limit = &core->state.domains.ratelimit;

	if (!domain->credit.told)
		core_log(core, LOG_WARNING, "write rate limit: domain %u is affected",
			 domain->domid);
	else if (limit->quiet_reported)
		core_log(core, LOG_WARNING, "write rate limit: rate limiting restarts");
	domain->credit.told = true;
	limit->quiet_reported = false;
}

/* Whether a client that was held back may go on; counts the time until it is worth another look. */
static bool may_go_on(struct core *core, struct client *client)
{
	struct domain *domain = client->identity.domain;
	struct account *account = &domain->account;
	uint64_t wait;

	switch (client->wait) {
	case WAIT_RELEASE:
		if (core_has_releases(core))
			return false;
		break;
	case WAIT_MEMORY:
		if (core->now < client->wait_until)
			return false;
		break;
	case WAIT_ANSWER:
		return false;
	case WAIT_CREDIT:
	case WAIT_QUOTA:
	case WAIT_NOT:
		break;
	}
	client->wait = WAIT_NOT;
	if (!client_is_limited(client))
		return true;
	if ((account->limits.hard[QUOTA_OUTSTANDING] &&
	     account->now[QUOTA_OUTSTANDING] >= account->limits.hard[QUOTA_OUTSTANDING]) ||
	    account_exceeds(account, QUOTA_MEMORY, account->now[QUOTA_MEMORY])) {
		client->wait = WAIT_QUOTA;
		return false;
	}
	wait = ratelimit_wait(&core->state.domains.ratelimit, &domain->credit, core->now);
	if (wait) {
		tell_limited(core, domain);
		core_trace(core, LOG_WRL, "domain %u: waits %llu ms, %lld points left",
			   domain->domid, (unsigned long long)wait,
			   (long long)domain->credit.points);
		client->wait = WAIT_CREDIT;
		client->wait_until = core->now + wait;
		return false;
	}
	return true;
}

static void bad_length(struct core *core, struct client *client, const struct input *input)
{
	struct wire_header header;

	memcpy(&header, input->data + input->at, sizeof(header));
	core_log(core, LOG_ERR, "Client tried to feed us %u", header.len);
	if (client->is_socket)
		client->broken = true;
	else
		client_ignore(core, client, TRANSPORT_PROTO);
}

/* Handle what was held back, if it may go on; @budget is decreased. */
static void handle_parked(struct core *core, struct client *client, long *budget)
{
	while (*budget > 0 && client_has_parked(core, client) && may_go_on(core, client)) {
		int result = client_run_parked(core, client, budget);

		if (result == REQUEST_NO_MEMORY)
			wait_for_memory(core, client);
	}
}

/* Handle what is buffered; @budget is decreased. */
static void handle_requests(struct core *core, struct client *client, struct input *input,
			    long *budget)
{
	while (*budget > 0 && !client->broken && !client->ignored && !client->was_reset) {
		bool too_long;
		size_t len = message_len(input, &too_long);
		int result;

		if (too_long) {
			bad_length(core, client, input);
			return;
		}
		if (!len || input->len - input->at < len)
			return;
		if (!may_go_on(core, client))
			return;
		result = request_handle(core, client, input->data + input->at, budget);
		if (result == REQUEST_NO_MEMORY) {
			wait_for_memory(core, client);
			return;
		}
		if (result == REQUEST_LATER) {
			client->wait = WAIT_RELEASE;
			return;
		}
		input->at += len;
	}
}

bool client_has_request(const struct client *client)
{
	const struct input input = {.data = client->input, .len = client->input_len};

	return has_request(&input);
}

bool client_turn(struct core *core, struct client *client, long budget)
{
	struct input input;
	bool may_read, more;

	if (client->ignored) {
		client->readable = false;
		return false;
	}
	/* A reset since the last turn has thrown away what there was; what comes now is new. */
	client->was_reset = false;
	/* Memory may have been missing not for a request, but for the next bytes. */
	if (client->wait == WAIT_MEMORY && core->now >= client->wait_until)
		client->wait = WAIT_NOT;
	take_over(core, client, &input);
	if (client->readable && !client->input_end && !core->holds_input && !has_request(&input))
		receive(core, client, &input);
	handle_parked(core, client, &budget);
	handle_requests(core, client, &input, &budget);
	/* Whoever waits for an answer may still hang up, if there is nothing to be done before
	 * that. */
	may_read = client->wait == WAIT_NOT ||
		   (client->wait == WAIT_ANSWER && !has_request(&input));
	more = may_read && !client->ignored && !client->was_reset &&
	       (has_request(&input) || client_has_parked(core, client) ||
		(client->readable && !client->input_end && !core->holds_input));
	/* Replies are sent together as long as more requests are at hand. */
	if (!more || !has_request(&input) || client->output_bytes > CLIENT_INPUT_MAX / 2)
		client_flush(core, client);
	if (client->input_end && !has_request(&input) && !client->parked_count &&
	    TAILQ_EMPTY(&client->output))
		client->broken = true;
	leave_over(core, client, &input);
	if (client->wait != WAIT_NOT && !client->in_waiting) {
		client->in_waiting = true;
		TAILQ_INSERT_TAIL(&core->waiting, client, waiting);
	}
	if ((client->wait == WAIT_CREDIT || client->wait == WAIT_MEMORY) &&
	    (!core->wake_at || client->wait_until < core->wake_at))
		core->wake_at = client->wait_until;
	if (client->broken) {
		client_free(core, client);
		return false;
	}
	return more;
}
