/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon proper: all devices of the domain that it runs in.
 */
#ifndef XENSTORED_NINEPFSD_SERVICE_H
#define XENSTORED_NINEPFSD_SERVICE_H

#include <stdbool.h>

struct service_options {
	bool foreground;
	const char *pid_file;
	const char *user; /* to become; NULL: stay who we are */
};

/** Serve until a signal asks to end. Returns the exit status. */
int service_run(const struct service_options *options);

#endif
