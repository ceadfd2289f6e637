/* SPDX-License-Identifier: GPL-2.0-or-later */
/* WATCH, UNWATCH, RESET_WATCHES. */
#include <errno.h>
#include <string.h>

#include "verbs/request.h"

/* The event that every new watch gets: its path as the client spelled it. NULL: no memory. */
static int initial_event(struct request *request, const struct arg *path, const struct arg *token)
{
	size_t len = path->len + 1 + token->len + 1;
	struct message *event;

	if (len > WIRE_PAYLOAD_MAX)
		return 0; /* never sent, as any later event of this watch */
	event = message_new(XS_WATCH_EVENT, 0, 0, len);
	if (!event)
		return ENOMEM;
	event->event = true;
	event->header.len = (uint32_t)len;
	memcpy(event->payload, path->text, path->len + 1);
	memcpy(event->payload + path->len + 1, token->text, token->len + 1);
	request->after = event;
	return 0;
}

static bool knows_depth(const struct client *client)
{
	return client->is_socket || (client->identity.domain->features & XS_FEATURE_DEPTH);
}

/* Whether the quotas of the client's domain allow one more watch, of so many bytes. */
static int within_quotas(struct core *core, const struct client *client, uint64_t bytes)
{
	const struct account *account = client_account(client);

	if (!client_is_limited(client))
		return 0;
	if (account_exceeds(account, QUOTA_WATCHES, account->now[QUOTA_WATCHES] + 1)) {
		core_quota_hit(core, client->identity.domain, QUOTA_WATCHES);
		return ENOSPC;
	}
	if (!account_exceeds(account, QUOTA_MEMORY, account->now[QUOTA_MEMORY] + bytes))
		return 0;
	if (core_has_releases(core))
		return REQUEST_LATER;
	core_quota_hit(core, client->identity.domain, QUOTA_MEMORY);
	return ENOMEM;
}

int verb_watch(struct request *request)
{
	struct core *core = request->core;
	struct client *client = request->client;
	struct account *account = client_account(client);
	struct watch *watch;
	struct arg args[3];
	struct path path;
	size_t count = args_split(request->payload, request->len, args, 3);
	int depth = WATCH_NO_DEPTH;
	uint64_t bytes;
	int error;

	if (count != 2 && (count != 3 || !knows_depth(client)))
		return EINVAL;
	if (count == 3) {
		depth = args_int(&args[2]);
		if (depth < 0)
			return EINVAL;
	}
	error = request_make_path(request, &args[0], true, &path);
	if (error)
		return error;
	if (watch_find(&core->watches, client->id, path.text, path.len, args[1].text, args[1].len))
		return EEXIST;
	bytes = path.len + args[1].len;
	error = within_quotas(core, client, bytes);
	if (error)
		return error;
	if (initial_event(request, &args[0], &args[1]))
		return ENOMEM;
	watch = watch_add(&core->watches, client, client->id, &path, args[1].text, args[1].len,
			  depth);
	if (!watch) {
		message_free(request->after);
		request->after = NULL;
		return ENOMEM;
	}
	TAILQ_INSERT_TAIL(&client->watches, watch, of_client);
	account_add(account, QUOTA_WATCHES, 1);
	account_add(account, QUOTA_MEMORY, (int64_t)bytes);
	core_memory_changed(core, client->identity.domain);
	core_trace(core, LOG_OBJ, "CREATE watch %llu", (unsigned long long)watch->sequence);
	return request_ack(request);
}

int verb_unwatch(struct request *request)
{
	struct core *core = request->core;
	struct client *client = request->client;
	struct account *account = client_account(client);
	struct watch *watch;
	struct arg args[2];
	struct path path;
	int error;

	if (args_split(request->payload, request->len, args, 2) != 2)
		return EINVAL;
	error = request_make_path(request, &args[0], true, &path);
	if (error)
		return error;
	watch = watch_find(&core->watches, client->id, path.text, path.len, args[1].text,
			   args[1].len);
	if (!watch)
		return ENOENT;
	account_add(account, QUOTA_WATCHES, -1);
	account_add(account, QUOTA_MEMORY, -(int64_t)(path.len + args[1].len));
	core_memory_changed(core, client->identity.domain);
	TAILQ_REMOVE(&client->watches, watch, of_client);
	core_trace(core, LOG_OBJ, "DESTROY watch %llu", (unsigned long long)watch->sequence);
	watch_remove(&core->watches, watch);
	return request_ack(request);
}

int verb_reset_watches(struct request *request)
{
	client_drop_watches(request->core, request->client);
	/* The request's own transaction goes as well. */
	request->tx = NULL;
	client_drop_transactions(request->core, request->client);
	core_memory_changed(request->core, request->client->identity.domain);
	return request_ack(request);
}
