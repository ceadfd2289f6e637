/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing the records of the format, and our own by their tables. */
#include "liveupdate/stream-writer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct piece {
	const void *data;
	size_t len;
};

int stream_buffer_put(void *sink, const void *data, size_t len)
{
	struct stream_buffer *buffer = sink;

	if (len > buffer->room - buffer->len) {
		size_t room = buffer->room ? buffer->room : 4096;
		uint8_t *grown;

		if (len > SIZE_MAX / 4 || buffer->len > SIZE_MAX / 4)
			return ENOMEM;
		while (room - buffer->len < len)
			room *= 2;
		grown = realloc(buffer->data, room);
		if (!grown)
			return ENOMEM;
		buffer->data = grown;
		buffer->room = room;
	}
	if (len)
		memcpy(buffer->data + buffer->len, data, len);
	buffer->len += len;
	return 0;
}

void stream_buffer_deinit(struct stream_buffer *buffer)
{
	free(buffer->data);
	memset(buffer, 0, sizeof(*buffer));
}

static int put(struct stream_writer *writer, const void *data, size_t len)
{
	if (!writer->error && len) {
		writer->error = writer->put(writer->sink, data, len);
		if (!writer->error)
			writer->offset += len;
	}
	return writer->error;
}

static int refuse(struct stream_writer *writer)
{
	if (!writer->error)
		writer->error = EINVAL;
	return writer->error;
}

static const uint8_t zeros[8];

static int put_pieces(struct stream_writer *writer, uint32_t type, const struct piece *pieces,
		      size_t count)
{
	uint32_t header[2] = {type, 0};
	size_t len = 0;

	for (size_t i = 0; i < count; i++) {
		if (pieces[i].len > UINT32_MAX - 8 - len)
			return refuse(writer);
		len += pieces[i].len;
	}
	header[1] = (uint32_t)stream_round(len);
	put(writer, header, sizeof(header));
	for (size_t i = 0; i < count; i++)
		put(writer, pieces[i].data, pieces[i].len);
	return put(writer, zeros, stream_round(len) - len);
}

#define PUT(writer, type, pieces)                                                                  \
	put_pieces(writer, type, pieces, sizeof(pieces) / sizeof(*(pieces)))

int stream_writer_init(struct stream_writer *writer, const struct stream_dialect *dialect,
		       uint32_t version, int (*put_)(void *, const void *, size_t), void *sink)
{
	uint32_t words[2];

	memset(writer, 0, sizeof(*writer));
	writer->put = put_;
	writer->sink = sink;
	writer->dialect = dialect;
	writer->version = version ? version : dialect->version;
	if (writer->version < dialect->version_min || writer->version > dialect->version_max)
		return refuse(writer);
	words[0] = htonl(writer->version);
	words[1] = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? STREAM_FLAG_BIG_ENDIAN : 0;
	put(writer, STREAM_IDENT, 8);
	return put(writer, words, sizeof(words));
}

int stream_put_global(struct stream_writer *writer, const struct stream_global *global)
{
	struct piece pieces[] = {{global, sizeof(*global)}};

	return PUT(writer, STREAM_GLOBAL, pieces);
}

int stream_put_connection(struct stream_writer *writer, const struct stream_connection *connection)
{
	bool unique_id = connection->has_unique_id && writer->dialect->unique_ids;
	struct {
		uint32_t id;
		uint16_t type, fields;
		union {
			struct {
				uint16_t domid, target;
				uint32_t port;
			} ring;
			struct {
				int32_t fd;
				uint32_t pad;
			} socket;
		};
		uint16_t input_len, partial_len;
		uint32_t output_len;
	} fixed = {.id = connection->id,
		   .type = connection->type,
		   .fields = unique_id,
		   .input_len = connection->input_len,
		   .partial_len = connection->partial_len,
		   .output_len = connection->output_len};
	size_t len = sizeof(fixed) + connection->input_len + connection->output_len;
	struct piece pieces[] = {
		{&fixed, sizeof(fixed)},
		{connection->input, connection->input_len},
		{connection->output, connection->output_len},
		{zeros, unique_id ? stream_round(len) - len : 0},
		{&connection->unique_id, unique_id ? sizeof(connection->unique_id) : 0},
	};

	if (!connection->id || connection->type > STREAM_SOCKET ||
	    connection->partial_len > connection->output_len)
		return refuse(writer);
	if (connection->type == STREAM_SOCKET) {
		fixed.socket.fd = connection->fd;
	} else {
		fixed.ring.domid = connection->domid;
		fixed.ring.target = connection->target;
		fixed.ring.port = connection->port;
	}
	return PUT(writer, STREAM_CONNECTION, pieces);
}

int stream_put_watch(struct stream_writer *writer, const struct stream_watch *watch)
{
	struct {
		uint32_t conn_id;
		uint16_t path_len, token_len, depth, pad;
	} fixed = {.conn_id = watch->conn_id,
		   .path_len = (uint16_t)(watch->path_len + 1),
		   .token_len = (uint16_t)(watch->token_len + 1)};
	struct piece pieces[] = {
		{&fixed, 8},
		{watch->path, watch->path_len + 1u},
		{watch->token, watch->token_len + 1u},
	};

	if (!watch->path_len || watch->path_len == UINT16_MAX || watch->token_len == UINT16_MAX ||
	    watch->depth < STREAM_NO_DEPTH || watch->depth >= UINT16_MAX)
		return refuse(writer);
	if (watch->depth == STREAM_NO_DEPTH)
		return PUT(writer, STREAM_WATCH, pieces);
	if (writer->dialect->depths) {
		fixed.depth = (uint16_t)watch->depth;
		pieces[0].len = sizeof(fixed);
		return PUT(writer, STREAM_WATCH_EXTENDED, pieces);
	}
	/* Without the limit an ordinary watch gets more events than asked for. One of a special
	 * node would get others than asked for, and none of those. */
	if (watch->path[0] == '@') {
		writer->lost.watches++;
		return writer->error;
	}
	writer->lost.depths++;
	return PUT(writer, STREAM_WATCH, pieces);
}

int stream_put_node(struct stream_writer *writer, const struct stream_node *node)
{
	struct {
		uint32_t conn_id, tx_id;
		uint16_t path_len, value_len, access, perm_count;
	} fixed = {.conn_id = node->conn_id,
		   .tx_id = node->tx_id,
		   .path_len = (uint16_t)(node->path_len + 1),
		   .value_len = node->value_len,
		   .access = node->access,
		   .perm_count = node->perm_count};
	struct piece pieces[] = {
		{&fixed, sizeof(fixed)},
		{node->perms, node->perm_count * sizeof(*node->perms)},
		{node->path, node->path_len + 1u},
		{node->value, node->value_len},
	};

	if (!node->perm_count || !node->path_len || node->path_len == UINT16_MAX)
		return refuse(writer);
	return PUT(writer, STREAM_NODE, pieces);
}

/* Values and names behind @fixed. */
static int put_quotas(struct stream_writer *writer, uint32_t type, const void *fixed,
		      size_t fixed_len, const struct stream_quotas *quotas, size_t count)
{
	uint32_t values[STREAM_QUOTAS_MAX];
	struct piece pieces[2 + STREAM_QUOTAS_MAX] = {{fixed, fixed_len},
						      {values, count * sizeof(*values)}};

	for (size_t i = 0; i < count; i++) {
		values[i] = quotas->entry[i].value;
		pieces[2 + i].data = quotas->entry[i].name;
		pieces[2 + i].len = strlen(quotas->entry[i].name) + 1;
	}
	return put_pieces(writer, type, pieces, 2 + count);
}

int stream_put_global_quota(struct stream_writer *writer, const struct stream_quotas *quotas)
{
	uint16_t counts[2] = {quotas->count, quotas->global_count};
	size_t count = (size_t)counts[0] + counts[1];

	if (count > STREAM_QUOTAS_MAX)
		return refuse(writer);
	if (!writer->dialect->quotas) {
		writer->lost.quotas++;
		return writer->error;
	}
	return put_quotas(writer, STREAM_GLOBAL_QUOTA, counts, sizeof(counts), quotas, count);
}

int stream_put_domain(struct stream_writer *writer, const struct stream_domain *domain)
{
	struct {
		uint16_t domid, count;
		uint32_t features;
	} fixed = {.domid = domain->domid,
		   .count = domain->quotas.count,
		   /* Version 1 has no word for features; its readers take zero as "not said". */
		   .features = writer->version < 2 ? 0 : domain->features};

	if (domain->quotas.count > STREAM_QUOTAS_MAX)
		return refuse(writer);
	if (!writer->dialect->domains) {
		writer->lost.domains++;
		return writer->error;
	}
	if (!writer->dialect->quotas) {
		writer->lost.quotas += fixed.count > 0;
		fixed.count = 0;
	}
	return put_quotas(writer, STREAM_DOMAIN, &fixed, sizeof(fixed), &domain->quotas,
			  fixed.count);
}

int stream_put_end(struct stream_writer *writer)
{
	return put_pieces(writer, STREAM_END, NULL, 0);
}

/* The largest fixed part and the most counted parts of any table. */
#define OWN_FIXED_MAX 128u
#define OWN_PARTS_MAX 4u

/* What all counted parts look like. */
struct span {
	const void *data;
	uint32_t count;
};

int stream_put_own(struct stream_writer *writer, uint32_t type, const void *record)
{
	const struct stream_own_type *own = stream_own_find(type);
	struct stream_own_prefix prefix = {0};
	uint8_t fixed[OWN_FIXED_MAX];
	struct piece pieces[1 + OWN_PARTS_MAX] = {{fixed, 0}};
	size_t at = sizeof(prefix), parts = 0;

	if (!own)
		return refuse(writer);
	if (!writer->dialect->own) {
		writer->lost.own++;
		writer->lost.transactions += type == STREAM_TX;
		return writer->error;
	}
	if ((type & STREAM_MUST) && writer->receiver &&
	    !abilities_understand(writer->receiver, type, own->oldest)) {
		if (!writer->lost.undeclared++)
			writer->lost.undeclared_type = type;
		return writer->error;
	}
	for (const struct stream_field *field = own->fields; field->name; field++) {
		const char *member = (const char *)record + field->offset;
		size_t size = stream_field_size(field), element = stream_field_element(field);
		struct span span;

		if (at + size > sizeof(fixed) || parts >= OWN_PARTS_MAX)
			return refuse(writer);
		if (!element) {
			memcpy(fixed + at, member, size);
			at += size;
			continue;
		}
		memcpy(&span, member, sizeof(span));
		if (field->kind == FIELD_TEXT && !span.data) {
			span.data = "";
			span.count = 0;
		}
		if (span.count > (UINT32_MAX - 64) / element)
			return refuse(writer);
		span.count += field->kind == FIELD_TEXT;
		memcpy(fixed + at, &span.count, size);
		at += size;
		parts++;
		pieces[parts].data = span.data;
		pieces[parts].len = span.count * element;
	}
	prefix.version = own->version;
	prefix.oldest = own->oldest;
	prefix.fixed = (uint16_t)at;
	memcpy(fixed, &prefix, sizeof(prefix));
	pieces[0].len = at;
	return put_pieces(writer, type, pieces, 1 + parts);
}

int stream_put_record(struct stream_writer *writer, const struct stream_record *record)
{
	switch (record->type) {
	case STREAM_END:
		return stream_put_end(writer);
	case STREAM_GLOBAL:
		return stream_put_global(writer, &record->global);
	case STREAM_CONNECTION:
		return stream_put_connection(writer, &record->connection);
	case STREAM_WATCH:
	case STREAM_WATCH_EXTENDED:
		return stream_put_watch(writer, &record->watch);
	case STREAM_NODE:
		return stream_put_node(writer, &record->node);
	case STREAM_GLOBAL_QUOTA:
		return stream_put_global_quota(writer, &record->quotas);
	case STREAM_DOMAIN:
		return stream_put_domain(writer, &record->domain);
	case STREAM_TRANSACTION:
		return writer->error;
	default:
		return record->understood ? stream_put_own(writer, record->type, &record->own)
					  : writer->error;
	}
}
