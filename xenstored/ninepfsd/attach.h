/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Give a device to a domain that was built without one, and take it away again.
 */
#ifndef XENSTORED_NINEPFSD_ATTACH_H
#define XENSTORED_NINEPFSD_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

struct attach_options {
	const char *domain;   /* whose device: its number or name */
	unsigned int number;  /* which of its devices */
	unsigned int backend; /* the domain that serves */
	const char *tag;
	const char *path; /* NULL: the usual one */
	uint64_t max_space, max_files, max_open_files;
	bool auto_delete;
	unsigned int wait; /* seconds until it must be connected or gone; 0: do not wait */
};

/** Write the nodes. Returns the exit status, having said on stderr what went wrong. */
int attach(const struct attach_options *options);

/** Ask both ends to finish, and remove the nodes. Returns the exit status. */
int detach(const struct attach_options *options);

#endif
