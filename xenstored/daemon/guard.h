/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guard: the old program, standing by with the image and the descriptors
 * until the new one says that it serves.
 *
 *      old process -- starts guard, writes image -- hands over -- exec --> new program
 *                         |                            |                      |      \
 *                       guard: stands by           descriptors  <--- "serving"     dies, or is
 *                                                                  exits          silent: the
 *                                                        guard kills it and becomes the daemon
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

#include "daemon/helper.h"

/* What an updated or guarding process inherits, told by an environment variable. */
struct inheritance {
	bool update;		/* this process was started by a live update of our own kind */
	bool guard;		/* this process is to stand by */
	bool check;		/* this process is to check the image and to exit */
	int image_fd;		/* the image */
	int status_fd;		/* update: where to say "serving"; helper: its end of the socket */
	int ready_fd;		/* guard of a foreign program: where to say that it stands by */
	pid_t pid;		/* guard: whom it guards */
	unsigned int virq_port; /* bound for VIRQ_DOM_EXC already, 0 = none */
	bool foreign;  /* guard: the new program is a foreign one; stays set when it takes over */
	int listen_fd; /* foreign: the listening socket */
	unsigned int seconds; /* foreign: how long it may take */
	bool has_nodes;	      /* foreign: its store is not empty, if all is well */
	char failure[200];    /* guard that took over: why */
	/* Guard of our own kind: by number in the image, the descriptor that was handed over. */
	int *given;
	size_t given_size;
};

/**
 * Tell a process that is about to be started what it inherits.
 * @role: "update", "guard" or "check"; for the others see struct inheritance
 * Returns 0 or a negative errno.
 */
int inheritance_export(const char *role, int image_fd, int status_fd, int ready_fd, pid_t pid,
		       unsigned int virq_port);
void inheritance_unexport(void);

/** The descriptor that an image means by @number, which is the caller's then; -1: there is none. */
int inheritance_take(struct inheritance *inheritance, int number);

/** Close what was handed over and not taken. */
void inheritance_close_rest(struct inheritance *inheritance);

/** Read the environment variable and remove it. */
void inheritance_read(struct inheritance *inheritance);

/**
 * Start a guard of this process, for a program of our own kind; it stands by a little later.
 * @argv: of this process; the guard gets the same, so that it can become the daemon
 * @image_fd: the image, which need not be complete
 * @virq_port: see struct inheritance
 * Returns 0 or a negative errno.
 */
int guard_start(struct helper *guard, char **argv, int image_fd, unsigned int virq_port);

/** Returns 1: it stands by; 0: not yet; a negative errno: it has ended. */
int guard_ready(struct helper *guard);

/**
 * Hand @count descriptors that the image names over. Returns 0 or a negative errno, after which the
 * program must not be replaced.
 */
int guard_hand_over(struct helper *guard, const int *fd, size_t count);

/** The image is complete, and the program is replaced now. Returns as guard_hand_over(). */
int guard_watch(struct helper *guard);

/**
 * Start the guard of a foreign program; when this returns it stands by.
 * @status_fd: set to the descriptor on which "cancelled" is to be said. It does not cross the exec:
 *             its end says that the program has been replaced.
 * @listen_fd: the listening socket
 * @seconds: how long the program may take, of guard_seconds()
 * @has_nodes: "/" has children
 */
int guard_start_foreign(char **argv, int image_fd, int listen_fd, unsigned int seconds,
			bool has_nodes, int *status_fd);

/**
 * How many seconds a new program may take to serve, if it needs @more than usual; and as long the
 * helpers may take to be ready.
 */
unsigned int guard_seconds(unsigned int more);

/** As the guard: wait. Returns when this process has to become the daemon; exits otherwise. */
void guard_wait(struct inheritance *inheritance);

/** guard_wait() for a program of our own kind, and for a foreign one. */
void guard_wait_own(struct inheritance *inheritance);
void guard_wait_foreign(struct inheritance *inheritance);

/** End the guarded process, and wait for that. @pidfd is closed; negative: there is none. */
void guard_end_process(int pidfd);

/** Say that the new program serves, or that the update was cancelled. Closes @status_fd. */
void guard_serving(int status_fd);
void guard_cancel(int status_fd);

#endif
