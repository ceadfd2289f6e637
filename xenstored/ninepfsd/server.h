/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A 9P2000.u server for one client: takes a request, gives the answer. It knows nothing of rings,
 * Xen or waiting.
 *
 * It keeps the rules of Xen's own back-end where front-ends depend on them: a version request
 * leaves the fids as they are, at most five fids by default, names like ".." do not exist, a
 * creation does not open what is there.
 *
 * Spec: stubdom.md section 5.
 */
#ifndef XENSTORED_NINEPFSD_SERVER_H
#define XENSTORED_NINEPFSD_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct share_limits;
struct p9_server;

/**
 * Serve @directory within @limits. @msize: the longest message that the transport can carry.
 * Returns 0 and the server, or -errno.
 */
int p9_server_new(const char *directory, const struct share_limits *limits, uint32_t msize,
		  struct p9_server **server);

/** Whether the directory still has a place: one that was removed keeps nothing. */
bool p9_server_has_directory(const struct p9_server *server);

/** The directory, as a descriptor of the server's. */
int p9_server_root(const struct p9_server *server);

/** Close all files. What was to be removed when closed is not: its owner did not say so. */
void p9_server_free(struct p9_server *server);

/**
 * Answer one message of @length bytes, whose header says the same length (at least P9_HEADER). Of
 * one that is longer than @msize was, only the header is looked at, and it is refused.
 * @reply has room for the server's msize. Returns the answer's length, always more than 0.
 */
size_t p9_server_answer(struct p9_server *server, const void *request, size_t length, void *reply);

#endif
