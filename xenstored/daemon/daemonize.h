/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Going to the background, without lying about it.
 *
 * Whoever starts the daemon sees a command that ends when the daemon serves, not before: the
 * original process stays until daemonize_ready(), and if the daemon ends earlier the original
 * process ends with the same status. Until then the daemon keeps the caller's stderr, so a
 * message about a failed start appears where the command was typed.
 *
 *	struct daemonize daemonize = DAEMONIZE_INIT;
 *
 *	daemonize_standard_fds();
 *	if (!foreground && daemonize_start(&daemonize) < 0)
 *		fatal(...);
 *	... open pid file, socket, ... (fatal() or exit() at will)
 *	daemonize_ready(&daemonize);
 */
#ifndef XENSTORED_DAEMON_DAEMONIZE_H
#define XENSTORED_DAEMON_DAEMONIZE_H

struct daemonize {
	int ready_fd; /* the way to the original process; -1 = in the foreground, or done */
};

#define DAEMONIZE_INIT                                                                             \
	{                                                                                          \
		.ready_fd = -1                                                                     \
	}

/**
 * Opens /dev/null for each of the descriptors 0, 1 and 2 that is closed, so that no file opened
 * later gets such a number and receives what is meant for a terminal. To be called first in
 * main(). Returns 0 or a negative errno.
 */
int daemonize_standard_fds(void);

/**
 * Forks twice; only the grandchild returns (0): in its own session without a way to get a
 * terminal, in directory "/", with umask 022. The original process does not return but waits as
 * described above; streams are flushed before, atexit handlers run in the daemon only. When it
 * cannot fork at all, the original returns a negative errno.
 *
 * Locks and threads do not survive this: call it before there are any.
 */
int daemonize_start(struct daemonize *daemonize);

/**
 * Says that the daemon serves: connects stdin, stdout and stderr to /dev/null and lets the
 * original process exit with status 0. Without a started @daemonize (foreground, or called
 * before) it does nothing. Returns 0 or a negative errno; the original process may be gone
 * without that being an error.
 */
int daemonize_ready(struct daemonize *daemonize);

#endif
