/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Printing records: a line each, for people or as JSON.
 *
 * In JSON a string has one character for each byte, U+0000 to U+00FF, so that
 * nothing is lost whatever a guest has written.
 */
#include "liveupdate/tool/tool.h"

#include <string.h>

struct line {
	FILE *out;
	bool json;
};

static void name(struct line *line, const char *text)
{
	if (line->json)
		fprintf(line->out, ", \"%s\": ", text);
	else
		fprintf(line->out, " %s=", text);
}

static void quoted(struct line *line, const void *data, size_t len)
{
	const unsigned char *byte = data;

	fputc('"', line->out);
	for (size_t i = 0; i < len; i++) {
		if (byte[i] == '"' || byte[i] == '\\')
			fprintf(line->out, "\\%c", byte[i]);
		else if (byte[i] >= ' ' && byte[i] < 127)
			fputc(byte[i], line->out);
		else
			fprintf(line->out, line->json ? "\\u%04x" : "\\x%02x", byte[i]);
	}
	fputc('"', line->out);
}

static void put_text(struct line *line, const char *label, const void *data, size_t len)
{
	name(line, label);
	quoted(line, data, len);
}

static void put_number(struct line *line, const char *label, long long value)
{
	name(line, label);
	fprintf(line->out, "%lld", value);
}

static void put_unsigned(struct line *line, const char *label, unsigned long long value)
{
	name(line, label);
	fprintf(line->out, "%llu", value);
}

static void put_flag(struct line *line, const char *label, bool value)
{
	if (value) {
		name(line, label);
		fputs(line->json ? "true" : "yes", line->out);
	}
}

/* A list; the items are written by the caller, each after list_item(). */
static void list_start(struct line *line, const char *label)
{
	name(line, label);
	if (line->json)
		fputc('[', line->out);
}

static void list_item(struct line *line, bool first)
{
	if (!first)
		fputs(line->json ? ", " : ",", line->out);
}

static void list_end(struct line *line)
{
	if (line->json)
		fputc(']', line->out);
}

static void show_connection(struct line *line, const struct stream_connection *connection)
{
	put_unsigned(line, "id", connection->id);
	if (connection->type == STREAM_SOCKET) {
		put_text(line, "kind", "socket", 6);
		put_number(line, "fd", connection->fd);
	} else {
		put_text(line, "kind", "ring", 4);
		put_unsigned(line, "domid", connection->domid);
		if (connection->target != STREAM_NO_TARGET)
			put_unsigned(line, "target", connection->target);
		put_unsigned(line, "port", connection->port);
	}
	if (connection->has_unique_id)
		put_unsigned(line, "unique_id", connection->unique_id);
	if (connection->input_len)
		put_text(line, "input", connection->input, connection->input_len);
	if (connection->partial_len)
		put_unsigned(line, "partial", connection->partial_len);
	if (connection->output_len)
		put_text(line, "output", connection->output, connection->output_len);
}

static void show_watch(struct line *line, const struct stream_watch *watch)
{
	put_unsigned(line, "connection", watch->conn_id);
	put_text(line, "path", watch->path, watch->path_len);
	put_text(line, "token", watch->token, watch->token_len);
	if (watch->depth != STREAM_NO_DEPTH)
		put_number(line, "depth", watch->depth);
}

static void show_node(struct line *line, const struct stream_node *node)
{
	put_text(line, "path", node->path, node->path_len);
	list_start(line, "perms");
	for (unsigned int i = 0; i < node->perm_count; i++) {
		const struct stream_perm *perm = &node->perms[i];
		char text[16];

		snprintf(text, sizeof(text), "%c%u%s", perm->letter, perm->domid,
			 perm->flags & STREAM_PERM_STALE ? "!" : "");
		list_item(line, !i);
		if (line->json)
			quoted(line, text, strlen(text));
		else
			fputs(text, line->out);
	}
	list_end(line);
	put_text(line, "value", node->value, node->value_len);
	if (node->conn_id || node->tx_id) {
		put_unsigned(line, "connection", node->conn_id);
		put_unsigned(line, "transaction", node->tx_id);
	}
}

static void show_quotas(struct line *line, const struct stream_quotas *quotas)
{
	for (unsigned int i = 0; i < quotas->count + (unsigned int)quotas->global_count; i++) {
		name(line, "quota");
		fputs(line->json ? "{" : "", line->out);
		if (line->json)
			quoted(line, quotas->entry[i].name, strlen(quotas->entry[i].name));
		else
			fputs(quotas->entry[i].name, line->out);
		fprintf(line->out, line->json ? ": %u}" : ":%u", quotas->entry[i].value);
	}
}

/* One object instead of many members of the same name. */
static void show_quotas_json(struct line *line, const struct stream_quotas *quotas)
{
	name(line, "quotas");
	fputc('{', line->out);
	for (unsigned int i = 0; i < quotas->count + (unsigned int)quotas->global_count; i++) {
		list_item(line, !i);
		quoted(line, quotas->entry[i].name, strlen(quotas->entry[i].name));
		fprintf(line->out, ": %u", quotas->entry[i].value);
	}
	fputc('}', line->out);
}

static void show_value(struct line *line, const struct stream_field *field, const char *member)
{
	uint64_t wide = 0;
	int64_t i64;
	int32_t i32;

	switch (field->kind) {
	case FIELD_CHAR:
		quoted(line, member, 1);
		break;
	case FIELD_I32:
		memcpy(&i32, member, sizeof(i32));
		fprintf(line->out, "%d", i32);
		break;
	case FIELD_I64:
		memcpy(&i64, member, sizeof(i64));
		fprintf(line->out, "%lld", (long long)i64);
		break;
	default:
		if (stream_field_size(field) == 1) {
			wide = *(const uint8_t *)member;
		} else if (stream_field_size(field) == 2) {
			uint16_t u16;

			memcpy(&u16, member, sizeof(u16));
			wide = u16;
		} else if (stream_field_size(field) == 4) {
			uint32_t u32;

			memcpy(&u32, member, sizeof(u32));
			wide = u32;
		} else {
			memcpy(&wide, member, sizeof(wide));
		}
		fprintf(line->out, "%llu", (unsigned long long)wide);
	}
}

static void show_element(struct line *line, const struct stream_field *elements, const char *data)
{
	bool first = true, single = !elements[1].name;

	if (!single)
		fputc('{', line->out);
	for (const struct stream_field *field = elements; field->name; field++) {
		if (!strcmp(field->name, "pad"))
			continue;
		list_item(line, first);
		first = false;
		if (!single)
			fprintf(line->out, line->json ? "\"%s\": " : "%s:", field->name);
		show_value(line, field, data + field->offset);
	}
	if (!single)
		fputc('}', line->out);
}

static void show_own(struct line *line, const struct stream_record *record)
{
	const struct stream_own_type *type = stream_own_find(record->type);

	for (const struct stream_field *field = type->fields; field->name; field++) {
		const char *member = (const char *)&record->own + field->offset;
		struct stream_bytes part;

		if (!strcmp(field->name, "pad"))
			continue;
		if (!stream_field_element(field)) {
			name(line, field->name);
			show_value(line, field, member);
			continue;
		}
		memcpy(&part, member, sizeof(part));
		if (field->kind != FIELD_ARRAY) {
			put_text(line, field->name, part.data, part.count);
			continue;
		}
		list_start(line, field->name);
		for (uint32_t i = 0; i < part.count; i++) {
			list_item(line, !i);
			show_element(line, field->elements,
				     (const char *)part.data + (size_t)i * field->element_size);
		}
		list_end(line);
	}
}

static void show_body(struct line *line, const struct stream_record *record)
{
	switch (record->type) {
	case STREAM_END:
		break;
	case STREAM_GLOBAL:
		put_number(line, "listen_fd", record->global.listen_fd);
		put_number(line, "evtchn_fd", record->global.evtchn_fd);
		break;
	case STREAM_CONNECTION:
		show_connection(line, &record->connection);
		break;
	case STREAM_WATCH:
	case STREAM_WATCH_EXTENDED:
		show_watch(line, &record->watch);
		break;
	case STREAM_TRANSACTION:
		put_unsigned(line, "connection", record->transaction.conn_id);
		put_unsigned(line, "transaction", record->transaction.tx_id);
		break;
	case STREAM_NODE:
		show_node(line, &record->node);
		break;
	case STREAM_GLOBAL_QUOTA:
	case STREAM_DOMAIN:
		if (record->type == STREAM_DOMAIN) {
			put_unsigned(line, "domid", record->domain.domid);
			put_unsigned(line, "features", record->domain.features);
		}
		(line->json ? show_quotas_json : show_quotas)(line, record->type == STREAM_DOMAIN
									    ? &record->domain.quotas
									    : &record->quotas);
		break;
	default:
		if (record->understood)
			show_own(line, record);
		else
			put_unsigned(line, "length", record->length);
	}
	put_flag(line, "repaired", record->odd & STREAM_ODD_WATCH);
}

void show_record(FILE *out, bool json, bool offset, const struct stream_record *record)
{
	struct line line = {.out = out, .json = json};
	const char *type = stream_type_name(record->type);
	char number[16];

	if (!type) {
		snprintf(number, sizeof(number), "0x%08x", record->type);
		type = number;
	}
	if (json) {
		fprintf(out, "{\"type\": \"%s\"", type);
		if (offset)
			put_unsigned(&line, "offset", record->offset);
	} else {
		if (offset)
			fprintf(out, "%8zu ", record->offset);
		fputs(type, out);
	}
	show_body(&line, record);
	fputs(json ? "}" : "\n", out);
}

int command_show(const struct tool_options *options, char **args)
{
	struct stream_record record;
	struct stream_reader reader;
	struct stream_error error;
	enum stream_status status = STREAM_BROKEN;
	struct tool_file file;
	bool bad = false, first = true;

	tool_read(&file, args[0]);
	if (stream_reader_init(&reader, file.data, file.size, &error)) {
		fprintf(stderr, "%s: offset %zu: %s\n", file.name, error.offset, error.text);
		return EXIT_WRONG;
	}
	if (options->json)
		printf("{\"version\": %u, \"size\": %zu, \"records\": [", reader.version,
		       file.size);
	else
		printf("version %u, %zu bytes\n", reader.version, file.size);
	do {
		status = stream_next(&reader, &record, &error);
		if (status == STREAM_RECORD || status == STREAM_DONE) {
			if (options->json)
				fputs(first ? "\n" : ",\n", stdout);
			show_record(stdout, options->json, true, &record);
			first = false;
		} else {
			bad = true;
			fprintf(stderr, "%s: offset %zu: %s\n", file.name, error.offset,
				error.text);
		}
	} while (status != STREAM_DONE && status != STREAM_BROKEN);
	if (options->json)
		printf("\n]}\n");
	if (status == STREAM_DONE && reader.at < reader.size) {
		bad = true;
		fprintf(stderr, "%s: offset %zu: %zu bytes behind the END record\n", file.name,
			reader.at, reader.size - reader.at);
	}
	return bad ? EXIT_WRONG : EXIT_FINE;
}
