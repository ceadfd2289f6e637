/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Going to the background.
 *
 * The original process makes itself the reaper of orphaned descendants. So the daemon, orphaned
 * by the exit of the process in between, becomes its child again, and its exit status can be
 * waited for like any other; the socket pair only has to tell who it is, and "ready" from "ended".
 */
#include "daemon/daemonize.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The status of a start that failed without a status of its own. */
#define STATUS_FAILED 1

static const char ready_byte = 'R';

int daemonize_standard_fds(void)
{
	int fd;

	/* open() takes the lowest free number, so this fills the holes from below. */
	do {
		fd = open("/dev/null", O_RDWR | O_NOCTTY);
		if (fd < 0)
			return -errno;
	} while (fd <= STDERR_FILENO);
	close(fd);
	return 0;
}

static bool receive(int fd, void *data, size_t size)
{
	ssize_t length;

	do {
		length = recv(fd, data, size, MSG_WAITALL);
	} while (length < 0 && errno == EINTR);
	return length == (ssize_t)size;
}

/* 0 or a negative errno. The other end may be gone, which is no reason for a signal. */
static int transmit(int fd, const void *data, size_t size)
{
	ssize_t length;

	do {
		length = send(fd, data, size, MSG_NOSIGNAL);
	} while (length < 0 && errno == EINTR);
	return length < 0 ? -errno : 0;
}

static int wait_for(pid_t pid, int *status)
{
	while (waitpid(pid, status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* The exit status of the original process for a daemon that ended with wait status @status. */
static int status_of_the_dead(int status)
{
	if (WIFSIGNALED(status)) {
		fprintf(stderr, "%s: killed by signal %d (%s) before it was ready\n",
			program_invocation_short_name, WTERMSIG(status),
			strsignal(WTERMSIG(status)));
		return 128 + WTERMSIG(status);
	}
	/* A daemon that ended cannot be a successful start, whatever it says. */
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		return WEXITSTATUS(status);
	fprintf(stderr, "%s: ended before it was ready\n", program_invocation_short_name);
	return STATUS_FAILED;
}

__attribute__((noreturn)) static void original(int ready_fd, pid_t middle)
{
	pid_t daemon = -1;
	char byte = 0;
	int status = 0;

	if (wait_for(middle, &status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
			fprintf(stderr, "%s: cannot start in the background: %s\n",
				program_invocation_short_name, strerror(WEXITSTATUS(status)));
		_exit(STATUS_FAILED);
	}

	/* One that ended before it said its number leaves -1: any child, normally the only one. */
	if (receive(ready_fd, &daemon, sizeof(daemon)) && receive(ready_fd, &byte, 1) &&
	    byte == ready_byte)
		_exit(0);

	if (wait_for(daemon, &status) < 0) {
		fprintf(stderr, "%s: ended before it was ready\n", program_invocation_short_name);
		_exit(STATUS_FAILED);
	}
	_exit(status_of_the_dead(status));
}

int daemonize_start(struct daemonize *daemonize)
{
	int pair[2];
	pid_t pid;

	daemonize->ready_fd = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;

	/* Before the fork, or the daemon might be orphaned too early. Children do not inherit it.
	 */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) {
		int err = errno;

		close(pair[0]);
		close(pair[1]);
		return -err;
	}

	/* With an inherited SIG_IGN there would be no exit status to wait for. */
	signal(SIGCHLD, SIG_DFL);
	fflush(NULL);

	pid = fork();
	if (pid < 0) {
		int err = errno;

		close(pair[0]);
		close(pair[1]);
		return -err;
	}
	if (pid > 0) {
		close(pair[1]);
		original(pair[0], pid);
	}

	close(pair[0]);
	if (setsid() < 0)
		_exit(errno);
	pid = fork();
	if (pid < 0)
		_exit(errno);
	if (pid > 0)
		_exit(0);

	pid = getpid();
	transmit(pair[1], &pid, sizeof(pid));
	if (chdir("/") < 0) {
		fprintf(stderr, "%s: chdir /: %s\n", program_invocation_short_name,
			strerror(errno));
		_exit(STATUS_FAILED);
	}
	umask(022);
	daemonize->ready_fd = pair[1];
	return 0;
}

static int stdio_to_null(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);
	int ret = 0;

	if (fd < 0)
		return -errno;
	fflush(NULL);
	for (int standard = STDIN_FILENO; standard <= STDERR_FILENO; standard++) {
		if (dup2(fd, standard) < 0)
			ret = -errno;
	}
	if (fd > STDERR_FILENO)
		close(fd);
	return ret;
}

int daemonize_ready(struct daemonize *daemonize)
{
	int ret, sent;

	if (daemonize->ready_fd < 0)
		return 0;

	ret = stdio_to_null();
	sent = transmit(daemonize->ready_fd, &ready_byte, 1);
	/* EPIPE: somebody stopped the waiting command. The daemon is none the worse for it. */
	if (sent < 0 && sent != -EPIPE && !ret)
		ret = sent;
	close(daemonize->ready_fd);
	daemonize->ready_fd = -1;
	return ret;
}
