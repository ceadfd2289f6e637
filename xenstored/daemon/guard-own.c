/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guard of a program of our own kind. It is started while the daemon serves, so what it needs
 * besides the image is handed over at the last moment: duplicates of all descriptors that the image
 * names. The numbers they had there are kept in a table.
 *
 *      'R'                 it stands by
 *      'D' numbers         these descriptors, in the same packet
 *      'X'                 that was all, and the program is replaced now
 *      'S'                 the new program serves
 *
 * The end of the socket before 'X' is the end of the update; after it, that of the new program.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/guard.h"

/* The kernel takes 253 descriptors in one message. */
#define AT_ONCE 200

/* Larger numbers are no descriptors of ours. */
#define NUMBER_MAX (1 << 24)

struct packet {
	char kind;
	int32_t number[AT_ONCE];
} __attribute__((packed));

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(AT_ONCE * sizeof(int))];
};

int guard_start(struct helper *guard, char **argv, int image_fd, unsigned int virq_port)
{
	return helper_start(guard, "/proc/self/exe", argv, "guard", image_fd, virq_port);
}

int guard_ready(struct helper *guard)
{
	char what;
	ssize_t len = helper_hear(guard->fd, &what, 1, 0);

	if (len == -EAGAIN)
		return 0;
	return len == 1 && what == 'R' ? 1 : -ECHILD;
}

static int send_some(int fd, const int *numbers, size_t count)
{
	struct packet packet = {.kind = 'D'};
	struct iovec part = {&packet, 1 + count * sizeof(packet.number[0])};
	union control control;
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control};
	ssize_t sent;

	memset(&control, 0, sizeof(control));
	message.msg_controllen = CMSG_SPACE(count * sizeof(int));
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(&control.header), numbers, count * sizeof(int));
	for (size_t i = 0; i < count; i++)
		packet.number[i] = numbers[i];
	do {
		sent = sendmsg(fd, &message, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

int guard_hand_over(struct helper *guard, const int *fd, size_t count)
{
	const struct timeval patience = {.tv_sec = 2};
	int error = 0;

	/* A guard that does not read must not hold the daemon up. */
	setsockopt(guard->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	for (size_t n; count && !error; fd += n, count -= n) {
		n = count < AT_ONCE ? count : AT_ONCE;
		error = send_some(guard->fd, fd, n);
	}
	return error;
}

int guard_watch(struct helper *guard)
{
	return helper_say(guard->fd, "X", 1);
}

static int keep(struct inheritance *inheritance, int32_t number, int fd)
{
	if (number < 0 || number > NUMBER_MAX)
		return -EINVAL;
	if ((size_t)number >= inheritance->given_size) {
		size_t size = 2 * ((size_t)number + 1);
		int *given = realloc(inheritance->given, size * sizeof(*given));

		if (!given)
			return -ENOMEM;
		for (size_t i = inheritance->given_size; i < size; i++)
			given[i] = -1;
		inheritance->given = given;
		inheritance->given_size = size;
	}
	inheritance->given[number] = fd;
	return 0;
}

int inheritance_take(struct inheritance *inheritance, int number)
{
	int fd;

	if (!inheritance->given || number < 0)
		return number;
	if ((size_t)number >= inheritance->given_size)
		return -1;
	fd = inheritance->given[number];
	inheritance->given[number] = -1;
	return fd;
}

void inheritance_close_rest(struct inheritance *inheritance)
{
	for (size_t i = 0; i < inheritance->given_size; i++)
		if (inheritance->given[i] >= 0)
			close(inheritance->given[i]);
	free(inheritance->given);
	inheritance->given = NULL;
	inheritance->given_size = 0;
}

/* One packet. Returns its kind, 0: the end of the socket, or a negative errno. */
static int receive(struct inheritance *inheritance)
{
	struct packet packet;
	struct iovec part = {&packet, sizeof(packet)};
	union control control;
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	struct cmsghdr *header;
	size_t count = 0;
	ssize_t len;

	do {
		len = recvmsg(inheritance->status_fd, &message, MSG_CMSG_CLOEXEC);
	} while (len < 0 && errno == EINTR);
	if (len <= 0)
		return len < 0 && errno != ECONNRESET ? -errno : 0;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_type == SCM_RIGHTS)
		count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	if (packet.kind == 'D' && ((message.msg_flags & MSG_CTRUNC) ||
				   (size_t)len != 1 + count * sizeof(packet.number[0])))
		return -EMFILE;
	for (size_t i = 0; i < count; i++) {
		int fd, error;

		memcpy(&fd, CMSG_DATA(header) + i * sizeof(fd), sizeof(fd));
		error = keep(inheritance, packet.number[i], fd);
		if (error)
			return error;
	}
	return packet.kind;
}

/* Until the program is replaced. Anything else than that ends the guard. */
static void wait_for_exec(struct inheritance *inheritance)
{
	int what;

	do {
		what = receive(inheritance);
	} while (what == 'D');
	if (what != 'X')
		_exit(what < 0);
}

/* Somebody wants the daemon to end, and it was about to hear of it. */
static bool is_to_end(pid_t pid)
{
	char path[64], line[256];
	unsigned long long pending, all = 0;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	status = fopen(path, "re");
	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "SigPnd: %llx", &pending) == 1 ||
		    sscanf(line, "ShdPnd: %llx", &pending) == 1)
			all |= pending;
	if (status)
		fclose(status);
	return all & (1ULL << (SIGTERM - 1) | 1ULL << (SIGINT - 1));
}

void guard_wait_own(struct inheritance *inheritance)
{
	int pidfd = pidfd_open(inheritance->pid, 0);
	bool end;
	char what;
	ssize_t len;

	/* Without means to end the new program there is nothing to stand by for. */
	if (pidfd < 0 || helper_say(inheritance->status_fd, "R", 1))
		_exit(1);
	wait_for_exec(inheritance);
	len = helper_hear(inheritance->status_fd, &what, 1, (int)guard_seconds(0) * 1000);
	if (len > 0)
		_exit(0);
	snprintf(inheritance->failure, sizeof(inheritance->failure),
		 len == -EAGAIN ? "The new program did not serve in time; the old one goes on."
				: "The new program ended before it served; the old one goes on.");
	end = is_to_end(inheritance->pid);
	guard_end_process(pidfd);
	if (end)
		_exit(0);
	close(inheritance->status_fd);
	inheritance->status_fd = -1;
	inheritance->guard = false;
	inheritance->update = true;
}
