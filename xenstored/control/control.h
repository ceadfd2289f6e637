/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CONTROL: the administrator's commands (spec: cli-and-control.md section 6).
 *
 * Commands that concern the store are carried out here; what concerns the
 * process (its log files, its own replacement) is asked of the daemon through
 * struct control_ops.
 */
#ifndef XENSTORED_CONTROL_CONTROL_H
#define XENSTORED_CONTROL_CONTROL_H

#include "verbs/request.h"

/* A reply being written; more than a payload's worth becomes E2BIG. */
struct control_text {
	size_t len;
	bool overflow;
	char text[WIRE_PAYLOAD_MAX];
};

void control_print(struct control_text *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* What the process around the core does. All return 0 or a positive errno value. */
struct control_ops {
	int (*log_switch)(void *data, const char *how); /* "on", "off", "+io", "-io", ... */
	void (*log_settings)(void *data, struct control_text *out);
	int (*logfile)(void *data, const char *name);
	int (*memreport)(void *data, const char *name); /* NULL: into the trace */
	void (*print)(void *data, const char *text);
	/* live-update and what follows it; returns as a request handler */
	int (*live_update)(void *data, struct request *request, const struct arg *args,
			   size_t count, struct control_text *out);
	/* migrate and what follows it; in the same way */
	int (*migrate)(void *data, struct request *request, const struct arg *args, size_t count,
		       struct control_text *out);
	/* A client is about to go, or starts anew. */
	void (*client_gone)(void *data, const struct client *client);
};

struct control_command {
	const char *name;
	const char *parameters; /* for "help" */
	/* @args: without the command; returns as a request handler; @out empty means "OK" */
	int (*run)(struct request *request, const struct arg *args, size_t count,
		   struct control_text *out);
};

int control_check(struct request *request, const struct arg *args, size_t count,
		  struct control_text *out);
int control_quota(struct request *request, const struct arg *args, size_t count,
		  struct control_text *out);
int control_quota_soft(struct request *request, const struct arg *args, size_t count,
		       struct control_text *out);

#endif
