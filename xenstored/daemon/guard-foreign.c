/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guard of a foreign program, which knows nothing of it. The process can be
 * watched, and its socket can be asked: a xenstored answers when it has read its
 * state and serves. One that serves an empty store has lost the state, as some do
 * when they misread it.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdint.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "bytes/wire.h"
#include "daemon/guard.h"

/* How soon an attempt to ask is made again. */
#define AGAIN_MS 20

/* The question under way. */
struct probe {
	struct sockaddr_un address;
	socklen_t address_len;
	int fd; /* -1 = not connected */
	struct wire_header header;
	size_t got; /* bytes of the header of the answer */
};

enum outcome { OUTCOME_WAIT, OUTCOME_SERVES, OUTCOME_EMPTY };

static void hang_up(struct probe *probe)
{
	if (probe->fd >= 0)
		close(probe->fd);
	probe->fd = -1;
	probe->got = 0;
}

/* Connect and ask; what does not work now is tried again later. */
static void ask(struct probe *probe)
{
	struct {
		struct wire_header header;
		char payload[2];
	} question = {.header = {.type = XS_DIRECTORY, .req_id = 1, .len = 2}, .payload = "/"};
	const size_t len = sizeof(question.header) + sizeof(question.payload);

	probe->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe->fd < 0)
		return;
	if (connect(probe->fd, (const struct sockaddr *)&probe->address, probe->address_len) ||
	    send(probe->fd, &question, len, MSG_NOSIGNAL) != (ssize_t)len)
		hang_up(probe);
}

static enum outcome listen_for_answer(struct probe *probe, const struct inheritance *inheritance)
{
	ssize_t got = read(probe->fd, (char *)&probe->header + probe->got,
			   sizeof(probe->header) - probe->got);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return OUTCOME_WAIT;
	if (got <= 0) {
		hang_up(probe);
		return OUTCOME_WAIT;
	}
	probe->got += (size_t)got;
	if (probe->got < sizeof(probe->header))
		return OUTCOME_WAIT;
	/* Whatever it is, it was an answer; only one that lists nothing is suspect. */
	if (probe->header.type == XS_DIRECTORY && !probe->header.len && inheritance->has_nodes)
		return OUTCOME_EMPTY;
	return OUTCOME_SERVES;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait until it serves. Returns why it does not, or NULL. */
static const char *watch_process(struct probe *probe, const struct inheritance *inheritance,
				 int pidfd)
{
	int64_t end = now_ms() + (int64_t)inheritance->seconds * 1000;

	while (now_ms() < end) {
		struct pollfd poller[2] = {{.fd = pidfd, .events = POLLIN},
					   {.fd = probe->fd, .events = POLLIN}};

		if (poll(poller, 2, AGAIN_MS) < 0 && errno != EINTR)
			return "The guard could not watch the new program; the old one goes on.";
		if (poller[0].revents)
			return "The new program ended before it served; the old one goes on.";
		if (probe->fd < 0)
			ask(probe);
		else if (poller[1].revents)
			switch (listen_for_answer(probe, inheritance)) {
			case OUTCOME_SERVES:
				return NULL;
			case OUTCOME_EMPTY:
				return "The new program lost the state; the old one goes on.";
			case OUTCOME_WAIT:
				break;
			}
	}
	return "The new program did not serve in time; the old one goes on.";
}

/* Until the program is replaced. Returns false when it is not going to be. */
static bool wait_for_exec(int status_fd)
{
	char what;
	ssize_t got;

	do {
		got = read(status_fd, &what, 1);
	} while (got < 0 && errno == EINTR);
	return got == 0;
}

void guard_wait_foreign(struct inheritance *inheritance)
{
	struct probe probe = {.fd = -1, .address_len = sizeof(probe.address)};
	int pidfd = pidfd_open(inheritance->pid, 0);
	const char *why;
	pid_t pid;

	if (pidfd < 0 || getsockname(inheritance->listen_fd, (struct sockaddr *)&probe.address,
				     &probe.address_len))
		_exit(1);
	pid = fork();
	if (pid)
		_exit(pid < 0);
	while (write(inheritance->ready_fd, "R", 1) < 0 && errno == EINTR)
		;
	close(inheritance->ready_fd);
	inheritance->ready_fd = -1;
	if (!wait_for_exec(inheritance->status_fd))
		_exit(0);
	why = watch_process(&probe, inheritance, pidfd);
	if (!why)
		_exit(0);
	hang_up(&probe);
	snprintf(inheritance->failure, sizeof(inheritance->failure), "%s", why);
	guard_end_process(pidfd);
	close(inheritance->status_fd);
	inheritance->status_fd = -1;
	inheritance->guard = false;
	inheritance->update = true;
}
