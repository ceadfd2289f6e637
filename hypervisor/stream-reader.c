/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sizes are compared with what is left before anything is added to them.
 */
#include "hypervisor/stream-reader.h"

#include <stddef.h>
#include <string.h>

const char *hv_read_record(struct hv_reader *reader, struct hv_read_record *record)
{
	struct hv_record header;
	size_t element;

	if (reader->left < sizeof(header))
		return "a record is cut off";
	memcpy(&header, reader->at, sizeof(header));
	if (header.size > reader->left - sizeof(header) || header.size % 8)
		return "a record has a wrong size";
	if (header.flags & ~HV_RECORD_OPTIONAL)
		return "a record has an unknown flag";
	element = hv_record_element(header.type);
	if (!element && !(header.flags & HV_RECORD_OPTIONAL))
		return "a record of an unknown type may not be skipped";
	if (element && header.size % element)
		return "a record does not have whole elements";
	record->type = header.type;
	record->flags = header.flags;
	record->count = header.size / (element ? element : 1);
	record->data = header.size ? reader->at + sizeof(header) : NULL;
	reader->at += sizeof(header) + header.size;
	reader->left -= sizeof(header) + header.size;
	return NULL;
}

uint64_t hv_read_checksum(uint64_t checksum, const void *bytes, uint64_t size)
{
	const unsigned char *at = bytes;
	uint64_t word;

	for (uint64_t i = 0; i < size; i += sizeof(word)) {
		memcpy(&word, at + i, sizeof(word));
		checksum = hv_checksum(checksum, word);
	}
	return checksum;
}

static bool is_zero(const uint8_t *bytes, uint64_t size)
{
	for (uint64_t i = 0; i < size; i++) {
		if (bytes[i])
			return false;
	}
	return true;
}

const char *hv_read_header(const void *stream, uint64_t size, struct hv_stream_header *header,
			   struct hv_reader *reader, bool *unsupported)
{
	const uint8_t *bytes = stream;

	*unsupported = false;
	if (size < sizeof(*header))
		return "the stream is cut off";
	memcpy(header, bytes, sizeof(*header));
	if (header->magic != HV_STREAM_MAGIC)
		return "this is no live update stream";
	*unsupported = header->version < HV_STREAM_OLDEST || header->version > HV_STREAM_VERSION;
	if (*unsupported)
		return "the stream is of another version";
	if (header->size < sizeof(*header) || header->size > size || header->size % 8)
		return "the stream's size is wrong";
	if (!is_zero(bytes + header->size, size - header->size))
		return "something follows the stream";
	reader->at = bytes + sizeof(*header);
	reader->left = header->size - sizeof(*header);
	return NULL;
}
