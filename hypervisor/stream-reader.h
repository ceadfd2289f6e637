/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading records, one after the other, from bytes that may say anything.
 */
#ifndef HYPERVISOR_STREAM_READER_H
#define HYPERVISOR_STREAM_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "hypervisor/stream.h"

/* What is to be read. */
struct hv_reader {
	const uint8_t *at; /* aligned to 8 */
	uint64_t left;	   /* bytes, a multiple of 8 */
};

/* A record that was read; the elements of an array stand where they are in the stream. */
struct hv_read_record {
	uint32_t type;
	uint32_t flags;
	uint64_t count;	  /* elements */
	const void *data; /* NULL when there are none */
};

/**
 * Read the next record. Returns NULL, or a sentence that says why it is none; then nothing is
 * read. Of a type that is not known, which is an error unless it may be skipped, the elements are
 * bytes.
 */
const char *hv_read_record(struct hv_reader *reader, struct hv_read_record *record);

/** The checksum of @size bytes, a multiple of 8, that go on behind @checksum. */
uint64_t hv_read_checksum(uint64_t checksum, const void *bytes, uint64_t size);

/**
 * Read and check the header of a stream of at most @size bytes (all of them being mapped, aligned
 * to 8): its version, its size, and that nothing but zeroes follows it. What comes behind the
 * header, up to the stream's end, is in @reader then. Returns NULL or a sentence; @unsupported: it
 * is no error but a stream of another version.
 */
const char *hv_read_header(const void *stream, uint64_t size, struct hv_stream_header *header,
			   struct hv_reader *reader, bool *unsupported);

#endif
