/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Allocation and filling of messages. */
#include "client/message.h"

#include <stdlib.h>
#include <string.h>

struct message *message_new(uint32_t type, uint32_t req_id, uint32_t tx_id, size_t room)
{
	struct message *message = malloc(sizeof(*message) + room);

	if (!message)
		return NULL;
	memset(message, 0, sizeof(*message));
	message->header.type = type;
	message->header.req_id = req_id;
	message->header.tx_id = tx_id;
	message->room = (uint32_t)room;
	return message;
}

void message_free(struct message *message)
{
	free(message);
}

void message_set(struct message *message, const void *payload, size_t len)
{
	if (len)
		memcpy(message->payload, payload, len);
	message->header.len = (uint32_t)len;
}
