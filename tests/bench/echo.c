/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The floor: what the transport alone costs.
 *
 * epoll, one read and one write for each wake-up, replies of the right type and size, no
 * store.  A daemon that does nothing but its job cannot be cheaper than this by much, so
 * distances from it are comparable between machines.  Events are never sent, transactions all
 * have the same number, every value is the standard one.
 */
#define _GNU_SOURCE 1
#include "echo.h"
#include "fail.h"
#include "wire.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BUFFER 32768u
#define READY  64

struct peer {
	int fd;
	size_t len; /* bytes of an incomplete message at the start of in */
	unsigned char in[BUFFER];
};

static unsigned char out[2 * BUFFER];

/* Put the reply to one message at the end of out; returns the new end. */
static size_t answer(const struct wire_header *request, size_t end)
{
	struct wire_header header = *request;
	const char *payload = "OK";

	header.len = 3;
	if (request->type == XS_READ) {
		payload = value_text(VALUE_SIZE);
		header.len = VALUE_SIZE;
	} else if (request->type == XS_TRANSACTION_START) {
		payload = "1";
		header.len = 2;
	}
	memcpy(out + end, &header, WIRE_HEADER);
	memcpy(out + end + WIRE_HEADER, payload, header.len);
	return end + WIRE_HEADER + header.len;
}

static void put_all(int fd, size_t len)
{
	size_t sent = 0;

	while (sent < len) {
		ssize_t n = send(fd, out + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0) {
			sent += (size_t)n;
		} else if (errno == EAGAIN) {
			struct pollfd wait = {.fd = fd, .events = POLLOUT};

			poll(&wait, 1, -1);
		} else {
			/* The client has gone; the next read says so again. */
			return;
		}
	}
}

/* One read, all the answers, one write.  False if the connection is finished. */
static int turn(struct peer *peer)
{
	struct wire_header header;
	size_t at = 0, end = 0;
	ssize_t n = recv(peer->fd, peer->in + peer->len, sizeof(peer->in) - peer->len, 0);

	if (n <= 0)
		return 0;
	peer->len += (size_t)n;
	while (peer->len - at >= WIRE_HEADER) {
		memcpy(&header, peer->in + at, WIRE_HEADER);
		if (header.len > WIRE_PAYLOAD)
			return 0;
		if (peer->len - at < WIRE_HEADER + header.len)
			break;
		at += WIRE_HEADER + header.len;
		if (end + WIRE_HEADER + VALUE_SIZE > sizeof(out)) {
			put_all(peer->fd, end);
			end = 0;
		}
		end = answer(&header, end);
	}
	if (peer->len > at && at > 0)
		memmove(peer->in, peer->in + at, peer->len - at);
	peer->len -= at;
	put_all(peer->fd, end);
	return 1;
}

static void greet(int epoll, int listener)
{
	struct peer *peer = malloc(sizeof(*peer));
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};

	if (!peer)
		fail("out of memory");
	peer->len = 0;
	peer->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (peer->fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, peer->fd, &event) < 0)
		fail("accept: %s", strerror(errno));
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		fail("socket path too long: %s", path);
	strcpy(address.sun_path, path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, SOMAXCONN) < 0)
		fail("%s: %s", path, strerror(errno));
	return fd;
}

void echo_serve(const char *path)
{
	struct epoll_event ready[READY], event = {.events = EPOLLIN};
	int listener, epoll = epoll_create1(EPOLL_CLOEXEC);

	fail_scenario("echo server");
	listener = listen_at(path);
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0)
		fail("epoll: %s", strerror(errno));
	for (;;) {
		int n = epoll_wait(epoll, ready, READY, -1);

		for (int i = 0; i < n; i++) {
			struct peer *peer = ready[i].data.ptr;

			if (!peer) {
				greet(epoll, listener);
			} else if (!turn(peer)) {
				close(peer->fd);
				free(peer);
			}
		}
	}
}
