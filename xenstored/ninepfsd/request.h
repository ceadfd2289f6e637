/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One request on its way through the server: what is left to read of it, and the answer that is
 * being written. Handlers return 0 or -errno; in the latter case what they wrote is thrown away.
 */
#ifndef XENSTORED_NINEPFSD_REQUEST_H
#define XENSTORED_NINEPFSD_REQUEST_H

#include "ninep/wire.h"
#include "ninepfsd/fid.h"
#include "ninepfsd/share.h"

struct p9_server {
	struct share share;
	struct fid_table fids;
	uint32_t msize;
};

struct request {
	struct p9_server *server;
	struct p9_reader body;
	struct p9_writer answer;
	uint8_t answer_type; /* a handler may have one of its own */
};

/** Put the 13 bytes that identify a file. */
void put_qid(struct p9_writer *answer, const struct stat *file);

/* ---- stat.c ---- */

int handle_stat(struct request *request);
int handle_wstat(struct request *request);

/** A piece of a directory's listing from @offset on, at most @count bytes. */
int read_listing(struct request *request, struct fid *fid, uint64_t offset, uint32_t count);

#endif
