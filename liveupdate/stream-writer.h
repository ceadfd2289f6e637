/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing a stream, record by record, into a growing buffer or through a
 * function of the caller's.
 *
 * A writer has a dialect. What the dialect's readers do not know is left out
 * and counted, so one sequence of calls makes the image for every receiver;
 * only the order of records stays the caller's. Every byte of padding is zero.
 *
 * After an error the stream is useless: every further call returns the same.
 */
#ifndef LIVEUPDATE_STREAM_WRITER_H
#define LIVEUPDATE_STREAM_WRITER_H

#include "liveupdate/abilities.h"
#include "liveupdate/stream-own.h"
#include "liveupdate/stream-reader.h"

/* A growing buffer; starts as all zero. */
struct stream_buffer {
	uint8_t *data;
	size_t len, room;
};

/** Append to a buffer; a `put` function for a writer. Returns 0 or ENOMEM; nothing is lost then. */
int stream_buffer_put(void *buffer, const void *data, size_t len);

void stream_buffer_deinit(struct stream_buffer *buffer);

/* What an image of this dialect cannot say. */
struct stream_lost {
	unsigned int depths;	   /* watches that lose their limit of depth */
	unsigned int watches;	   /* watches that are lost, being of special nodes with a depth */
	unsigned int quotas;	   /* records with quotas */
	unsigned int domains;	   /* DOMAIN records */
	unsigned int own;	   /* records of our own types */
	unsigned int transactions; /* of these, open transactions */
	unsigned int undeclared;   /* must-understand records that the receiver has not declared */
	uint32_t undeclared_type;  /* of the first of them */
};

struct stream_writer {
	/* Returns 0 or a positive errno value. */
	int (*put)(void *sink, const void *data, size_t len);
	void *sink;
	const struct stream_dialect *dialect;
	/* A receiver of our kind; NULL: it understands whatever this build writes. */
	const struct abilities *receiver;
	uint32_t version;
	uint64_t offset; /* bytes written */
	int error;
	struct stream_lost lost;
};

/**
 * Start a stream: the preamble is written.
 * @version: 0 = the dialect's own
 * Returns 0, EINVAL (the dialect does not have this version) or an error of @put.
 */
int stream_writer_init(struct stream_writer *writer, const struct stream_dialect *dialect,
		       uint32_t version, int (*put)(void *, const void *, size_t), void *sink);

/*
 * Each returns 0; EINVAL: the record is not one that could be read again (a length that does not
 * fit, a count of zero); or an error of @put. Texts must be terminated at their lengths.
 */
int stream_put_global(struct stream_writer *writer, const struct stream_global *global);
int stream_put_connection(struct stream_writer *writer, const struct stream_connection *connection);
int stream_put_watch(struct stream_writer *writer, const struct stream_watch *watch);
int stream_put_node(struct stream_writer *writer, const struct stream_node *node);
int stream_put_global_quota(struct stream_writer *writer, const struct stream_quotas *quotas);
int stream_put_domain(struct stream_writer *writer, const struct stream_domain *domain);

/** Write a record of our own. @record: the struct that belongs to @type. */
int stream_put_own(struct stream_writer *writer, uint32_t type, const void *record);

/** Write the END record. */
int stream_put_end(struct stream_writer *writer);

/** Write what a reader has read. Records of unknown type and TRANSACTION are left out. */
int stream_put_record(struct stream_writer *writer, const struct stream_record *record);

#endif
