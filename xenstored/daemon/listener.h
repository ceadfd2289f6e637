/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server socket.
 *
 * A socket file outlives the daemon that made it, so an existing one may be a leftover or a
 * running daemon's front door. Asking (connect) is the only way to know. Two daemons that start at
 * once must not both find a leftover and remove each other's new socket, so everything from the
 * question to listen() happens under a lock on the socket's directory; afterwards the listening
 * socket itself is the answer to the next one's question and the lock is not needed any more.
 */
#ifndef XENSTORED_DAEMON_LISTENER_H
#define XENSTORED_DAEMON_LISTENER_H

struct listener {
	int fd;		 /* listening, non-blocking, close-on-exec; -1 = none */
	char error[384]; /* after a result other than 0: what is wrong, for a message */
};

#define LISTENER_INIT                                                                              \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/* Another daemon's rights are not an error of ours: a positive result. */
enum listener_result {
	LISTENER_OK = 0,
	LISTENER_RUNNING, /* somebody serves on that path; it was left alone */
};

/**
 * Makes a stream socket at @path (mode 0600) and listens with the largest backlog. A leftover
 * socket file is removed; anything else of that name is not (-EEXIST). The directory must
 * exist (paths_make_directory()).
 *
 * Returns LISTENER_OK, LISTENER_RUNNING or a negative errno, among them -ENAMETOOLONG for a path
 * that does not fit a socket address and -EBUSY when the directory stays locked by others.
 */
int listener_open(struct listener *listener, const char *path);

/** Takes over @fd, the listening socket of an earlier process image. Returns 0 or -errno. */
int listener_adopt(struct listener *listener, int fd);

/** Closes the socket. The socket file stays: without a listener it is a leftover. */
void listener_close(struct listener *listener);

#endif
