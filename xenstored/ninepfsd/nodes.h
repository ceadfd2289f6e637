/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nodes of the Xenstore by formatted paths. Relative paths begin at the home of the domain that the
 * program runs in.
 */
#ifndef XENSTORED_NINEPFSD_NODES_H
#define XENSTORED_NINEPFSD_NODES_H

#include <stdbool.h>
#include <stdint.h>
#include <xenstore.h>

#define NODES_PATH_MAX 512U

/* States of a device's two ends. */
enum xenbus_state {
	XENBUS_NONE, /* there is no such node */
	XENBUS_INITIALISING,
	XENBUS_INITWAIT,
	XENBUS_INITIALISED,
	XENBUS_CONNECTED,
	XENBUS_CLOSING,
	XENBUS_CLOSED
};

/** A node's value, to be freed; NULL when there is none. */
__attribute__((format(printf, 3, 4))) char *nodes_read(struct xs_handle *xs, xs_transaction_t t,
						       const char *path, ...);

/** A node with a decimal number; @otherwise when there is no such node or no number. */
__attribute__((format(printf, 3, 4))) uint64_t
nodes_read_number(struct xs_handle *xs, uint64_t otherwise, const char *path, ...);

/** Write a node. False: errno tells. */
bool nodes_write(struct xs_handle *xs, xs_transaction_t t, const char *directory, const char *name,
		 const char *value);
bool nodes_write_number(struct xs_handle *xs, xs_transaction_t t, const char *directory,
			const char *name, uint64_t value);

/** Remove a directory, and its parent if that is empty then. False: errno tells. */
bool nodes_remove(struct xs_handle *xs, const char *path);

#endif
