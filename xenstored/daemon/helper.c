/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting helpers and talking with them. */
#include "daemon/helper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/guard.h"

extern char **environ;

int helper_start(struct helper *helper, const char *file, char **argv, const char *role,
		 int image_fd, unsigned int virq_port)
{
	posix_spawn_file_actions_t actions;
	int ends[2], error;

	helper->pid = 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	error = inheritance_export(role, image_fd, ends[1], -1, getpid(), virq_port);
	posix_spawn_file_actions_init(&actions);
	/* A descriptor that is put where it is already crosses. */
	if (!error)
		error = -posix_spawn_file_actions_adddup2(&actions, image_fd, image_fd);
	if (!error)
		error = -posix_spawn_file_actions_adddup2(&actions, ends[1], ends[1]);
	if (!error)
		error = -posix_spawn(&helper->pid, file, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	inheritance_unexport();
	close(ends[1]);
	helper->fd = ends[0];
	if (error) {
		helper->pid = 0;
		close(ends[0]);
	}
	return error;
}

void helper_kill(struct helper *helper)
{
	if (!helper->pid)
		return;
	kill(helper->pid, SIGKILL);
	close(helper->fd);
	helper->pid = 0;
}

int helper_say(int fd, const void *message, size_t len)
{
	ssize_t sent;

	do {
		sent = send(fd, message, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

ssize_t helper_hear(int fd, void *message, size_t size, int ms)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	ssize_t got;
	int count;

	do {
		count = poll(&poller, 1, ms);
	} while (count < 0 && errno == EINTR);
	if (count < 0)
		return -errno;
	if (!count)
		return -EAGAIN;
	do {
		got = recv(fd, message, size, 0);
	} while (got < 0 && errno == EINTR);
	/* One that ended with something still to be read has left a "reset". */
	return got >= 0 ? got : errno == ECONNRESET ? 0 : -errno;
}
