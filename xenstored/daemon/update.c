/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sessions: what is wanted, whether it is allowed, and who is to be told. */
#include "daemon/update-parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/log.h"
#include "liveupdate/abilities.h"

/* Set by what starts this program in the place of an oxenstored, which answers "BUSY". */
#define SUCCEEDS_VARIABLE "XENSTORED_SUCCEEDS"

void update_init(struct update *update, struct core *core, struct host *host,
		 struct listener *listener, struct sockets *sockets, struct signals *signals,
		 struct trace *trace, char **argv, const char *rundir)
{
	memset(update, 0, sizeof(*update));
	update->core = core;
	update->host = host;
	update->listener = listener;
	update->sockets = sockets;
	update->signals = signals;
	update->trace = trace;
	update->argv = argv;
	update->rundir = rundir;
	update->succeeds = getenv(SUCCEEDS_VARIABLE);
	unsetenv(SUCCEEDS_VARIABLE);
	update_process_init(update);
}

static void end_session(struct update *update)
{
	update_own_cancel(update);
	free(update->cmdline);
	update->cmdline = NULL;
	update->owner = NULL;
	update->started = false;
}

/* Answer the request that waits, and end the session. */
static void answer(struct update *update, const char *text)
{
	struct client *client = update->requester.client;
	size_t len = strlen(text) + 1;
	struct message *message;

	log_message(LOG_INFO, "live-update: %s", text);
	if (client) {
		message = message_new(XS_CONTROL, update->requester.req_id, update->requester.tx_id,
				      len);
		if (message)
			message_set(message, text, len);
		client_queue_answer(update->core, client, message);
	}
	memset(&update->requester, 0, sizeof(update->requester));
	end_session(update);
}

void update_client_gone(struct update *update, const struct client *client)
{
	if (update->requester.client == client)
		memset(&update->requester, 0, sizeof(update->requester));
	if (update->owner == client)
		end_session(update);
}

static int control_file(struct update *update, struct request *request, const struct arg *file,
			struct control_text *out)
{
	struct stat stat_now;

	if (update->owner) {
		control_print(out, "live-update session already active.");
		return 0;
	}
	if (file->len >= sizeof(update->file) || stat(file->text, &stat_now)) {
		control_print(out, "File not accessible.");
		return 0;
	}
	if (!(stat_now.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH))) {
		control_print(out, "File not executable.");
		return 0;
	}
	memcpy(update->file, file->text, file->len + 1);
	update->owner = request->client;
	update->started = false;
	log_message(LOG_INFO, "live-update: binary %s", update->file);
	return 0;
}

static int control_start(struct update *update, struct request *request, const struct arg *args,
			 size_t count, struct control_text *out)
{
	update->force = false;
	update->timeout = 0;
	update->version = 2;
	update->version_said = false;
	for (size_t i = 0; i < count; i++) {
		if (arg_is(&args[i], "-F"))
			update->force = true;
		else if (arg_is(&args[i], "-t") && i + 1 < count)
			update->timeout = (unsigned int)args_int(&args[++i]);
		else if (arg_is(&args[i], "-v") && i + 1 < count) {
			update->version = (unsigned int)args_int(&args[++i]);
			update->version_said = true;
		} else
			return EINVAL;
	}
	/* (spec: live-update.md section 6; cli-and-control.md section 8) */
	if (!update->owner && update->succeeds) {
		update->succeeds = false;
		return 0;
	}
	if (update->owner != request->client) {
		control_print(out, "Not in live-update session.");
		return 0;
	}
	if (update->version < 1 || update->version > 2) {
		/* A refused start ends the session, so that the next one can begin. */
		control_print(out, "Migration stream version not supported.");
		end_session(update);
		return 0;
	}
	log_message(LOG_INFO, "live-update: start, force=%d, to=%u", update->force,
		    update->timeout);
	update->started = true;
	update->since = request->core->now;
	update->requester.client = request->client;
	update->requester.req_id = request->header.req_id;
	update->requester.tx_id = request->header.tx_id;
	client_await_answer(request->client);
	return REQUEST_SILENT;
}

int update_control(struct update *update, struct request *request, const struct arg *args,
		   size_t count, struct control_text *out)
{
	if (count == 2 && arg_is(&args[0], "-f"))
		return control_file(update, request, &args[1], out);
	if (count == 2 && arg_is(&args[0], "-c")) {
		if (update->owner != request->client) {
			control_print(out, "Not in live-update session.");
			return 0;
		}
		free(update->cmdline);
		update->cmdline = strdup(args[1].text);
		if (!update->cmdline)
			return ENOMEM;
		log_message(LOG_INFO, "live-update: cmdline %s", update->cmdline);
		return 0;
	}
	if (count == 1 && arg_is(&args[0], "-a")) {
		if (!update->owner) {
			control_print(out, "No live-update session active.");
			return 0;
		}
		log_message(LOG_INFO, "live-update: abort");
		if (update->started)
			answer(update, "Cancellation was requested");
		else
			end_session(update);
		return 0;
	}
	if (count >= 1 && arg_is(&args[0], "-s"))
		return control_start(update, request, args + 1, count - 1, out);
	return EINVAL;
}

/* Why the program cannot be replaced by that file, or NULL; @kind is set. */
static const char *look_at_file(const struct update *update, int *kind)
{
	struct abilities abilities;

	*kind = abilities_read(update->file, &abilities);
	if (*kind < 0)
		return "File not accessible.";
	if (*kind == ABILITIES_INVALID)
		return "File is no program for this machine.";
	if (*kind == ABILITIES_OWN && abilities.records != ABILITIES_RECORDS)
		*kind = ABILITIES_FOREIGN;
	return NULL;
}

int update_run(struct update *update)
{
	const char *why;
	int kind, again = update_reap_guard(update);

	if (!update->started)
		return again;
	why = look_at_file(update, &kind);
	if (!why)
		again = kind == ABILITIES_OWN ? update_own_run(update, &why)
					      : update_foreign_run(update, &why);
	if (!why)
		return again;
	answer(update, why);
	return 0;
}
