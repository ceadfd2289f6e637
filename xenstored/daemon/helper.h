/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Helpers of a live update: processes that are started ahead, while the daemon serves, and are told
 * by messages on a socket what has come so far. The checker is one, the guard of a program of our
 * own kind the other.
 *
 * What a helper is, and which descriptors it has, is said by an environment variable (guard.h). All
 * messages are packets, so none is read in part; a helper that has ended is seen as the end of its
 * socket.
 */
#ifndef XENSTORED_DAEMON_HELPER_H
#define XENSTORED_DAEMON_HELPER_H

#include <stddef.h>
#include <sys/types.h>

struct helper {
	pid_t pid; /* 0 = none */
	int fd;	   /* our end of the socket, close-on-exec */
};

/* The longest message, without descriptors. */
#define HELPER_TEXT_MAX 512u

/**
 * Start @file with @argv in a role.
 * @role: "check" or "guard"
 * @image_fd: crosses to it under the same number
 * @virq_port: see struct inheritance
 * Returns 0 or a negative errno.
 */
int helper_start(struct helper *helper, const char *file, char **argv, const char *role,
		 int image_fd, unsigned int virq_port);

/** End it, if it is there. Its status is still to be taken. */
void helper_kill(struct helper *helper);

/**
 * Send a message on a helper's socket, from either end. Does not wait: -EAGAIN says that the other
 * end has not read for long. Returns 0 or a negative errno.
 */
int helper_say(int fd, const void *message, size_t len);

/**
 * Receive a message within @ms, 0 = only what is there, -1 = for ever. Returns its length, 0: the
 * other end is gone, -EAGAIN: there is none, or another negative errno.
 */
ssize_t helper_hear(int fd, void *message, size_t size, int ms);

#endif
