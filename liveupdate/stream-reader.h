/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a stream: an iterator over an image in memory.
 *
 * Nothing in the image is trusted: every length, count and terminator is
 * checked before the record is handed out, and what is handed out points into
 * the image. The reader looks at one record at a time; what records have to do
 * with each other is the checker's business (stream-check.h).
 *
 * Upstream writes WATCH_EXTENDED in a form that no description matches, some
 * of them shorter than announced; they are recognized and repaired here.
 */
#ifndef LIVEUPDATE_STREAM_READER_H
#define LIVEUPDATE_STREAM_READER_H

#include "liveupdate/stream-own.h"

/* What was odd about a record that could be read all the same. */
#define STREAM_ODD_LENGTH   1u	/* not a multiple of 8 */
#define STREAM_ODD_TRAILING 2u	/* more bytes than there are fields */
#define STREAM_ODD_PADDING  4u	/* padding that is not zero */
#define STREAM_ODD_WATCH    8u	/* extended watch in a form that the format does not have */
#define STREAM_ODD_SHORT    16u /* that record being 8 bytes shorter than it says */
#define STREAM_ODD_FIELDS   32u /* flags that are not known */

struct stream_record {
	uint32_t type;
	uint32_t length; /* as announced */
	size_t offset;	 /* of the record in the image */
	size_t size;	 /* with header and padding */
	bool understood; /* its members below are filled */
	unsigned int odd;
	union {
		struct stream_global global;
		struct stream_connection connection;
		struct stream_watch watch;
		struct stream_transaction transaction;
		struct stream_node node;
		struct stream_quotas quotas;
		struct stream_domain domain;
		union stream_own own;
	};
};

struct stream_error {
	size_t offset; /* in the image */
	char text[160];
};

struct stream_reader {
	const uint8_t *image;
	size_t size, at;
	uint32_t version;
	bool ended; /* END has been read */
};

enum stream_status {
	STREAM_RECORD, /* one record */
	STREAM_DONE,   /* it was END; there is no more */
	STREAM_BAD,    /* a record that is wrong in itself; reading can go on behind it */
	STREAM_BROKEN, /* nothing more can be read */
};

/**
 * Start reading: the preamble is checked.
 * Returns 0, or EINVAL with @error filled.
 */
int stream_reader_init(struct stream_reader *reader, const void *image, size_t size,
		       struct stream_error *error);

/** The next record. @error is filled for STREAM_BAD and STREAM_BROKEN. */
enum stream_status stream_next(struct stream_reader *reader, struct stream_record *record,
			       struct stream_error *error);

/** Pass over @size bytes, which are whole records. Returns 0, or EINVAL: there are not so many. */
int stream_skip(struct stream_reader *reader, uint64_t size);

/* For stream-watch.c. */
bool stream_watch_extended(const uint8_t *image, size_t size, size_t at,
			   struct stream_record *record);

#endif
