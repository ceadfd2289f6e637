/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's sessions: the new program is a file, whose kind decides how it takes over. */
#include "daemon/update-parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/log.h"
#include "liveupdate/abilities.h"

/* Set by what starts this program in the place of an oxenstored, which answers "BUSY". */
#define SUCCEEDS_VARIABLE "XENSTORED_SUCCEEDS"

static void session_ended(void *data)
{
	struct update *update = data;

	update_own_cancel(update);
	update->kind = UPDATE_UNKNOWN;
}

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
	update->kind = UPDATE_UNKNOWN;
	update_session_init(&update->session, core, session_ended, update);
	update->succeeds = getenv(SUCCEEDS_VARIABLE);
	unsetenv(SUCCEEDS_VARIABLE);
	update_process_init(update);
}

static void client_gone(void *data, const struct client *client)
{
	struct update *update = data;

	update_session_client_gone(&update->session, client);
}

/* Why this cannot be the new program, or NULL. */
static const char *accept_file(struct update *update, const struct arg *file)
{
	struct stat stat_now;

	if (file->len >= sizeof(update->file) || stat(file->text, &stat_now))
		return "File not accessible.";
	if (!(stat_now.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
		return "File not executable.";
	memcpy(update->file, file->text, file->len + 1);
	log_message(LOG_INFO, "live-update: binary %s", update->file);
	return NULL;
}

static int control_file(struct update *update, struct request *request, const struct arg *file,
			struct control_text *out)
{
	const char *why;

	if (!update_session_open(&update->session, request, out))
		return 0;
	why = accept_file(update, file);
	if (why) {
		control_print(out, "%s", why);
		update_session_end(&update->session);
	}
	return 0;
}

static int control_update(void *data, struct request *request, const struct arg *args, size_t count,
			  struct control_text *out)
{
	struct update *update = data;

	/* (spec: live-update.md section 6; cli-and-control.md section 8) */
	if (count && arg_is(&args[0], "-s") && !update->session.owner && update->succeeds) {
		update->succeeds = false;
		return 0;
	}

	if (count == 2 && arg_is(&args[0], "-f"))
		return control_file(update, request, &args[1], out);
	return update_session_control(&update->session, request, args, count, out);
}

const struct administration_update update_administration = {
	.control = control_update,
	.client_gone = client_gone,
};

/* Why the program cannot be replaced by that file, or NULL; @kind is set. */
static const char *look_at_file(struct update *update, int *kind)
{
	*kind = abilities_read(update->file, &update->abilities);
	if (*kind < 0)
		return "File not accessible.";
	if (*kind == ABILITIES_INVALID)
		return "File is no program for this machine.";
	return NULL;
}

int update_run(struct update *update)
{
	const char *why = NULL;
	int again = update_reap_helpers(update);

	if (!update->session.started)
		return again;
	/* Looked at once; what becomes of the file later is the guard's concern. */
	if (update->kind == UPDATE_UNKNOWN)
		why = look_at_file(update, &update->kind);
	if (!why)
		again = update->kind == ABILITIES_OWN ? update_own_run(update, &why)
						      : update_foreign_run(update, &why);
	if (!why)
		return again;
	update_session_answer(&update->session, why);
	return 0;
}
