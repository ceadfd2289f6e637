/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fragments out of a running daemon and into it, by its CONTROL migrate
 * (liveupdate/migration.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes/wire.h"
#include "control-client/control.h"
#include "liveupdate/tool/tool.h"

/* Bytes of a fragment in one request; with the words around them they fit. */
#define PIECE 4000u

static void open_daemon(struct connection *connection)
{
	int error = connection_open(connection);

	if (error)
		tool_fail("no xenstored: %s", strerror(-error));
}

/* Sends a command and returns the answer, which is never NULL, and its length. */
static char *ask(struct connection *connection, const struct control *control, size_t *len)
{
	char *reply;
	int error = control->error;

	if (!error)
		error = connection_request(connection, XS_CONTROL, control->payload,
					   control->length, &reply, len);
	if (error)
		tool_fail("xenstored: %s", strerror(abs(error)));
	return reply;
}

static void begin(struct control *control, const char *word, size_t value)
{
	char text[32];

	control_init(control, "migrate");
	control_add(control, word);
	snprintf(text, sizeof(text), "%zu", value);
	control_add(control, text);
}

/* For commands that are answered "OK", or with the reason why not. */
static bool done(struct connection *connection, const struct control *control)
{
	char *reply = ask(connection, control, NULL);
	bool ok = !strcmp(reply, "OK");

	if (!ok)
		fprintf(stderr, "%s\n", reply);
	free(reply);
	return ok;
}

int live_extract(const struct tool_options *options, unsigned int domid)
{
	struct stream_buffer buffer = {0};
	struct connection connection;
	struct control control;
	size_t size, len;
	char *reply, *end;

	open_daemon(&connection);
	begin(&control, "-x", domid);
	reply = ask(&connection, &control, NULL);
	size = strtoul(reply, &end, 10);
	if (end == reply || *end) {
		fprintf(stderr, "%s\n", reply);
		free(reply);
		return EXIT_WRONG;
	}
	free(reply);
	while (buffer.len < size) {
		begin(&control, "-r", buffer.len);
		reply = ask(&connection, &control, &len);
		/* The answer is a text by its form: a NUL comes last. */
		if (len < 2 || len - 1 > size - buffer.len)
			tool_fail("xenstored gave %zu bytes where %zu were left", len,
				  size - buffer.len);
		if (stream_buffer_put(&buffer, reply, len - 1))
			tool_fail("out of memory");
		free(reply);
	}
	connection_close(&connection);
	tool_require(
		&(struct tool_file){.name = "fragment", .data = buffer.data, .size = buffer.len},
		&(struct stream_report){0});
	tool_write(options, &buffer);
	stream_buffer_deinit(&buffer);
	return EXIT_FINE;
}

static bool send_fragment(struct connection *connection, const struct tool_file *file)
{
	struct control control;
	bool ok;

	begin(&control, "-b", file->size);
	ok = done(connection, &control);
	for (size_t at = 0; ok && at < file->size;) {
		size_t len = file->size - at < PIECE ? file->size - at : PIECE;

		begin(&control, "-d", len);
		control_add_bytes(&control, file->data + at, len);
		ok = done(connection, &control);
		at += len;
	}
	return ok;
}

int command_insert(const struct tool_options *options, char **args)
{
	struct stream_problem problem[20];
	struct stream_report report = {.problem = problem, .room = 20};
	struct connection connection;
	struct control control;
	struct tool_file file;
	unsigned int domid = tool_domid(args[0]);
	char port[16];
	bool ok;

	tool_read(&file, args[1]);
	tool_require(&file, &report);
	if (!report.fragment) {
		fprintf(stderr, "%s: this is a whole image; use extract\n", file.name);
		return EXIT_WRONG;
	}
	open_daemon(&connection);
	ok = send_fragment(&connection, &file);
	if (ok) {
		begin(&control, "-i", domid);
		if (options->port) {
			snprintf(port, sizeof(port), "%u", options->port);
			control_add(&control, port);
		}
		ok = done(&connection, &control);
	}
	connection_close(&connection);
	return ok ? EXIT_FINE : EXIT_WRONG;
}
