/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of 9P messages, put together and taken apart one by one, so that neither alignment nor the
 * machine's byte order matters.
 */
#include "ninep/wire.h"

#include <string.h>

struct p9_reader p9_reader(const void *bytes, size_t length)
{
	return (struct p9_reader){.at = bytes, .left = length};
}

const void *p9_get_bytes(struct p9_reader *reader, size_t length)
{
	const void *bytes = reader->at;

	if (reader->failed || length > reader->left) {
		reader->failed = true;
		return NULL;
	}
	reader->at += length;
	reader->left -= length;
	return bytes;
}

static uint64_t get(struct p9_reader *reader, size_t length)
{
	const unsigned char *bytes = p9_get_bytes(reader, length);
	uint64_t value = 0;

	for (size_t i = length; bytes && i-- > 0;)
		value = value << 8 | bytes[i];
	return value;
}

uint8_t p9_get_u8(struct p9_reader *reader)
{
	return (uint8_t)get(reader, 1);
}

uint16_t p9_get_u16(struct p9_reader *reader)
{
	return (uint16_t)get(reader, 2);
}

uint32_t p9_get_u32(struct p9_reader *reader)
{
	return (uint32_t)get(reader, 4);
}

uint64_t p9_get_u64(struct p9_reader *reader)
{
	return get(reader, 8);
}

const char *p9_get_string(struct p9_reader *reader, size_t *length)
{
	const char *text;

	*length = p9_get_u16(reader);
	text = p9_get_bytes(reader, *length);
	if (text)
		return text;
	*length = 0;
	return "";
}

struct p9_header p9_header(const void *bytes)
{
	struct p9_reader reader = p9_reader(bytes, P9_HEADER);
	struct p9_header header;

	header.size = p9_get_u32(&reader);
	header.type = p9_get_u8(&reader);
	header.tag = p9_get_u16(&reader);
	return header;
}

struct p9_writer p9_begin(void *bytes, size_t room, uint8_t type, uint16_t tag)
{
	struct p9_writer writer = {.start = bytes, .room = room};

	p9_put_u32(&writer, 0);
	p9_put_u8(&writer, type);
	p9_put_u16(&writer, tag);
	return writer;
}

void *p9_space(struct p9_writer *writer, size_t *room)
{
	*room = writer->failed ? 0 : writer->room - writer->length;
	return writer->start + writer->length;
}

void p9_skip(struct p9_writer *writer, size_t length)
{
	if (writer->failed || length > writer->room - writer->length)
		writer->failed = true;
	else
		writer->length += length;
}

void p9_put_bytes(struct p9_writer *writer, const void *bytes, size_t length)
{
	unsigned char *to = writer->start + writer->length;

	p9_skip(writer, length);
	if (!writer->failed && length)
		memcpy(to, bytes, length);
}

static void put(struct p9_writer *writer, uint64_t value, size_t length)
{
	unsigned char bytes[8];

	for (size_t i = 0; i < length; i++)
		bytes[i] = (unsigned char)(value >> (8 * i));
	p9_put_bytes(writer, bytes, length);
}

void p9_put_u8(struct p9_writer *writer, uint8_t value)
{
	put(writer, value, 1);
}

void p9_put_u16(struct p9_writer *writer, uint16_t value)
{
	put(writer, value, 2);
}

void p9_put_u32(struct p9_writer *writer, uint32_t value)
{
	put(writer, value, 4);
}

void p9_put_u64(struct p9_writer *writer, uint64_t value)
{
	put(writer, value, 8);
}

void p9_put_string(struct p9_writer *writer, const char *text, size_t length)
{
	if (length > UINT16_MAX)
		writer->failed = true;
	p9_put_u16(writer, (uint16_t)length);
	p9_put_bytes(writer, text, length);
}

void p9_put_text(struct p9_writer *writer, const char *text)
{
	p9_put_string(writer, text, strlen(text));
}

size_t p9_end(struct p9_writer *writer)
{
	struct p9_writer size = {.start = writer->start, .room = 4};

	if (writer->failed)
		return 0;
	p9_put_u32(&size, (uint32_t)writer->length);
	return writer->length;
}
