/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client's side of a live update: the conversation that replaces a running xenstored, be it a
 * process of this machine or a domain of its own, by another binary.
 */
#ifndef XENSTORED_CONTROL_CLIENT_LIVE_UPDATE_H
#define XENSTORED_CONTROL_CLIENT_LIVE_UPDATE_H

#include <stdbool.h>

#include "control-client/connection.h"

/* Seconds to wait for open transactions when nothing is said. */
#define LIVE_UPDATE_TIMEOUT 60

struct live_update {
	const char *file;	  /* the new binary or kernel, as the user wrote it */
	const char *command_line; /* of the new xenstored; NULL = as now */
	const char *version;	  /* of the migration stream, decimal; NULL = daemon's choice */
	const char *way;	  /* of the state: "memory", "file"; NULL = the domain's choice */
	unsigned int timeout;	  /* seconds */
	const char *serve;	  /* seconds that a new domain image may take; NULL = its choice */
	bool force;		  /* after the timeout go on in spite of open transactions */
};

/**
 * Does it, and waits for the end. Returns 0 when the new xenstored has answered, else a negative
 * errno after having said on stderr what went wrong; the old xenstored goes on then.
 */
int live_update_run(const struct live_update *update, struct connection *connection);

#endif
