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
struct hv_stream_pages {
	/*
	 * One more page of HV_STREAM_PAGE bytes at the end of the stream; contents undefined. It
	 * is the host's to note its frame number. NULL: there are none.
	 */
	void *(*add)(void *data);
	void *data;
};

struct hv_writer {
	struct hv_stream_pages pages;
	uint32_t version;
	int error; /* the first; from then on nothing is written */
	uint64_t *page;
	uint32_t used; /* words of page */
	uint32_t page_count;
	uint64_t size;	   /* bytes so far */
	uint64_t checksum; /* since hv_writer_sum() */
	unsigned int fill; /* bytes of the word that is being put together */
	uint64_t word;
};

/** A stream of @version begins. */
void hv_writer_init(struct hv_writer *writer, const struct hv_stream_pages *pages,
		    uint32_t version);

/** Write bytes. */
void hv_writer_bytes(struct hv_writer *writer, const void *bytes, size_t size);

/** Write the header of a record of @type whose @size is known. */
void hv_writer_record(struct hv_writer *writer, enum hv_record_type type, uint32_t flags,
		      uint64_t size);

/** Fill up to a multiple of 8 bytes. */
void hv_writer_align(struct hv_writer *writer);

/** A word to be filled in later, which is not part of a checksum; NULL after an error. */
uint64_t *hv_writer_later(struct hv_writer *writer);

#endif
