/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The floor: what the transport alone costs.
 *
 * epoll, one read and one write for each wake-up, replies of the right type and size, no
 * store.  A daemon that does nothing but its job cannot be cheaper than this by much, so
 * distances from it are comparable between machines.  Transactions all have the same number,
 * every value is the standard one, and every WRITE is an event for every watch, whatever the
 * paths: an event costs one write to its connection, which is the floor of a fan-out.
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

/* A watch: where to send events, and the whole event. */
struct watch {
	struct watch *next;
	int fd;
	size_t len;
	unsigned char event[WIRE_HEADER + WIRE_PAYLOAD];
};

static unsigned char out[2 * BUFFER];
static struct watch *watches;

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

static void put_all(int fd, const unsigned char *bytes, size_t len)
{
	size_t sent = 0;

	while (sent < len) {
		ssize_t n = send(fd, bytes + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

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

static struct watch *add_watch(int fd, const struct wire_header *request,
			       const unsigned char *payload)
{
	struct watch *watch = malloc(sizeof(*watch));
	struct wire_header header = {.type = XS_WATCH_EVENT, .len = request->len};

	if (!watch)
		fail("out of memory");
	watch->fd = fd;
	watch->len = WIRE_HEADER + request->len;
	memcpy(watch->event, &header, WIRE_HEADER);
	memcpy(watch->event + WIRE_HEADER, payload, request->len);
	watch->next = watches;
	watches = watch;
	return watch;
}

static void drop_watches(int fd)
{
	for (struct watch **at = &watches; *at;) {
		struct watch *watch = *at;

		if (watch->fd == fd) {
			*at = watch->next;
			free(watch);
		} else {
			at = &watch->next;
		}
	}
}

/* One read, all the answers, one write.  False if the connection is finished. */
static int turn(struct peer *peer)
{
	struct watch *fresh = NULL;
	struct wire_header header;
	size_t at = 0, end = 0, events = 0;
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
		if (header.type == XS_WATCH)
			fresh = add_watch(peer->fd, &header, peer->in + at + WIRE_HEADER);
		events += header.type == XS_WRITE;
		at += WIRE_HEADER + header.len;
		if (end + WIRE_HEADER + VALUE_SIZE > sizeof(out)) {
			put_all(peer->fd, out, end);
			end = 0;
		}
		end = answer(&header, end);
	}
	if (peer->len > at && at > 0)
		memmove(peer->in, peer->in + at, peer->len - at);
	peer->len -= at;
	put_all(peer->fd, out, end);
	/* The first event of a watch; one watch at a time is all that the scenarios make. */
	if (fresh)
		put_all(peer->fd, fresh->event, fresh->len);
	for (; events > 0; events--)
		for (struct watch *watch = watches; watch; watch = watch->next)
			put_all(watch->fd, watch->event, watch->len);
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
				drop_watches(peer->fd);
				close(peer->fd);
				free(peer);
			}
		}
	}
}
