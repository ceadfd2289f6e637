/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pid file: who runs, and a lock that says that he still does.
 *
 * The lock is a POSIX record lock over the whole file, held as long as the process lives. It
 * belongs to the process, not to the descriptor. That has three consequences for the caller:
 * open the pid file after the last fork; never open and close the same file elsewhere in the
 * process (closing any descriptor of it drops the lock); and an exec keeps the lock if the
 * descriptor is kept, which is how it survives a live update (pidfile_adopt()).
 */
#ifndef XENSTORED_DAEMON_PIDFILE_H
#define XENSTORED_DAEMON_PIDFILE_H

#include <sys/types.h>

struct pidfile {
	int fd;	      /* -1 = none */
	pid_t holder; /* after PIDFILE_LOCKED: who has the lock, 0 if that cannot be told */
};

#define PIDFILE_INIT                                                                               \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/* What the other process is doing is not an error of ours: a positive result. */
enum pidfile_result {
	PIDFILE_OK = 0,
	PIDFILE_LOCKED, /* another process holds the lock, see pidfile->holder */
};

/**
 * Opens or creates @path (mode 0600, close-on-exec), locks it and writes the process id and a
 * newline. @pidfile must be PIDFILE_INIT or closed.
 *
 * Returns PIDFILE_OK, PIDFILE_LOCKED (the file is unchanged, nothing is left open) or a negative
 * errno.
 */
int pidfile_open(struct pidfile *pidfile, const char *path);

/**
 * Takes over @fd, which an earlier process image of this process had opened, and renews
 * lock and content. On failure @fd stays the caller's. Results as of pidfile_open().
 */
int pidfile_adopt(struct pidfile *pidfile, int fd);

/** Gives the lock up. The file stays, as users of the name expect. */
void pidfile_close(struct pidfile *pidfile);

#endif
