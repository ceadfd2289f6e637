/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the text dump of an oxenstored (spec: live-update.md section 6).
 *
 *      $xenstored-dump-format
 *      global,<listening fd>
 *      evtchn-dev,<fd>,<port of VIRQ_DOM_EXC>
 *      socket,<fd>
 *      dom,<domid>,<mfn>,<remote port>[,<local port>]
 *      watch,<domid or -fd>,<path>,<token>
 *      store,<path>,<permissions>,<value>
 *
 * Texts are in hexadecimal. Permissions are as in a GET_PERMS reply.
 */
#include "liveupdate/tool/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes/path.h"

static const char header[] = "$xenstored-dump-format";

bool oxenstored_is_dump(const struct tool_file *file)
{
	return file->size >= sizeof(header) - 1 && !memcmp(file->data, header, sizeof(header) - 1);
}

struct dump {
	struct model *model;
	const char *name;
	unsigned int line, ignored;
	char *field[6];
	size_t fields;
};

__attribute__((noreturn)) static void bad(const struct dump *dump, const char *why)
{
	fprintf(stderr, "%s: line %u: %s\n", dump->name, dump->line, why);
	exit(EXIT_WRONG);
}

static long field_number(const struct dump *dump, size_t index, long min, long max)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(dump->field[index], &end, 10);
	if (errno || *end || end == dump->field[index] || value < min || value > max)
		bad(dump, "a number is out of range");
	return value;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static char *field_text(const struct dump *dump, size_t index, size_t *len)
{
	const char *hex = dump->field[index];
	size_t digits = strlen(hex);
	char *text = tool_alloc(digits / 2 + 1);

	if (digits % 2)
		bad(dump, "odd number of hexadecimal digits");
	for (size_t i = 0; i < digits; i += 2) {
		int high = digit(hex[i]), low = digit(hex[i + 1]);

		if (high < 0 || low < 0)
			bad(dump, "a text is not in hexadecimal");
		text[i / 2] = (char)(high << 4 | low);
	}
	*len = digits / 2;
	return text;
}

/* Old versions write a path below the root with two slashes in front. */
static const char *node_path(const struct dump *dump, size_t index, size_t *len)
{
	const char *path = field_text(dump, index, len);
	struct path made;

	while (*len > 1 && path[0] == '/' && path[1] == '/') {
		path++;
		(*len)--;
	}
	if (!*len) {
		*len = 1;
		return "/";
	}
	if ((path[0] != '/' && path[0] != '@') || path_make(&made, path, *len, 0, true, 0))
		bad(dump, "not the path of a node");
	return path;
}

static struct stream_perm *node_perms(const struct dump *dump, size_t index, size_t *count)
{
	size_t len, at = 0;
	const char *text = field_text(dump, index, &len);
	struct stream_perm *perms = tool_alloc((len + 1) * sizeof(*perms));

	*count = 0;
	while (at < len) {
		char *end;
		unsigned long domid = strtoul(text + at + 1, &end, 10);
		char letter = text[at];

		if (letter >= 'A' && letter <= 'Z')
			letter = (char)(letter - 'A' + 'a');
		if (!strchr("nrwb", letter) || domid > 65535 || end == text + at + 1 || *end)
			bad(dump, "not a list of permissions");
		perms[*count].letter = letter;
		perms[(*count)++].domid = (uint16_t)domid;
		at = (size_t)(end - text) + 1;
	}
	if (!*count)
		bad(dump, "a node without permissions");
	return perms;
}

static void add_socket(struct dump *dump)
{
	struct stream_connection *connection = tool_alloc(sizeof(*connection));

	connection->id = (uint32_t)dump->model->connections.count + 1;
	connection->type = STREAM_SOCKET;
	connection->fd = (int32_t)field_number(dump, 1, 0, INT32_MAX);
	pointers_add(&dump->model->connections, connection);
}

static void add_domain(struct dump *dump)
{
	struct stream_connection *connection = tool_alloc(sizeof(*connection));

	if (dump->fields < 5)
		bad(dump, "the local port is missing; this oxenstored is too old");
	connection->id = (uint32_t)dump->model->connections.count + 1;
	connection->type = STREAM_RING;
	connection->domid = (uint16_t)field_number(dump, 1, 0, 0x7fef);
	connection->target = STREAM_NO_TARGET;
	connection->port = (uint32_t)field_number(dump, 4, 0, INT32_MAX);
	pointers_add(&dump->model->connections, connection);
}

static void add_watch(struct dump *dump)
{
	long number = field_number(dump, 1, -INT32_MAX, 0x7fef);
	struct stream_watch found = {0}, *watch = &found;
	struct path made;
	size_t len;

	for (size_t i = 0; i < dump->model->connections.count && !watch->conn_id; i++) {
		const struct stream_connection *connection = dump->model->connections.item[i];

		if (number < 0 ? connection->type == STREAM_SOCKET && connection->fd == -number
			       : connection->type == STREAM_RING && connection->domid == number)
			watch->conn_id = connection->id;
	}
	if (!watch->conn_id) {
		fprintf(stderr, "%s: line %u: lost: watch of an unknown connection\n", dump->name,
			dump->line);
		return;
	}
	watch->depth = STREAM_NO_DEPTH;
	watch->path = field_text(dump, 2, &len);
	watch->path_len = (uint16_t)len;
	if (path_make(&made, watch->path, len, 0, true, 0))
		bad(dump, "not the path of a watch");
	watch->token = field_text(dump, 3, &len);
	watch->token_len = (uint16_t)len;
	if (len > 4096 || memchr(watch->token, 0, len))
		bad(dump, "not the token of a watch");
	model_add_watch(dump->model, watch);
}

static void add_node(struct dump *dump)
{
	size_t path_len, value_len, perm_count;
	const char *path = node_path(dump, 1, &path_len);
	struct stream_perm *perms = node_perms(dump, 2, &perm_count);
	const char *value = field_text(dump, 3, &value_len);

	if (value_len > 65535 || perm_count > 65535)
		bad(dump, "too long");
	model_set(dump->model, path, path_len, (const uint8_t *)value, value_len, perms,
		  perm_count);
}

static void add_line(struct dump *dump)
{
	const char *kind = dump->field[0];
	size_t n = dump->fields;

	if (!strcmp(kind, "global") && n >= 2) {
		dump->model->global.listen_fd = (int32_t)field_number(dump, 1, -1, INT32_MAX);
	} else if (!strcmp(kind, "evtchn-dev") && n >= 2) {
		/* The port of the VIRQ is bound anew by every xenstored. */
		dump->model->global.evtchn_fd = (int32_t)field_number(dump, 1, -1, INT32_MAX);
	} else if (!strcmp(kind, "socket") && n >= 2) {
		add_socket(dump);
	} else if (!strcmp(kind, "dom") && n >= 4) {
		add_domain(dump);
	} else if (!strcmp(kind, "watch") && n == 4) {
		add_watch(dump);
	} else if (!strcmp(kind, "store") && n == 4) {
		add_node(dump);
	} else {
		fprintf(stderr, "%s: line %u: lost: \"%s\" is not known\n", dump->name, dump->line,
			kind);
	}
}

/* oxenstored keeps no permissions for these; only the privileged domain may watch then. */
static void add_special(struct model *model, const char *path)
{
	static const struct stream_perm privileged = {.letter = 'n'};

	if (!model_find(model, path, strlen(path)))
		model_set(model, path, strlen(path), (const uint8_t *)"", 0, &privileged, 1);
}

void oxenstored_load(struct model *model, const struct tool_file *file)
{
	struct dump dump = {.model = model, .name = file->name};
	char *text = (char *)file->data, *rest = text, *line;

	model_init(model);
	model->has_global = true;
	model->global.listen_fd = model->global.evtchn_fd = -1;
	if (memchr(text, 0, file->size)) {
		fprintf(stderr, "%s: a dump is text, without zero bytes\n", file->name);
		exit(EXIT_WRONG);
	}
	while ((line = strsep(&rest, "\n"))) {
		size_t len = strlen(line);
		char *field;

		dump.line++;
		if (dump.line == 1 || !len)
			continue;
		dump.fields = 0;
		while ((field = strsep(&line, ",")))
			if (dump.fields < 6)
				dump.field[dump.fields++] = field;
		add_line(&dump);
	}
	add_special(model, "@introduceDomain");
	add_special(model, "@releaseDomain");
	model_sort_watches(model);
}
