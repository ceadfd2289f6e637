/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TRANSACTION_STARTs that are held back while a live update waits for the end of all transactions.
 *
 * On a busy host somebody always has one open; but whoever has none gets none meanwhile, so that
 * those that are open come to their end. Requests that come behind such a one are answered before
 * it (spec: protocol.md sections 9 and 13). Its payload means nothing, so that its number is all
 * there is to keep.
 */
#include "client/client.h"

#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "verbs/request.h"

bool client_park(struct core *core, struct client *client, uint32_t req_id)
{
	uint32_t most = client_is_limited(client) ? 1 : CLIENT_PARKED_MAX;
	uint32_t *list;

	if (client->parked_count == most) {
		core_trace(core, LOG_CLASS_NONE, "Stalling connection %llu",
			   (unsigned long long)client->id);
		return false;
	}
	list = realloc(client->parked, (client->parked_count + 1) * sizeof(*list));
	if (!list)
		return false;
	client->parked = list;
	client->parked[client->parked_count++] = req_id;
	core_trace(core, LOG_CLASS_NONE, "Delaying transaction start for connection %llu req_id %u",
		   (unsigned long long)client->id, req_id);
	return true;
}

void client_forget_parked(struct client *client)
{
	free(client->parked);
	client->parked = NULL;
	client->parked_count = 0;
}

void client_put_parked(const struct client *client, uint32_t number, char *message)
{
	const struct wire_header header = {
		.type = XS_TRANSACTION_START, .req_id = client->parked[number], .len = 1};

	memcpy(message, &header, sizeof(header));
	message[sizeof(header)] = 0;
}

int client_run_parked(struct core *core, struct client *client, long *budget)
{
	char message[CLIENT_PARKED_SIZE];
	int result;

	client_put_parked(client, 0, message);
	result = request_handle(core, client, message, budget);
	if (result != REQUEST_DONE)
		return result;
	client->parked_count--;
	memmove(client->parked, client->parked + 1, client->parked_count * sizeof(*client->parked));
	if (!client->parked_count)
		client_forget_parked(client);
	return result;
}

void core_hold_transactions(struct core *core, bool hold)
{
	struct client *client;

	if (core->holds_transactions == hold)
		return;
	core->holds_transactions = hold;
	if (hold)
		return;
	TAILQ_FOREACH(client, &core->clients, link)
		if (client->parked_count)
			client_wake(core, client);
	core->recheck = true; /* and those for which there was no place */
}
