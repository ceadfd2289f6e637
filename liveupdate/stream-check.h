/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checking an image as a whole: may a daemon rely on it?
 *
 * There are errors and warnings. With an error the image must not be used: it
 * is damaged, or contradicts itself. A warning is about what a restore leaves
 * out or repairs, and images of other xenstoreds have such things. In an image
 * of ours (one with an IMAGE record) nothing of the kind may be, so there it is
 * an error, unless a guest could bring it about: no guest may prevent an update.
 *
 * A check can be done in steps while the image still grows: stream_check_step()
 * as far as whole records have been written, stream_check_finish() at the end.
 */
#ifndef LIVEUPDATE_STREAM_CHECK_H
#define LIVEUPDATE_STREAM_CHECK_H

#include "bytes/hash.h"
#include "liveupdate/stream-reader.h"

struct stream_problem {
	size_t offset; /* in the image */
	bool warning;
	char text[200];
};

/* The first problems, in order of discovery, and what there was. */
struct stream_report {
	struct stream_problem *problem; /* the caller's array */
	size_t room;			/* its size */
	size_t count;			/* problems found, which may be more */
	size_t errors, warnings;
	size_t records, connections, watches, nodes, domains, transactions;
	bool own;      /* there is an IMAGE record */
	bool fragment; /* and it says that this is a part of a store */
};

struct stream_checker;

/**
 * Start checking.
 * @secret: for the hashes, since paths are chosen by guests; must live as long
 * @report: filled as the check goes on; problem and room are the caller's
 * Returns NULL without memory.
 */
struct stream_checker *stream_checker_new(const struct hash_secret *secret,
					  struct stream_report *report);

void stream_checker_free(struct stream_checker *checker);

/**
 * Check what has come since the last step. The image may stand at another address than last time.
 * @size: so much is there; ends with a whole record
 * Returns 0, EINVAL once there was an error, or ENOMEM.
 */
int stream_check_step(struct stream_checker *checker, const void *image, size_t size);

/** Check the rest, and that it is complete. As stream_check_step(). */
int stream_check_finish(struct stream_checker *checker, const void *image, size_t size);

/** All at once. */
int stream_check(const void *image, size_t size, const struct hash_secret *secret,
		 struct stream_report *report);

#endif
