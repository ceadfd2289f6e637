/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signals as input of the event loop.
 *
 * SIGHUP asks for the trace log to be reopened. It is blocked and read from a descriptor like any
 * other input, so no handler ever interrupts the daemon. SIGPIPE is ignored: a client that is gone
 * is found out by the result of a write. All other signals keep their default action.
 *
 * A blocked signal stays blocked through an exec, and a program that does not expect that would
 * never see it; hence the pair of calls around the exec of a live update.
 */
#ifndef XENSTORED_DAEMON_SIGNALS_H
#define XENSTORED_DAEMON_SIGNALS_H

#include <signal.h>

struct signals {
	int fd; /* readable when a SIGHUP is there; close-on-exec, non-blocking; -1 = closed */
	sigset_t mask_before;
};

#define SIGNALS_INIT                                                                               \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/** Begins to receive. Returns 0 or a negative errno (nothing is changed then). */
int signals_open(struct signals *signals);

/** Ends it: SIGHUP has its default action again, and is not blocked. SIGPIPE stays ignored. */
void signals_close(struct signals *signals);

/**
 * Takes what has arrived. Returns 1 for a SIGHUP (several between two calls are one), 0 if there
 * was none, or a negative errno.
 */
int signals_read(struct signals *signals);

/**
 * Before an exec: SIGHUP is ignored and not blocked, which is what the new program finds. One that
 * arrives before it listens is lost instead of deadly.
 */
void signals_prepare_exec(struct signals *signals);

/** After an exec that failed: receive again. Returns 0 or a negative errno. */
int signals_resume(struct signals *signals);

/**
 * Have what would end the daemon, SIGTERM and SIGINT, wait, and let it in.
 *
 * Around the exec to a program of our own kind it waits until that one serves, so that it is not
 * taken for the new program's failure. It is pending through the exec; the second call is the new
 * program's to make, or this one's if the exec failed.
 */
void signals_hold_end(struct signals *signals);
void signals_let_end(struct signals *signals);

/**
 * Have @first called before one of them ends the daemon, once; NULL: nothing any more. For the exec
 * of a program that would not let in what waits; the exec undoes it.
 * @first: only does what is safe in a signal handler
 */
void signals_before_end(void (*first)(void));

/** Fill @set with the signals that are blocked now, but for the two: what a helper starts with. */
void signals_mask_for_helper(sigset_t *set);

#endif
