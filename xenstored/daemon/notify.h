/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Telling the service manager that the daemon serves.
 *
 * The protocol is one datagram of NAME=value lines to the socket that NOTIFY_SOCKET names. The
 * variable is taken out of the environment at once: neither a helper process nor the next process
 * image of a live update should announce itself a second time. The address is kept, so that a
 * changed main process (a recovery that forked) can still be reported.
 */
#ifndef XENSTORED_DAEMON_NOTIFY_H
#define XENSTORED_DAEMON_NOTIFY_H

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

struct notify {
	struct sockaddr_un address;
	socklen_t address_length; /* 0 = nobody wants to know */
};

/**
 * Reads NOTIFY_SOCKET (a path, or an abstract name that begins with '@') into @notify and unsets
 * it. Returns 0, also when it is not set, or a negative errno for an address that cannot be used
 * (-EAFNOSUPPORT, -ENAMETOOLONG); @notify is then valid and silent.
 */
int notify_init(struct notify *notify);

/**
 * Sends "READY=1" and, if @main_pid is not 0, "MAINPID=<main_pid>"; and prints "@program is ready"
 * on stderr whether anyone wants to know or not. Call it before stderr is given up. Returns 0 or a
 * negative errno (the line has been printed even so).
 */
int notify_ready(const struct notify *notify, const char *program, pid_t main_pid);

/** Sends "MAINPID=<main_pid>" alone: the daemon goes on in another process. As above. */
int notify_main_pid(const struct notify *notify, pid_t main_pid);

#endif
