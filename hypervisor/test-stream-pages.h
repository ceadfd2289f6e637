/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams for tests: written page by page, then as a whole in memory, where they can
 * be changed.
 *
 * Included by test programs.
 */
#ifndef HYPERVISOR_TEST_STREAM_PAGES_H
#define HYPERVISOR_TEST_STREAM_PAGES_H

#include "hypervisor/restore.h"
#include "hypervisor/save.h"
#include "hypervisor/test-machine.h"

struct pages {
	uint64_t **list;
	size_t count;
	size_t most; /* there are no more than that, 0: no limit */
};

static inline void *pages_add(void *data)
{
	struct pages *pages = data;

	if (pages->most && pages->count == pages->most)
		return NULL;
	pages->list = realloc(pages->list, (pages->count + 1) * sizeof(*pages->list));
	assert_non_null(pages->list);
	pages->list[pages->count] = malloc(HV_STREAM_PAGE);
	assert_non_null(pages->list[pages->count]);
	memset(pages->list[pages->count], 0xa5, HV_STREAM_PAGE);
	return pages->list[pages->count++];
}

static inline void pages_free(struct pages *pages)
{
	for (size_t i = 0; i < pages->count; i++)
		free(pages->list[i]);
	free(pages->list);
	memset(pages, 0, sizeof(*pages));
}

/* A stream in one piece, of whole pages. */
struct stream {
	uint8_t *bytes;
	size_t size;
};

static inline struct stream stream_of(const struct pages *pages)
{
	struct stream stream = {malloc(pages->count * HV_STREAM_PAGE),
				pages->count * HV_STREAM_PAGE};

	assert_non_null(stream.bytes);
	for (size_t i = 0; i < pages->count; i++)
		memcpy(stream.bytes + i * HV_STREAM_PAGE, pages->list[i], HV_STREAM_PAGE);
	return stream;
}

/* Save a machine whose domains are stopped. */
static inline struct stream stream_save(struct hypervisor *hv, uint32_t version)
{
	struct pages pages = {0};
	struct hv_page_source source = {pages_add, &pages};
	struct hv_writer writer;
	struct stream stream;

	hv_writer_init(&writer, &source, version);
	assert_int_equal(hv_save(hv, &writer), 0);
	assert_int_equal(writer.page_count, pages.count);
	stream = stream_of(&pages);
	pages_free(&pages);
	return stream;
}

static inline void stream_free(struct stream *stream)
{
	free(stream->bytes);
	stream->bytes = NULL;
}

static inline uint64_t stream_word(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

/* The checksum of the words from @at up to @end, behind @sum. */
static inline uint64_t stream_sum(uint64_t sum, const uint8_t *at, const uint8_t *end)
{
	for (; at < end; at += 8)
		sum = hv_checksum(sum, stream_word(at));
	return sum;
}

/*
 * The record of @type in the section of @domid, or (domid HV_DOMID_INVALID) of the machine; its
 * @size bytes. NULL if there is none. Only for streams whose structure is as it was written.
 */
static inline void *stream_record(const struct stream *stream, unsigned int domid, uint32_t type,
				  size_t *size)
{
	const struct hv_stream_header *header = (const void *)stream->bytes;
	uint8_t *at = stream->bytes + sizeof(*header);
	unsigned int section = HV_DOMID_INVALID;

	while (at < stream->bytes + header->size) {
		struct hv_record record;

		memcpy(&record, at, sizeof(record));
		at += sizeof(record);
		if (record.type == HV_RECORD_DOMAIN)
			section = ((const struct hv_stream_domain *)(const void *)at)->domid;
		if (section == domid && record.type == type) {
			*size = record.size;
			return at;
		}
		at += record.size;
	}
	return NULL;
}

/* Make all checksums right again, so that what was changed is looked at. */
static inline void stream_sign(struct stream *stream)
{
	struct hv_stream_header *header = (void *)stream->bytes;
	uint8_t *at = stream->bytes + sizeof(*header), *end;
	uint64_t sum = stream_sum(0, stream->bytes, (uint8_t *)&header->size);
	struct hv_record record = {0};

	if (header->size > stream->size || header->size % 8)
		return;
	end = stream->bytes + header->size;
	while (end - at >= (long)sizeof(record)) {
		memcpy(&record, at, sizeof(record));
		if (record.type == HV_RECORD_DOMAIN || record.type == HV_RECORD_END)
			break;
		if (record.size % 8 || record.size > (size_t)(end - at) - sizeof(record))
			return;
		sum = stream_sum(sum, at, at + sizeof(record) + record.size);
		at += sizeof(record) + record.size;
	}
	header->checksum = hv_checksum(sum, header->size);
	while (end - at >= (long)(sizeof(record) + sizeof(struct hv_stream_domain))) {
		struct hv_stream_domain *section = (void *)(at + sizeof(record));
		uint8_t *records = at + sizeof(record) + sizeof(*section);

		memcpy(&record, at, sizeof(record));
		if (record.type != HV_RECORD_DOMAIN || section->size % 8 ||
		    section->size > (size_t)(end - records))
			return;
		sum = stream_sum(0, (uint8_t *)&section->domid, records + section->size);
		section->checksum = hv_checksum(sum, section->size);
		at = records + section->size;
	}
}

#endif
