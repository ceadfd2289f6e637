/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decoding our own records by their tables. */
#include "liveupdate/stream-own.h"

#include <string.h>

/* What all counted parts look like. */
struct span {
	const void *data;
	uint32_t count;
};

_Static_assert(sizeof(struct span) == sizeof(struct stream_text) &&
		       sizeof(struct span) == sizeof(struct stream_own_perms) &&
		       sizeof(struct span) == sizeof(struct stream_events_list),
	       "counted parts have one shape");

const struct stream_own_type *stream_own_find(uint32_t type)
{
	const struct stream_own_type *found;

	if (!stream_is_own(type))
		return NULL;
	for (size_t i = 0; (found = stream_own_at(i)); i++)
		if (found->type == type)
			return found;
	return NULL;
}

size_t stream_field_size(const struct stream_field *field)
{
	switch (field->kind) {
	case FIELD_U8:
	case FIELD_CHAR:
		return 1;
	case FIELD_U16:
		return 2;
	case FIELD_U32:
	case FIELD_I32:
	case FIELD_TEXT:
	case FIELD_BYTES:
	case FIELD_ARRAY:
		return 4;
	case FIELD_U64:
	case FIELD_I64:
		return 8;
	}
	return 0;
}

size_t stream_field_element(const struct stream_field *field)
{
	switch (field->kind) {
	case FIELD_TEXT:
	case FIELD_BYTES:
		return 1;
	case FIELD_ARRAY:
		return field->element_size;
	default:
		return 0;
	}
}

struct decoding {
	const uint8_t *body;
	size_t len, at;
	size_t *where;
	const char **why;
};

static enum stream_own_result bad(struct decoding *decoding, const char *why)
{
	*decoding->where = decoding->at;
	*decoding->why = why;
	return STREAM_OWN_BAD;
}

static enum stream_own_result decode_fixed(struct decoding *decoding,
					   const struct stream_field *field, char *member)
{
	size_t size = stream_field_size(field);

	if (decoding->len - decoding->at < size)
		return bad(decoding, "ends inside its fixed part");
	if (stream_field_element(field)) {
		struct span span = {0};

		memcpy(&span.count, decoding->body + decoding->at, size);
		memcpy(member, &span, sizeof(span));
	} else {
		memcpy(member, decoding->body + decoding->at, size);
	}
	decoding->at += size;
	return STREAM_OWN_OK;
}

static enum stream_own_result decode_part(struct decoding *decoding,
					  const struct stream_field *field, char *member)
{
	size_t element = stream_field_element(field), left = decoding->len - decoding->at;
	struct span span;

	memcpy(&span, member, sizeof(span));
	if (span.count > left / element)
		return bad(decoding, "has a counted part that is longer than the record");
	span.data = decoding->body + decoding->at;
	if (field->kind == FIELD_TEXT) {
		const char *end = span.count ? memchr(span.data, 0, span.count) : NULL;

		if (!end || end != (const char *)span.data + span.count - 1)
			return bad(decoding, "has a text without a NUL at its end alone");
		decoding->at++;
		span.count--;
	}
	decoding->at += span.count * element;
	memcpy(member, &span, sizeof(span));
	return STREAM_OWN_OK;
}

enum stream_own_result stream_own_decode(const struct stream_own_type *type, const uint8_t *body,
					 size_t len, void *record, size_t *used, size_t *where,
					 const char **why)
{
	struct decoding decoding = {.body = body, .len = len, .where = where, .why = why};
	enum stream_own_result result = STREAM_OWN_OK;
	struct stream_own_prefix prefix;

	memset(record, 0, type->size);
	if (len < sizeof(prefix))
		return bad(&decoding, "is too short for its version");
	memcpy(&prefix, body, sizeof(prefix));
	if (!prefix.oldest || prefix.oldest > prefix.version)
		return bad(&decoding, "has an impossible version");
	if (prefix.oldest > type->version)
		return STREAM_OWN_TOO_NEW;
	if (prefix.fixed > len)
		return bad(&decoding, "is shorter than its fixed part");
	decoding.len = prefix.fixed;
	decoding.at = sizeof(prefix);
	if (prefix.fixed < sizeof(prefix))
		return bad(&decoding, "has an impossible fixed part");
	for (const struct stream_field *field = type->fields; field->name && !result; field++)
		if (field->since <= prefix.version)
			result = decode_fixed(&decoding, field, (char *)record + field->offset);
	if (!result && prefix.version <= type->version && decoding.at != prefix.fixed)
		return bad(&decoding, "has more fixed fields than its version");
	decoding.len = len;
	decoding.at = prefix.fixed;
	for (const struct stream_field *field = type->fields; field->name && !result; field++)
		if (field->since <= prefix.version && stream_field_element(field))
			result = decode_part(&decoding, field, (char *)record + field->offset);
	*used = prefix.version > type->version ? len : decoding.at;
	return result;
}
