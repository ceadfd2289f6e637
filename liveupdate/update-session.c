/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may say what, and when. */
#include "liveupdate/update-session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVE_SECONDS_MAX 86400

void update_session_init(struct update_session *session, struct core *core,
			 void (*ended)(void *data), void *data)
{
	memset(session, 0, sizeof(*session));
	session->core = core;
	session->ended = ended;
	session->data = data;
}

void update_session_end(struct update_session *session)
{
	session->ended(session->data);
	core_hold_transactions(session->core, false);
	core_hold_input(session->core, false);
	session->drained_since = 0;
	free(session->cmdline);
	session->cmdline = NULL;
	message_free(session->answer);
	session->answer = NULL;
	session->owner = NULL;
	session->started = false;
}

void update_session_answer(struct update_session *session, const char *text)
{
	struct client *client = session->requester.client;
	struct message *message = session->answer;
	size_t len = strnlen(text, WIRE_PAYLOAD_MAX - 1);

	core_log(session->core, LOG_INFO, "live-update: %s", text);
	if (client) {
		session->answer = NULL;
		message_set(message, text, len);
		message->payload[len] = 0;
		message->header.len = (uint32_t)len + 1;
		client_queue_answer(session->core, client, message);
	}
	memset(&session->requester, 0, sizeof(session->requester));
	update_session_end(session);
}

void update_session_client_gone(struct update_session *session, const struct client *client)
{
	if (session->requester.client == client)
		memset(&session->requester, 0, sizeof(session->requester));
	if (session->owner == client)
		update_session_end(session);
}

bool update_session_open(struct update_session *session, struct request *request,
			 struct control_text *out)
{
	if (session->owner) {
		control_print(out, "live-update session already active.");
		return false;
	}
	session->owner = request->client;
	session->started = false;
	return true;
}

bool update_session_is_mine(const struct update_session *session, const struct request *request,
			    struct control_text *out)
{
	if (session->owner == request->client)
		return true;
	control_print(out, "Not in live-update session.");
	return false;
}

static int set_cmdline(struct update_session *session, struct request *request,
		       const struct arg *text, struct control_text *out)
{
	if (!update_session_is_mine(session, request, out))
		return 0;
	free(session->cmdline);
	session->cmdline = strdup(text->text);
	if (!session->cmdline)
		return ENOMEM;
	core_log(session->core, LOG_INFO, "live-update: cmdline %s", session->cmdline);
	return 0;
}

/* One word of the start, or two. Returns how many, 0: it is not known. */
static size_t take_setting(struct update_session *session, const struct arg *args, size_t count)
{
	if (arg_is(&args[0], "-F")) {
		session->force = true;
		return 1;
	}
	if (count < 2)
		return 0;
	if (arg_is(&args[0], "-t")) {
		session->timeout = (unsigned int)args_int(&args[1]);
	} else if (arg_is(&args[0], "-w")) {
		int seconds = args_int(&args[1]);

		if (seconds < 1 || seconds > SERVE_SECONDS_MAX)
			return 0;
		session->serving = (unsigned int)seconds;
	} else if (arg_is(&args[0], "-v")) {
		session->version = (unsigned int)args_int(&args[1]);
		session->version_said = true;
	} else if (arg_is(&args[0], "-m") && arg_is(&args[1], "memory")) {
		session->kind = UPDATE_SESSION_MEMORY;
	} else if (arg_is(&args[0], "-m") && arg_is(&args[1], "file")) {
		session->kind = UPDATE_SESSION_FILE;
	} else {
		return 0;
	}
	return 2;
}

static int start(struct update_session *session, struct request *request, const struct arg *args,
		 size_t count, struct control_text *out)
{
	session->force = false;
	session->timeout = 0;
	session->serving = 0;
	session->version = 2;
	session->version_said = false;
	session->kind = UPDATE_SESSION_ANY;
	for (size_t i = 0, taken; i < count; i += taken) {
		taken = take_setting(session, args + i, count - i);
		if (!taken)
			return EINVAL;
	}
	if (!update_session_is_mine(session, request, out))
		return 0;
	if (session->version < 1 || session->version > 2) {
		/* A refused start ends the session, so that the next one can begin. */
		control_print(out, "Migration stream version not supported.");
		update_session_end(session);
		return 0;
	}
	session->answer = message_new(XS_CONTROL, request->header.req_id, request->header.tx_id,
				      WIRE_PAYLOAD_MAX);
	if (!session->answer)
		return ENOMEM;
	core_log(session->core, LOG_INFO, "live-update: start, force=%d, to=%u", session->force,
		 session->timeout);
	session->started = true;
	session->since = request->core->now;
	session->requester.client = request->client;
	session->requester.req_id = request->header.req_id;
	session->requester.tx_id = request->header.tx_id;
	client_await_answer(request->client);
	return REQUEST_SILENT;
}

static int cancel(struct update_session *session, struct control_text *out)
{
	if (!session->owner) {
		control_print(out, "No live-update session active.");
		return 0;
	}
	core_log(session->core, LOG_INFO, "live-update: abort");
	if (session->started)
		update_session_answer(session, "Cancellation was requested");
	else
		update_session_end(session);
	return 0;
}

int update_session_control(struct update_session *session, struct request *request,
			   const struct arg *args, size_t count, struct control_text *out)
{
	if (count == 2 && arg_is(&args[0], "-c"))
		return set_cmdline(session, request, &args[1], out);
	if (count == 1 && arg_is(&args[0], "-a"))
		return cancel(session, out);
	if (count >= 1 && arg_is(&args[0], "-s"))
		return start(session, request, args + 1, count - 1, out);
	return EINVAL;
}
