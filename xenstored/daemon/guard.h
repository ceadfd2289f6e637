/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guard: the old program, standing by with the image and the descriptors
 * until the new one says that it serves.
 *
 *      old process  --- spawns guard --- exec ---> new program --- "serving" --> guard exits
 *                                                       \
 *                                                        dies, or is silent: the guard kills
 *                                                        it and becomes the daemon
 *
 * So an update can be refused, but cannot lose a host. How many seconds the new one
 * may take can be set by the environment variable XENSTORED_UPDATE_SECONDS.
 *
 * A foreign program does not say anything. Its guard is nobody's child, so that
 * it leaves nothing behind there, watches the process, and asks the socket as
 * any client does: the first answer means that it serves (guard-foreign.c).
 */
#ifndef XENSTORED_DAEMON_GUARD_H
#define XENSTORED_DAEMON_GUARD_H

#include <stdbool.h>
#include <sys/types.h>

/* What an updated or guarding process inherits, told by an environment variable. */
struct inheritance {
	bool update;  /* this process was started by a live update of our own kind */
	bool guard;   /* this process is to stand by */
	bool check;   /* this process is to try the image and to exit */
	int image_fd; /* the image */
	int status_fd; /* update: where to say "serving"; guard: where to hear it */
	int ready_fd;  /* guard: where to say that it stands by */
	pid_t pid;     /* guard: whom it guards */
	unsigned int virq_port; /* bound for VIRQ_DOM_EXC already, 0 = none */
	bool foreign;	      /* guard: the new program is a foreign one; stays set when it takes over */
	int listen_fd;	      /* foreign: the listening socket */
	unsigned int seconds; /* foreign: how long it may take */
	bool has_nodes;	      /* foreign: its store is not empty, if all is well */
	char failure[200]; /* guard that took over: why */
};

/** Read the environment variable and remove it. */
void inheritance_read(struct inheritance *inheritance);

/**
 * Start a guard of this process.
 * @argv: of this process; the guard gets the same, so that it can become the daemon
 * @virq_port: see struct inheritance
 * @status_fd: set to the descriptor on which "serving" or "cancelled" is to be said; it crosses
 *             the exec
 * Returns 0 when the guard stands by, or a negative errno.
 */
int guard_start(char **argv, int image_fd, unsigned int virq_port, int *status_fd);

/**
 * The same for a foreign program. @status_fd does not cross the exec: its end says that the program
 * has been replaced.
 * @listen_fd: the listening socket
 * @seconds: how long the program may take, of guard_seconds()
 * @has_nodes: "/" has children
 */
int guard_start_foreign(char **argv, int image_fd, int listen_fd, unsigned int seconds,
			bool has_nodes, int *status_fd);

/** How many seconds a new program may take to serve, if it needs @more than usual. */
unsigned int guard_seconds(unsigned int more);

/**
 * Start the program @file to try the image. Returns its pid or a negative errno.
 */
pid_t checker_start(const char *file, int image_fd);

/** As the guard: wait. Returns when this process has to become the daemon; exits otherwise. */
void guard_wait(struct inheritance *inheritance);

/** guard_wait() for a foreign program. */
void guard_wait_foreign(struct inheritance *inheritance);

/** End the guarded process, and wait for that. @pidfd is closed; negative: there is none. */
void guard_end_process(int pidfd);

/** Say that the new program serves, or that the update was cancelled. Closes @status_fd. */
void guard_serving(int status_fd);
void guard_cancel(int status_fd);

/** The environment variable for the new program. */
int guard_export(int image_fd, int status_fd, unsigned int virq_port);
void guard_unexport(void);

#endif
