/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing a stream, page by page.
 *
 * Pages come one at a time, from wherever there are free ones, and their machine
 * frame numbers make the array by which the next hypervisor finds them. A page that
 * is full is not touched again, but for the few words (sizes, checksums) that are
 * only known at the end of what they describe; such a word never lies across two
 * pages.
 */
#ifndef HYPERVISOR_STREAM_WRITER_H
#define HYPERVISOR_STREAM_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "hypervisor/stream.h"

/* Where pages come from. */
struct hv_page_source {
	/*
	 * One more page of HV_STREAM_PAGE bytes at the end of the stream; contents undefined. It
	 * is the host's to note its frame number. NULL: there are none.
	 */
	void *(*add)(void *data);
	void *data;
};

struct hv_writer {
	struct hv_page_source pages;
	uint32_t version;
	int error; /* the first; from then on nothing is written */
	uint64_t *page;
	uint32_t used; /* words of page */
	uint32_t page_count;
	uint64_t size;	   /* bytes so far */
	uint64_t checksum; /* of the words since it was set to 0 */
};

/** A stream of @version begins. */
void hv_writer_init(struct hv_writer *writer, const struct hv_page_source *pages, uint32_t version);

/** Write @size bytes, a multiple of 8, that are aligned to 8. */
void hv_writer_words(struct hv_writer *writer, const void *words, size_t size);

/** Write the header of a record of @type, which will have @size bytes. */
void hv_writer_record(struct hv_writer *writer, enum hv_record_type type, uint32_t flags,
		      uint64_t size);

/**
 * Leave room for a word that will be known later, and is not in the checksum. Returns where it is
 * to be stored; NULL after an error.
 */
uint64_t *hv_writer_later(struct hv_writer *writer);

/** The stream is complete: the rest of its last page becomes 0. */
void hv_writer_end(struct hv_writer *writer);

#endif
