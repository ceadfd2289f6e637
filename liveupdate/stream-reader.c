/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From bytes that nobody vouches for to records. */
#include "liveupdate/stream-reader.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 4))) static void fail(struct stream_error *error, size_t offset,
						       const char *format, ...)
{
	va_list args;

	error->offset = offset;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
}

int stream_reader_init(struct stream_reader *reader, const void *image, size_t size,
		       struct stream_error *error)
{
	uint32_t version, flags;
	bool host = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__, big;

	memset(reader, 0, sizeof(*reader));
	reader->image = image;
	reader->size = size;
	if (size < STREAM_PREAMBLE_SIZE) {
		fail(error, 0, "too short for a preamble: %zu bytes", size);
		return EINVAL;
	}
	if (memcmp(image, STREAM_IDENT, 8) != 0) {
		fail(error, 0, "does not begin with \"" STREAM_IDENT "\"");
		return EINVAL;
	}
	memcpy(&version, reader->image + 8, sizeof(version));
	memcpy(&flags, reader->image + 12, sizeof(flags));
	version = ntohl(version);
	if (version < STREAM_VERSION_MIN || version > STREAM_VERSION_MAX) {
		fail(error, 8, "version %u is not known", version);
		return EINVAL;
	}
	/* Its own byte order is not agreed upon; there is only one flag. */
	big = flags == STREAM_FLAG_BIG_ENDIAN || flags == htonl(STREAM_FLAG_BIG_ENDIAN);
	if (flags && !big) {
		fail(error, 12, "unknown flags 0x%x", flags);
		return EINVAL;
	}
	if (big != host) {
		fail(error, 12, "is in the other byte order");
		return EINVAL;
	}
	reader->version = version;
	reader->at = STREAM_PREAMBLE_SIZE;
	return 0;
}

/* The body of a record, taken apart from the front. */
struct cursor {
	const uint8_t *body;
	size_t len, at;
	bool overrun;
};

static const uint8_t *take(struct cursor *cursor, size_t len)
{
	const uint8_t *data = cursor->body + cursor->at;

	if (cursor->overrun || len > cursor->len - cursor->at) {
		cursor->overrun = true;
		return NULL;
	}
	cursor->at += len;
	return data;
}

static void take_into(struct cursor *cursor, void *to, size_t len)
{
	const uint8_t *data = take(cursor, len);

	if (data)
		memcpy(to, data, len);
	else
		memset(to, 0, len);
}

static uint16_t take_u16(struct cursor *cursor)
{
	uint16_t value;

	take_into(cursor, &value, sizeof(value));
	return value;
}

static uint32_t take_u32(struct cursor *cursor)
{
	uint32_t value;

	take_into(cursor, &value, sizeof(value));
	return value;
}

/* A text of @len bytes with its NUL, which must be the only one. Returns NULL if it is not so. */
static const char *take_text(struct cursor *cursor, size_t len)
{
	const uint8_t *text = take(cursor, len);

	if (!text || !len || memchr(text, 0, len) != text + len - 1)
		return NULL;
	return (const char *)text;
}

/* All return NULL, or what is wrong. */

static const char *read_global(struct cursor *cursor, struct stream_global *global)
{
	take_into(cursor, global, sizeof(*global));
	return NULL;
}

static const char *read_connection(struct cursor *cursor, struct stream_record *record)
{
	struct stream_connection *connection = &record->connection;
	uint16_t fields;

	memset(connection, 0, sizeof(*connection));
	connection->id = take_u32(cursor);
	connection->type = take_u16(cursor);
	fields = take_u16(cursor);
	if (connection->type == STREAM_SOCKET) {
		connection->fd = (int32_t)take_u32(cursor);
		take_u32(cursor);
	} else {
		connection->domid = take_u16(cursor);
		connection->target = take_u16(cursor);
		connection->port = take_u32(cursor);
	}
	connection->input_len = take_u16(cursor);
	connection->partial_len = take_u16(cursor);
	connection->output_len = take_u32(cursor);
	connection->input = take(cursor, connection->input_len);
	connection->output = take(cursor, connection->output_len);
	if (cursor->overrun)
		return NULL;
	if (connection->type > STREAM_SOCKET)
		return "is of an unknown kind";
	if (!connection->id)
		return "has the number 0";
	if (connection->partial_len > connection->output_len)
		return "has a partial message that is longer than the output";
	if (fields & 1u) {
		take(cursor, stream_round(cursor->at) - cursor->at);
		take_into(cursor, &connection->unique_id, sizeof(connection->unique_id));
		connection->has_unique_id = true;
	}
	if (fields & ~1u)
		record->odd |= STREAM_ODD_FIELDS;
	return NULL;
}

static const char *read_watch(struct cursor *cursor, struct stream_watch *watch)
{
	uint16_t path, token;

	watch->conn_id = take_u32(cursor);
	path = take_u16(cursor);
	token = take_u16(cursor);
	watch->depth = STREAM_NO_DEPTH;
	watch->path = take_text(cursor, path);
	watch->token = take_text(cursor, token);
	if (cursor->overrun)
		return NULL;
	if (!watch->path || path < 2)
		return "has a path without a NUL at its end alone";
	if (!watch->token)
		return "has a token without a NUL at its end alone";
	watch->path_len = (uint16_t)(path - 1);
	watch->token_len = (uint16_t)(token - 1);
	return NULL;
}

/* Most of an image is of these, so they are taken apart in one go. */
static const char *read_node(struct cursor *cursor, struct stream_node *node)
{
	struct {
		uint32_t conn_id, tx_id;
		uint16_t path, value, access, perms;
	} fixed;
	const uint8_t *at = cursor->body + sizeof(fixed);
	size_t len;

	if (cursor->len < sizeof(fixed)) {
		cursor->overrun = true;
		return NULL;
	}
	memcpy(&fixed, cursor->body, sizeof(fixed));
	len = sizeof(fixed) + fixed.perms * sizeof(*node->perms) + fixed.path + fixed.value;
	if (cursor->len < len) {
		cursor->overrun = true;
		return NULL;
	}
	cursor->at = len;
	node->conn_id = fixed.conn_id;
	node->tx_id = fixed.tx_id;
	node->value_len = fixed.value;
	node->access = fixed.access;
	node->perm_count = fixed.perms;
	node->perms = (const struct stream_perm *)at;
	at += fixed.perms * sizeof(*node->perms);
	node->path = (const char *)at;
	node->value = at + fixed.path;
	if (fixed.path < 2 || memchr(at, 0, fixed.path) != at + fixed.path - 1)
		return "has a path without a NUL at its end alone";
	if (!node->perm_count)
		return "has no permissions";
	node->path_len = (uint16_t)(fixed.path - 1);
	return NULL;
}

static const char *read_values(struct cursor *cursor, struct stream_quotas *quotas)
{
	size_t count = (size_t)quotas->count + quotas->global_count;
	const uint8_t *values = take(cursor, count * 4);

	if (cursor->overrun)
		return NULL;
	if (count > STREAM_QUOTAS_MAX)
		return "has more quotas than there are";
	for (size_t i = 0; i < count; i++) {
		size_t left = cursor->len - cursor->at;
		const uint8_t *name = cursor->body + cursor->at;
		const uint8_t *end = left ? memchr(name, 0, left) : NULL;

		if (!end)
			return "ends inside a quota's name";
		memcpy(&quotas->entry[i].value, values + 4 * i, 4);
		quotas->entry[i].name = (const char *)name;
		cursor->at += (size_t)(end - name) + 1;
	}
	return NULL;
}

static const char *read_global_quota(struct cursor *cursor, struct stream_quotas *quotas)
{
	quotas->count = take_u16(cursor);
	quotas->global_count = take_u16(cursor);
	return read_values(cursor, quotas);
}

static const char *read_domain(struct cursor *cursor, struct stream_domain *domain)
{
	domain->domid = take_u16(cursor);
	domain->quotas.count = take_u16(cursor);
	domain->quotas.global_count = 0;
	domain->features = take_u32(cursor);
	return read_values(cursor, &domain->quotas);
}

static const char *read_own(struct cursor *cursor, struct stream_record *record, size_t *where)
{
	const struct stream_own_type *type = stream_own_find(record->type);
	const char *why = NULL;

	record->understood = false;
	if (type) {
		switch (stream_own_decode(type, cursor->body, cursor->len, &record->own,
					  &cursor->at, where, &why)) {
		case STREAM_OWN_OK:
			record->understood = true;
			return NULL;
		case STREAM_OWN_BAD:
			return why;
		case STREAM_OWN_TOO_NEW:
			break;
		}
	}
	cursor->at = cursor->len;
	return record->type & STREAM_MUST ? "must be understood and is not" : NULL;
}

static const char *read_body(const struct stream_reader *reader, struct cursor *cursor,
			     struct stream_record *record, size_t *where)
{
	record->understood = true;
	switch (record->type) {
	case STREAM_GLOBAL:
		return read_global(cursor, &record->global);
	case STREAM_CONNECTION:
		return read_connection(cursor, record);
	case STREAM_WATCH:
		return read_watch(cursor, &record->watch);
	case STREAM_TRANSACTION:
		record->transaction.conn_id = take_u32(cursor);
		record->transaction.tx_id = take_u32(cursor);
		return NULL;
	case STREAM_NODE:
		return read_node(cursor, &record->node);
	case STREAM_GLOBAL_QUOTA:
		return read_global_quota(cursor, &record->quotas);
	case STREAM_DOMAIN:
		return read_domain(cursor, &record->domain);
	case STREAM_WATCH_EXTENDED:
		cursor->at = cursor->len;
		if (stream_watch_extended(reader->image, reader->size,
					  record->offset + STREAM_HEADER_SIZE, record)) {
			if (!(record->odd & STREAM_ODD_WATCH))
				cursor->at = 14u + record->watch.path_len + record->watch.token_len;
			return NULL;
		}
		return "has its path and token in none of the places where they may be";
	default:
		if (stream_is_own(record->type))
			return read_own(cursor, record, where);
		/* The format says nothing of classes: what is unknown is skipped. */
		record->understood = false;
		cursor->at = cursor->len;
		return NULL;
	}
}

static void note_rest(struct stream_record *record, const struct cursor *cursor)
{
	size_t rest = stream_round(cursor->len) - cursor->at;

	if (rest >= 8)
		record->odd |= STREAM_ODD_TRAILING;
	else
		for (size_t i = 0; i < rest; i++)
			if (cursor->body[cursor->at + i])
				record->odd |= STREAM_ODD_PADDING;
}

static const char *name_of(const struct stream_record *record)
{
	const char *name = stream_type_name(record->type);

	return name ? name : "unknown";
}

int stream_skip(struct stream_reader *reader, uint64_t size)
{
	if (size > reader->size - reader->at || size & 7u)
		return EINVAL;
	reader->at += size;
	return 0;
}

enum stream_status stream_next(struct stream_reader *reader, struct stream_record *record,
			       struct stream_error *error)
{
	struct cursor cursor = {0};
	const char *wrong;
	size_t left = reader->size - reader->at, where = 0;

	record->offset = reader->at;
	record->odd = 0;
	if (left < STREAM_HEADER_SIZE) {
		fail(error, reader->at, "%s",
		     left ? "ends inside a record's header" : "ends without an END record");
		return STREAM_BROKEN;
	}
	memcpy(&record->type, reader->image + reader->at, 4);
	memcpy(&record->length, reader->image + reader->at + 4, 4);
	left -= STREAM_HEADER_SIZE;
	if (record->length > left || stream_round(record->length) > left) {
		fail(error, reader->at,
		     "%s record (type 0x%x) of %u bytes, but the image has only %zu more",
		     name_of(record), record->type, record->length, left);
		return STREAM_BROKEN;
	}
	if (!record->length != (record->type == STREAM_END)) {
		fail(error, reader->at, "%s record (type 0x%x) of %u bytes", name_of(record),
		     record->type, record->length);
		return STREAM_BROKEN;
	}
	if (record->length & 7u)
		record->odd |= STREAM_ODD_LENGTH;
	record->size = STREAM_HEADER_SIZE + stream_round(record->length);
	if (record->type == STREAM_END) {
		record->understood = true;
		reader->at += record->size;
		reader->ended = true;
		return STREAM_DONE;
	}
	cursor.body = reader->image + reader->at + STREAM_HEADER_SIZE;
	cursor.len = record->length;
	wrong = read_body(reader, &cursor, record, &where);
	if (cursor.overrun)
		wrong = "is shorter than its contents";
	reader->at += record->size;
	if (wrong) {
		record->understood = false;
		fail(error, record->offset + STREAM_HEADER_SIZE + where, "%s record (type 0x%x) %s",
		     name_of(record), record->type, wrong);
		return STREAM_BAD;
	}
	note_rest(record, &cursor);
	return STREAM_RECORD;
}
