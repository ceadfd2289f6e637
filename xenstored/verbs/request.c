/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dispatch: the checks common to all requests, the table of handlers, the reply. */
#include "verbs/request.h"

#include <errno.h>
#include <string.h>

#define PRIVILEGED 1u /* refused to others */
#define NO_TX	   2u /* tx_id is not looked at */
#define RELIEVES   4u /* gives memory back */
#define ADDS	   8u /* takes memory that stays taken */

/* (spec: protocol.md section 7) */
static const struct {
	request_handler *handler;
	unsigned int flags;
} verbs[XS_TYPE_COUNT] = {
	[XS_CONTROL] = {verb_control, PRIVILEGED},
	[XS_DIRECTORY] = {verb_directory, 0},
	[XS_READ] = {verb_read, 0},
	[XS_GET_PERMS] = {verb_get_perms, 0},
	[XS_WATCH] = {verb_watch, NO_TX | ADDS},
	[XS_UNWATCH] = {verb_unwatch, NO_TX | RELIEVES},
	[XS_TRANSACTION_START] = {verb_transaction_start, ADDS},
	[XS_TRANSACTION_END] = {verb_transaction_end, RELIEVES},
	[XS_INTRODUCE] = {verb_introduce, PRIVILEGED | ADDS},
	[XS_RELEASE] = {verb_release, PRIVILEGED | RELIEVES},
	[XS_GET_DOMAIN_PATH] = {verb_get_domain_path, 0},
	[XS_WRITE] = {verb_write, ADDS},
	[XS_MKDIR] = {verb_mkdir, ADDS},
	[XS_RM] = {verb_rm, RELIEVES},
	[XS_SET_PERMS] = {verb_set_perms, 0},
	[XS_IS_DOMAIN_INTRODUCED] = {verb_is_domain_introduced, PRIVILEGED},
	[XS_RESUME] = {verb_resume, PRIVILEGED},
	[XS_SET_TARGET] = {verb_set_target, PRIVILEGED},
	[XS_RESET_WATCHES] = {verb_reset_watches, RELIEVES},
	[XS_DIRECTORY_PART] = {verb_directory_part, 0},
	[XS_GET_FEATURE] = {verb_get_feature, 0},
	[XS_SET_FEATURE] = {verb_set_feature, PRIVILEGED},
	[XS_GET_QUOTA] = {verb_get_quota, PRIVILEGED},
	[XS_SET_QUOTA] = {verb_set_quota, PRIVILEGED},
};

int request_ack(struct request *request)
{
	message_set(request->reply, "OK", 3);
	return 0;
}

int request_answer(struct request *request, const char *text)
{
	message_set(request->reply, text, strlen(text) + 1);
	return 0;
}

char *request_reply(struct request *request, size_t len)
{
	struct message *reply;

	if (len <= request->reply->room) {
		request->reply->header.len = (uint32_t)len;
		return request->reply->payload;
	}
	reply = message_new(request->header.type, request->header.req_id, request->header.tx_id,
			    len);
	if (!reply)
		return NULL;
	message_free(request->reply);
	request->reply = reply;
	reply->header.len = (uint32_t)len;
	return reply->payload;
}

static void make_error(struct request *request, int error)
{
	request->reply->header.type = XS_ERROR;
	request_answer(request, wire_error_name(error));
}

static int dispatch(struct request *request)
{
	uint32_t type = request->header.type;

	if (type >= XS_TYPE_COUNT || !verbs[type].handler)
		return ENOSYS;
	if ((verbs[type].flags & PRIVILEGED) && !request->client->identity.privileged)
		return EACCES;
	if (!(verbs[type].flags & NO_TX) && request->header.tx_id) {
		request->tx = client_transaction(request->client, request->header.tx_id);
		if (!request->tx)
			return ENOENT;
	}
	if ((verbs[type].flags & ADDS) && core_is_short(request->core))
		return ENOMEM;
	return verbs[type].handler(request);
}

/* What makes room for others must not fail for lack of it, if anything was put aside. */
static bool relieves(uint32_t type)
{
	return type < XS_TYPE_COUNT && (verbs[type].flags & RELIEVES);
}

static struct message *new_reply(struct core *core, const struct wire_header *header)
{
	struct message *reply = message_new(header->type, header->req_id, header->tx_id,
					    REPLY_ROOM);

	if (!reply && core_make_room(core))
		reply = message_new(header->type, header->req_id, header->tx_id, REPLY_ROOM);
	return reply;
}

int request_handle(struct core *core, struct client *client, const char *message, long *budget)
{
	struct request request = {.core = core, .client = client};
	struct logger *log = core->world->log;
	int result;

	memcpy(&request.header, message, sizeof(request.header));
	request.payload = message + WIRE_HEADER_SIZE;
	request.len = request.header.len;
	event_batch_init(&request.events);
	request.reply = new_reply(core, &request.header);
	if (!request.reply)
		return REQUEST_NO_MEMORY;
	if (log->enabled(log, LOG_IO))
		log->io(log, LOG_IN, client->id, client->identity.domid, request.header.type,
			request.payload, request.len);

	result = dispatch(&request);
	if (result == ENOMEM && relieves(request.header.type) && core_make_room(core)) {
		event_batch_discard(&request.events);
		event_batch_init(&request.events);
		result = dispatch(&request);
	}
	*budget -= 1 + request.work;
	if (result == REQUEST_LATER || result == REQUEST_SILENT) {
		event_batch_discard(&request.events);
		message_free(request.reply);
		message_free(request.after);
		return result == REQUEST_LATER ? REQUEST_LATER : REQUEST_DONE;
	}
	if (result) {
		event_batch_discard(&request.events);
		make_error(&request, result);
	}
	core->requests++;
	*budget -= request.events.count;
	event_batch_queue(core, &request.events, request.reply);
	client_queue(core, client, request.reply);
	if (request.after)
		client_queue(core, client, request.after);
	return REQUEST_DONE;
}
