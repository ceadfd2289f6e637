/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Spawning, waiting, taking over. */
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

extern char **environ;

#define VARIABLE "XENSTORED_INHERITANCE"

/* How long a new program may take to serve, and a guard to stand by. */
#define SERVE_VARIABLE "XENSTORED_UPDATE_SECONDS"
#define SERVE_SECONDS  60
#define SERVE_MAX      3600
#define READY_MS       10000

void inheritance_read(struct inheritance *inheritance)
{
	const char *text = getenv(VARIABLE);
	char role[16] = "";
	int pid = 0;

	memset(inheritance, 0, sizeof(*inheritance));
	inheritance->image_fd = inheritance->status_fd = inheritance->ready_fd = -1;
	if (text && sscanf(text, "%15[a-z] image=%d status=%d ready=%d pid=%d virq=%u", role,
			   &inheritance->image_fd, &inheritance->status_fd, &inheritance->ready_fd,
			   &pid, &inheritance->virq_port) == 6) {
		inheritance->update = !strcmp(role, "update");
		inheritance->guard = !strcmp(role, "guard");
		inheritance->check = !strcmp(role, "check");
		inheritance->pid = pid;
	}
	unsetenv(VARIABLE);
}

static int export_role(const char *role, int image_fd, int status_fd, int ready_fd, pid_t pid,
		       unsigned int virq_port)
{
	char text[128];

	snprintf(text, sizeof(text), "%s image=%d status=%d ready=%d pid=%d virq=%u", role, image_fd,
		 status_fd, ready_fd, (int)pid, virq_port);
	return setenv(VARIABLE, text, 1) ? -errno : 0;
}

int guard_export(int image_fd, int status_fd, unsigned int virq_port)
{
	return export_role("update", image_fd, status_fd, -1, 0, virq_port);
}

void guard_unexport(void)
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

int guard_start(char **argv, int image_fd, unsigned int virq_port, int *status_fd)
{
	int status[2], ready[2], error;
	posix_spawn_file_actions_t actions;
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
	error = export_role("guard", image_fd, status[0], ready[1], getpid(), virq_port);
	posix_spawn_file_actions_init(&actions);
	if (!error)
		error = -posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	guard_unexport();
	close(status[0]);
	close(ready[1]);
	if (!error) {
		error = wait_ready(ready[0]);
		if (error) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
		}
	}
	close(ready[0]);
	if (error) {
		close(status[1]);
		return error;
	}
	fcntl(status[1], F_SETFD, 0);
	*status_fd = status[1];
	return 0;
}

pid_t checker_start(const char *file, int image_fd)
{
	/* A word that any other xenstored refuses to start with. */
	char *argv[] = {(char *)(uintptr_t)file, (char *)(uintptr_t) "check-image", NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int error = export_role("check", image_fd, -1, -1, getpid(), 0);

	posix_spawn_file_actions_init(&actions);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&actions, image_fd, image_fd);
	if (!error)
		error = -posix_spawn(&pid, file, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	guard_unexport();
	return error ? error : pid;
}

static void say(int fd, char what)
{
	if (fd < 0)
		return;
	while (write(fd, &what, 1) < 0 && errno == EINTR)
		;
	close(fd);
}

void guard_serving(int status_fd)
{
	say(status_fd, 'S');
}

void guard_cancel(int status_fd)
{
	say(status_fd, 'C');
}

/*
 * The process must be gone before its clients are served by another. Its number may be in use for
 * longer, until its parent has asked for its status.
 */
static void end_process(int pidfd)
{
	struct pollfd poller = {.fd = pidfd, .events = POLLIN};

	if (pidfd < 0)
		return;
	pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	while (poll(&poller, 1, -1) < 0 && errno == EINTR)
		;
	close(pidfd);
}

static int serve_ms(void)
{
	const char *text = getenv(SERVE_VARIABLE);
	long seconds = text ? strtol(text, NULL, 10) : 0;

	return 1000 * (int)(seconds > 0 && seconds <= SERVE_MAX ? seconds : SERVE_SECONDS);
}

void guard_wait(struct inheritance *inheritance)
{
	struct pollfd poller = {.fd = inheritance->status_fd, .events = POLLIN};
	char what = 0;
	int count, pidfd = pidfd_open(inheritance->pid, 0);

	/* Without means to end the new program there is nothing to stand by for. */
	if (pidfd < 0)
		_exit(1);
	say(inheritance->ready_fd, 'R');
	inheritance->ready_fd = -1;
	do {
		count = poll(&poller, 1, serve_ms());
	} while (count < 0 && errno == EINTR);
	if (count > 0 && read(inheritance->status_fd, &what, 1) == 1)
		_exit(0);
	snprintf(inheritance->failure, sizeof(inheritance->failure),
		 count ? "The new program ended before it served; the old one goes on."
		       : "The new program did not serve in time; the old one goes on.");
	end_process(pidfd);
	close(inheritance->status_fd);
	inheritance->status_fd = -1;
	inheritance->guard = false;
	inheritance->update = true;
}
