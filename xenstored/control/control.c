/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Table of commands, and those that only pass on to the daemon. */
#include "control/control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Of what has more, only these are looked at: the parts of a file may look like words. */
#define ARGS_MAX 16

void control_print(struct control_text *out, const char *format, ...)
{
	size_t room = sizeof(out->text) - out->len;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(out->text + out->len, room, format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= room)
		out->overflow = true;
	else
		out->len += (size_t)len;
}

static int control_log(struct request *request, const struct arg *args, size_t count,
		       struct control_text *out)
{
	const struct control_ops *ops = request->core->control;

	if (count > 1)
		return EINVAL;
	if (count)
		return ops->log_switch(request->core->control_data, args[0].text);
	control_print(out, "Log switch settings:\n");
	ops->log_settings(request->core->control_data, out);
	return 0;
}

static int control_logfile(struct request *request, const struct arg *args, size_t count,
			   struct control_text *out)
{
	(void)out;
	if (count != 1)
		return EINVAL;
	return request->core->control->logfile(request->core->control_data, args[0].text);
}

static int control_memreport(struct request *request, const struct arg *args, size_t count,
			     struct control_text *out)
{
	(void)out;
	if (count > 1)
		return EINVAL;
	return request->core->control->memreport(request->core->control_data,
						 count ? args[0].text : NULL);
}

static int control_print_text(struct request *request, const struct arg *args, size_t count,
			      struct control_text *out)
{
	(void)out;
	if (count != 1)
		return EINVAL;
	request->core->control->print(request->core->control_data, args[0].text);
	return 0;
}

static int control_live_update(struct request *request, const struct arg *args, size_t count,
			       struct control_text *out)
{
	const struct control_ops *ops = request->core->control;

	if (!ops->live_update)
		return EINVAL;
	return ops->live_update(request->core->control_data, request, args, count, out);
}

static int control_migrate(struct request *request, const struct arg *args, size_t count,
			   struct control_text *out)
{
	const struct control_ops *ops = request->core->control;

	if (!ops->migrate)
		return EINVAL;
	return ops->migrate(request->core->control_data, request, args, count, out);
}

static int control_help(struct request *request, const struct arg *args, size_t count,
			struct control_text *out);

static const struct control_command commands[] = {
	{"check", "", control_check},
	{"log", "[on|off|+<switch>|-<switch>]", control_log},
	{"live-update",
	 "[-c <cmdline>] [-F] [-t <timeout>] [-v <version>] <file>\n"
	 "    Default timeout is 60 seconds, default version is 2.",
	 control_live_update},
	{"logfile", "<file>", control_logfile},
	{"memreport", "[<file>]", control_memreport},
	{"migrate", "[-x <domid>|-r <offset>|-b <size>|-d <size> <bytes>|-i <domid> [<port>]|-a]",
	 control_migrate},
	{"print", "<string>", control_print_text},
	{"quota", "[set <name> <val>|<domid>|max [-r]]", control_quota},
	{"quota-soft", "[set <name> <val>]", control_quota_soft},
	{"help", "", control_help},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int control_help(struct request *request, const struct arg *args, size_t count,
			struct control_text *out)
{
	(void)request;
	(void)args;
	if (count)
		return EINVAL;
	for (size_t i = 0; i < COMMANDS; i++)
		control_print(out, "%-15s %s\n", commands[i].name, commands[i].parameters);
	return 0;
}

int verb_control(struct request *request)
{
	struct control_text out = {0};
	struct arg args[ARGS_MAX];
	size_t count = args_split(request->payload, request->len, args, ARGS_MAX);
	char *reply;
	int error;

	if (!count || !request->core->control)
		return EINVAL;
	if (count > ARGS_MAX)
		count = ARGS_MAX;
	for (size_t i = 0; i < COMMANDS; i++) {
		if (!arg_is(&args[0], commands[i].name))
			continue;
		error = commands[i].run(request, args + 1, count - 1, &out);
		if (error)
			return error;
		if (!out.len && !out.overflow)
			return request_ack(request);
		if (out.overflow)
			return E2BIG;
		reply = request_reply(request, out.len + 1);
		if (!reply)
			return ENOMEM;
		memcpy(reply, out.text, out.len);
		reply[out.len] = 0;
		return 0;
	}
	return EINVAL;
}
