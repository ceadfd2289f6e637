/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connected front-end: its pages mapped, its event channels bound, and a thread of its own that
 * does all this and serves it, so that neither a slow disk nor a busy neighbour nor a Xenstore that
 * is just being updated keeps it waiting, and it keeps nobody.
 *
 * The last matters most: a Xenstore domain may write its state to a file here while it does not
 * answer Xenstore requests.
 */
#ifndef XENSTORED_NINEPFSD_CONNECTION_H
#define XENSTORED_NINEPFSD_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "ninepfsd/share.h"

#define CONNECTION_RINGS_MAX 4U
#define CONNECTION_ORDER_MAX 9U

struct connection_config {
	unsigned int domid;
	unsigned int rings;
	uint32_t refs[CONNECTION_RINGS_MAX];  /* of the interface pages */
	uint32_t ports[CONNECTION_RINGS_MAX]; /* in the front-end's domain */
	const char *directory;
	struct share_limits limits;
	int wake; /* an eventfd that is written to when the thread serves, and when it ends */
};

struct connection;

/**
 * Start the thread, which maps, binds, opens the directory and then serves; it says in the log what
 * it cannot do. Returns 0 or -ENOMEM and the like. What @config points to is not needed afterwards.
 */
int connection_start(const struct connection_config *config, struct connection **connection);

/** Ask the thread to end. It does so when its present request is answered. */
void connection_stop(struct connection *connection);

/** Whether the thread has come so far that it serves, or did until it ended. */
bool connection_serves(const struct connection *connection);

/** Whether the thread has ended and everything is unmapped. */
bool connection_over(const struct connection *connection);

/** Wait for the thread's end, forget it. */
void connection_free(struct connection *connection);

#endif
