/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an updated or guarding process inherits; the guard of a foreign program is started. */
#include "daemon/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/signals.h"

extern char **environ;

#define VARIABLE "XENSTORED_INHERITANCE"

/* What follows for the guard of a foreign program. */
#define FOREIGN	       " foreign"
#define FOREIGN_FORMAT FOREIGN " listen=%d seconds=%u nodes=%d"

/* How long a new program may take to serve, and a guard to stand by. */
#define SERVE_VARIABLE "XENSTORED_UPDATE_SECONDS"
#define SERVE_SECONDS  60
#define SERVE_MAX      3600
#define READY_MS       10000

void inheritance_read(struct inheritance *inheritance)
{
	const char *text = getenv(VARIABLE);
	char role[16] = "";
	int pid = 0, has_nodes = 0;

	memset(inheritance, 0, sizeof(*inheritance));
	inheritance->image_fd = inheritance->status_fd = inheritance->ready_fd = -1;
	inheritance->listen_fd = -1;
	if (text && sscanf(text, "%15[a-z] image=%d status=%d ready=%d pid=%d virq=%u", role,
			   &inheritance->image_fd, &inheritance->status_fd, &inheritance->ready_fd,
			   &pid, &inheritance->virq_port) == 6) {
		const char *more = strstr(text, FOREIGN);

		inheritance->foreign = more && sscanf(more, FOREIGN_FORMAT, &inheritance->listen_fd,
						      &inheritance->seconds, &has_nodes) == 3;
		inheritance->has_nodes = has_nodes;
		inheritance->update = !strcmp(role, "update");
		inheritance->guard = !strcmp(role, "guard");
		inheritance->check = !strcmp(role, "check");
		inheritance->pid = pid;
	}
	unsetenv(VARIABLE);
}

int inheritance_export(const char *role, int image_fd, int status_fd, int ready_fd, pid_t pid,
		       unsigned int virq_port)
{
	char text[128];

	snprintf(text, sizeof(text), "%s image=%d status=%d ready=%d pid=%d virq=%u", role,
		 image_fd, status_fd, ready_fd, (int)pid, virq_port);
	return setenv(VARIABLE, text, 1) ? -errno : 0;
}

void inheritance_unexport(void)
{
	unsetenv(VARIABLE);
}

static int wait_ready(int fd)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	char byte;

	while (poll(&poller, 1, READY_MS) < 0)
		if (errno != EINTR)
			return -errno;
	return poller.revents && read(fd, &byte, 1) == 1 ? 0 : -ECHILD;
}

/* What the environment says more to the guard of a foreign program. */
static int export_foreign(int listen_fd, unsigned int seconds, bool has_nodes)
{
	char text[256];

	snprintf(text, sizeof(text), "%s" FOREIGN_FORMAT, getenv(VARIABLE), listen_fd, seconds,
		 has_nodes);
	return setenv(VARIABLE, text, 1) ? -errno : 0;
}

int guard_start_foreign(char **argv, int image_fd, int listen_fd, unsigned int seconds,
			bool has_nodes, int *status_fd)
{
	int status[2], ready[2], error;
	posix_spawnattr_t attributes;
	sigset_t mask;
	pid_t pid;

	if (pipe2(status, O_CLOEXEC))
		return -errno;
	if (pipe2(ready, O_CLOEXEC)) {
		error = -errno;
		close(status[0]);
		close(status[1]);
		return error;
	}
	/* The guard gets the reading end of one and the writing end of the other. */
	fcntl(status[0], F_SETFD, 0);
	fcntl(ready[1], F_SETFD, 0);
	error = inheritance_export("guard", image_fd, status[0], ready[1], getpid(), 0);
	if (!error)
		error = export_foreign(listen_fd, seconds, has_nodes);
	/* What is to end this process waits; the guard can be ended at any time. */
	signals_mask_for_helper(&mask);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &mask);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	if (!error)
		error = -posix_spawn(&pid, "/proc/self/exe", NULL, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	inheritance_unexport();
	close(status[0]);
	close(ready[1]);
	if (!error) {
		error = wait_ready(ready[0]);
		if (error)
			kill(pid, SIGKILL);
		/* The guard is nobody's child but this one's by now. */
		waitpid(pid, NULL, 0);
	}
	close(ready[0]);
	if (error) {
		close(status[1]);
		return error;
	}
	*status_fd = status[1];
	return 0;
}

static void say(int status_fd, char what)
{
	if (status_fd < 0)
		return;
	while (write(status_fd, &what, 1) < 0 && errno == EINTR)
		;
	close(status_fd);
}

/*
 * The process must be gone before its clients are served by another. Its number may be in use for
 * longer, until its parent has asked for its status.
 */
void guard_end_process(int pidfd)
{
	struct pollfd poller = {.fd = pidfd, .events = POLLIN};

	if (pidfd < 0)
		return;
	pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	while (poll(&poller, 1, -1) < 0 && errno == EINTR)
		;
	close(pidfd);
}

unsigned int guard_seconds(unsigned int more)
{
	const char *text = getenv(SERVE_VARIABLE);
	long seconds = text ? strtol(text, NULL, 10) : 0;

	if (seconds > 0 && seconds <= SERVE_MAX)
		return (unsigned int)seconds;
	return SERVE_SECONDS + (more < SERVE_MAX ? more : SERVE_MAX);
}

void guard_serving(int status_fd)
{
	say(status_fd, 'S');
}

void guard_cancel(int status_fd)
{
	say(status_fd, 'C');
}

void guard_wait(struct inheritance *inheritance)
{
	if (inheritance->foreign)
		guard_wait_foreign(inheritance);
	else
		guard_wait_own(inheritance);
}
