/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asking the server about its longest turn.
 *
 * Only the server can see a turn exactly.  If its memory report has a line with the words
 * "longest turn" (in any case) and a number of microseconds behind them, that number is
 * believed; every other answer means that turns have to be judged from outside.
 */
#define _GNU_SOURCE 1
#include "turn.h"
#include "fail.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static double parse(FILE *file)
{
	double found = -1;
	char line[512];

	while (fgets(line, sizeof(line), file)) {
		const char *at = strcasestr(line, "longest turn");

		while (at && *at && !isdigit((unsigned char)*at))
			at++;
		if (at && *at)
			found = strtod(at, NULL);
	}
	return found;
}

double turn_longest_us(struct client *client)
{
	char path[sizeof(client->subject->socket) + 16];
	struct reply reply;
	double found = -1;
	uint32_t id;
	FILE *file;

	snprintf(path, sizeof(path), "%s.report", client->subject->socket);
	id = client_put_path(client, XS_CONTROL, 0, "memreport", path, strlen(path) + 1);
	client_flush(client);
	client_take(client, &reply);
	if (reply.header.req_id != id)
		fail("%s: a reply to another request", client->subject->name);
	file = reply.header.type == XS_CONTROL ? fopen(path, "r") : NULL;
	if (file) {
		found = parse(file);
		fclose(file);
	}
	unlink(path);
	return found;
}
