/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stream as a row of 64-bit words on pages. A page is asked for when the first
 * word on it is written.
 */
#include "hypervisor/stream-writer.h"

#include <stdbool.h>
#include <string.h>

#include "hypervisor/xen-errno.h"

#define WORDS (HV_STREAM_PAGE / sizeof(uint64_t))

void hv_writer_init(struct hv_writer *writer, const struct hv_page_source *pages, uint32_t version)
{
	memset(writer, 0, sizeof(*writer));
	writer->pages = *pages;
	writer->version = version;
}

/* See to it that there is room for a word. */
static bool make_room(struct hv_writer *writer)
{
	if (writer->error)
		return false;
	if (writer->page && writer->used < WORDS)
		return true;
	writer->page = writer->pages.add(writer->pages.data);
	if (!writer->page) {
		writer->error = -XEN_ENOMEM;
		return false;
	}
	writer->page_count++;
	writer->used = 0;
	return true;
}

void hv_writer_words(struct hv_writer *writer, const void *words, size_t size)
{
	const unsigned char *bytes = words;
	size_t left = size / sizeof(uint64_t);

	while (left && make_room(writer)) {
		uint64_t *at = writer->page + writer->used, checksum = writer->checksum;
		size_t count = WORDS - writer->used;

		if (count > left)
			count = left;
		memcpy(at, bytes, count * sizeof(*at));
		for (size_t i = 0; i < count; i++)
			checksum = hv_checksum(checksum, at[i]);
		writer->checksum = checksum;
		writer->used += (uint32_t)count;
		writer->size += count * sizeof(*at);
		bytes += count * sizeof(*at);
		left -= count;
	}
}

void hv_writer_record(struct hv_writer *writer, enum hv_record_type type, uint32_t flags,
		      uint64_t size)
{
	const struct hv_record record = {.type = type, .flags = flags, .size = size};

	hv_writer_words(writer, &record, sizeof(record));
}

uint64_t *hv_writer_later(struct hv_writer *writer)
{
	if (!make_room(writer))
		return NULL;
	writer->size += sizeof(uint64_t);
	return &writer->page[writer->used++];
}

void hv_writer_end(struct hv_writer *writer)
{
	if (!writer->error && writer->page)
		memset(writer->page + writer->used, 0, (WORDS - writer->used) * sizeof(uint64_t));
}
