/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Non-blocking Unix sockets as transports. */
#include "daemon/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/core.h"

/* Connections taken in one turn, so that a crowd at the door does not stop the others. */
#define ACCEPT_AT_ONCE 16

/* When to look again at the door, if nobody leaves. */
#define RETRY_MS 1000

/* How often the administrator is told of it: each client that goes lets one in, and no more. */
#define TELL_MS 10000

struct socket_transport {
	struct transport base;
	struct loop_source source;
	struct sockets *sockets;
	struct client *client;
	bool wants_output; /* the peer does not take what we have: tell when it does */
};

static ssize_t socket_receive(struct transport *transport, void *data, size_t len)
{
	struct socket_transport *socket = (struct socket_transport *)transport;
	ssize_t got;

	do {
		got = recv(socket->source.fd, data, len, MSG_DONTWAIT);
	} while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

static ssize_t socket_send(struct transport *transport, const void *data, size_t len)
{
	struct socket_transport *socket = (struct socket_transport *)transport;
	ssize_t sent;

	do {
		sent = send(socket->source.fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0)
		sent = -errno;
	/* Room for output is of interest only where there was none: most peers read at once. */
	if ((sent == -EAGAIN || (sent >= 0 && (size_t)sent < len)) && !socket->wants_output) {
		socket->wants_output = true;
		loop_want_output(socket->sockets->loop, &socket->source, true);
	}
	return sent;
}

static void socket_fail(struct transport *transport, int error)
{
	(void)transport;
	(void)error;
}

static void socket_close(struct transport *transport)
{
	struct socket_transport *socket = (struct socket_transport *)transport;
	struct sockets *sockets = socket->sockets;

	loop_remove(sockets->loop, &socket->source);
	close(socket->source.fd);
	free(socket);
	if (sockets->full) {
		sockets->full = false;
		loop_enable(sockets->loop, &sockets->source, true);
	}
}

static void socket_describe(struct transport *transport, struct transport_place *place)
{
	place->fd = ((struct socket_transport *)transport)->source.fd;
	place->port = 0;
}

static const struct transport_ops socket_ops = {
	.receive = socket_receive,
	.send = socket_send,
	.fail = socket_fail,
	.close = socket_close,
	.describe = socket_describe,
};

static void socket_ready(struct loop *loop, struct loop_source *source, uint32_t events)
{
	struct socket_transport *socket = source->data;

	if ((events & EPOLLOUT) && socket->wants_output) {
		socket->wants_output = false;
		loop_want_output(loop, source, false);
	}
	core_ready(loop->core, socket->client,
		   events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR),
		   events & (EPOLLOUT | EPOLLHUP | EPOLLERR),
		   events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
}

/* Who connected, for the administrator who asks later. */
static void log_peer(struct core *core, const struct client *client, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		core_trace(core, LOG_OBJ, "PEER connection %llu pid %d uid %u gid %u",
			   (unsigned long long)client->id, (int)peer.pid, (unsigned int)peer.uid,
			   (unsigned int)peer.gid);
}

/* A client on the connected socket @fd; NULL: it could not be kept. */
static struct client *add_client(struct sockets *sockets, int fd)
{
	struct socket_transport *socket = calloc(1, sizeof(*socket));
	int error;

	if (!socket) {
		close(fd);
		return NULL;
	}
	socket->base.ops = &socket_ops;
	socket->sockets = sockets;
	socket->source.fd = fd;
	socket->source.data = socket;
	socket->source.ready = socket_ready;
	error = loop_add(sockets->loop, &socket->source, true);
	if (error) {
		/* One that is watched already is another connection's: an image named it twice. */
		if (error != -EEXIST)
			close(fd);
		free(socket);
		return NULL;
	}
	socket->client = core_accept(sockets->loop->core, &socket->base);
	if (!socket->client)
		return NULL;
	log_peer(sockets->loop->core, socket->client, fd);
	return socket->client;
}

struct client *sockets_adopt(struct sockets *sockets, int fd)
{
	int type = 0, flags = fcntl(fd, F_GETFL);
	socklen_t len = sizeof(type);

	/* The number comes out of an image: it must be a socket, and not one that is ours. */
	if (flags < 0 || fd == sockets->source.fd || fd == sockets->loop->epoll_fd ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) || type != SOCK_STREAM)
		return NULL;
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return add_client(sockets, fd);
}

static void accept_some(struct loop *loop, struct loop_source *source, uint32_t events)
{
	struct sockets *sockets = source->data;

	(void)events;
	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
		int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			add_client(sockets, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			/* Look again when somebody leaves, not in a busy loop. */
			if (!sockets->told || loop->core->now - sockets->told >= TELL_MS) {
				sockets->told = loop->core->now ? loop->core->now : 1;
				core_log(loop->core, LOG_ERR,
					 "Cannot accept more connections: %d open",
					 (int)loop->core->client_count);
			}
			sockets->full = true;
			sockets->retry_at = loop->core->now + RETRY_MS;
			loop_enable(loop, source, false);
		}
		if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

int sockets_retry(struct sockets *sockets)
{
	uint64_t now = sockets->loop->core->now;

	if (!sockets->full)
		return -1;
	if (now < sockets->retry_at)
		return (int)(sockets->retry_at - now);
	sockets->full = false;
	loop_enable(sockets->loop, &sockets->source, true);
	return -1;
}

int sockets_open(struct sockets *sockets, struct loop *loop, int fd)
{
	sockets->loop = loop;
	sockets->full = false;
	sockets->told = 0;
	sockets->source.fd = fd;
	sockets->source.ready = accept_some;
	sockets->source.data = sockets;
	return loop_add(loop, &sockets->source, false);
}
