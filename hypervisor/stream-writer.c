/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stream as a row of 64-bit words on pages. A page is asked for when the first
 * word on it is written.
 */
#include "hypervisor/stream-writer.h"

#include <string.h>

#include "hypervisor/xen-errno.h"

#define WORDS (HV_STREAM_PAGE / sizeof(uint64_t))

void hv_writer_init(struct hv_writer *writer, const struct hv_page_source *pages, uint32_t version)
{
	memset(writer, 0, sizeof(*writer));
	writer->pages = *pages;
	writer->version = version;
}

/* The place of the next word, or NULL. */
static uint64_t *next_word(struct hv_writer *writer)
{
	if (writer->error)
		return NULL;
	if (!writer->page || writer->used == WORDS) {
		writer->page = writer->pages.add(writer->pages.data);
		if (!writer->page) {
			writer->error = -XEN_ENOMEM;
			return NULL;
		}
		memset(writer->page, 0, HV_STREAM_PAGE);
		writer->page_count++;
		writer->used = 0;
	}
	writer->size += sizeof(uint64_t);
	return &writer->page[writer->used++];
}

void hv_writer_words(struct hv_writer *writer, const void *words, size_t size)
{
	const unsigned char *bytes = words;

	for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
		uint64_t *word = next_word(writer);

		if (!word)
			return;
		memcpy(word, bytes + i, sizeof(*word));
		writer->checksum = hv_checksum(writer->checksum, *word);
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
	return next_word(writer);
}
