/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Evtchn connections. Each is what /dev/xen/evtchn is to a process: an event of
 * one of its ports masks the port and puts the number where the process reads it,
 * and the port stays silent until the process writes the number back. So at most
 * one event for each port waits, and a process that does not read costs a bounded
 * queue.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hypervisor/host/host.h"

/* A turn for one connection reads at most this much. */
#define READ_MAX 16384U

struct handle *handle_by_cookie(struct host *host, uint64_t cookie)
{
	for (struct handle *handle = host->handles; handle; handle = handle->next)
		if (handle->greeted && handle->cookie == cookie)
			return handle;
	return NULL;
}

struct handle *handle_of_port(struct host *host, uint32_t domid, uint32_t port)
{
	struct host_domain *domain;

	if (domid >= HV_DOMID_FIRST_RESERVED)
		return NULL;
	domain = &host->domains[domid];
	return port < domain->port_count ? domain->ports[port].handle : NULL;
}

static void handle_ready(struct host *host, struct source *source, uint32_t events);

struct handle *handle_new(struct host *host, int fd)
{
	struct handle *handle = calloc(1, sizeof(*handle));

	if (!handle)
		return NULL;
	handle->source = (struct source){fd, handle_ready};
	if (host_enter_source(host, &handle->source) < 0) {
		free(handle);
		return NULL;
	}
	handle->next = host->handles;
	handle->link = &host->handles;
	if (handle->next)
		handle->next->link = &handle->next;
	host->handles = handle;
	host->handle_count++;
	return handle;
}

int handle_own(struct host *host, struct handle *handle, uint32_t port, bool keeps_open)
{
	struct host_domain *domain = &host->domains[handle->domid];

	if (port >= domain->port_count) {
		uint32_t count = domain->port_count ? domain->port_count : 4;
		struct port_owner *grown;

		while (count <= port)
			count *= 2;
		grown = realloc(domain->ports, count * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		memset(grown + domain->port_count, 0,
		       (count - domain->port_count) * sizeof(*grown));
		domain->ports = grown;
		domain->port_count = count;
	}
	domain->ports[port] = (struct port_owner){handle, keeps_open};
	return 0;
}

int handle_attach(struct host *host, struct handle *handle, uint32_t port, bool keeps_open)
{
	int error = handle_own(host, handle, port, keeps_open);

	return error < 0 ? error : hv_evtchn_unmask(&host->hv, handle->domid, port);
}

void handle_detach(struct host *host, uint32_t domid, uint32_t port)
{
	struct host_domain *domain = &host->domains[domid];

	if (port < domain->port_count)
		domain->ports[port] = (struct port_owner){0};
	hv_evtchn_mask(&host->hv, domid, port);
}

static void mark_dirty(struct host *host, struct handle *handle)
{
	if (handle->dirty || handle->blocked)
		return;
	handle->dirty = true;
	handle->next_dirty = host->dirty;
	host->dirty = handle;
}

/* Room for one more in the queue. 0 or -ENOMEM. */
static int make_room(struct handle *handle)
{
	size_t room = handle->queue_room ? handle->queue_room * 2 : 16;
	uint32_t *grown;

	if (handle->queue_count < handle->queue_room)
		return 0;
	grown = malloc(room * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	for (size_t i = 0; i < handle->queue_count; i++)
		grown[i] = handle->queue[(handle->queue_start + i) % handle->queue_room];
	free(handle->queue);
	handle->queue = grown;
	handle->queue_room = room;
	handle->queue_start = 0;
	return 0;
}

int handle_queue(struct handle *handle, uint32_t port)
{
	int error = make_room(handle);

	if (!error)
		handle->queue[(handle->queue_start + handle->queue_count++) % handle->queue_room] =
			port;
	return error;
}

void handle_deliver(struct host *host, uint32_t domid, uint32_t port)
{
	struct handle *handle = handle_of_port(host, domid, port);

	if (!handle)
		return;
	if (make_room(handle) < 0) {
		host->missed = true;
		return;
	}
	hv_evtchn_mask(&host->hv, domid, port);
	if (hv_evtchn_take(&host->hv, domid, port) == 1 && handle_queue(handle, port) == 0)
		mark_dirty(host, handle);
}

void handle_deliver_all(struct host *host, uint32_t domid)
{
	for (uint32_t port = 1; port < host->domains[domid].port_count; port++) {
		struct hv_evtchn_status now;

		if (hv_evtchn_status(&host->hv, HV_DOMID_XEN, domid, port, &now) == 0 &&
		    now.pending && !now.masked)
			handle_deliver(host, domid, port);
	}
}

/* Sends as much of the queue as the socket takes. */
static void flush(struct host *host, struct handle *handle)
{
	while (handle->queue_count) {
		size_t run = handle->queue_room - handle->queue_start;
		const char *start = (const char *)&handle->queue[handle->queue_start];
		ssize_t sent;

		if (run > handle->queue_count)
			run = handle->queue_count;
		sent = send(handle->source.fd, start + handle->sent_bytes,
			    run * sizeof(uint32_t) - handle->sent_bytes,
			    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0) {
			/* Any other failure shows itself as the end of the connection. */
			if (errno == EAGAIN && !handle->blocked) {
				handle->blocked = true;
				host_change_source(host, &handle->source, EPOLLIN | EPOLLOUT);
			}
			return;
		}
		handle->sent_bytes += (size_t)sent;
		run = handle->sent_bytes / sizeof(uint32_t);
		handle->sent_bytes %= sizeof(uint32_t);
		handle->queue_start = (handle->queue_start + run) % handle->queue_room;
		handle->queue_count -= run;
	}
	if (handle->blocked) {
		handle->blocked = false;
		host_change_source(host, &handle->source, EPOLLIN);
	}
}

void handle_flush_dirty(struct host *host)
{
	while (host->dirty) {
		struct handle *handle = host->dirty;

		host->dirty = handle->next_dirty;
		handle->dirty = false;
		flush(host, handle);
	}
}

void handle_flush_all(struct host *host)
{
	for (struct handle *handle = host->handles; handle; handle = handle->next)
		if (handle->queue_count)
			mark_dirty(host, handle);
	handle_flush_dirty(host);
}

void handle_close(struct host *host, struct handle *handle)
{
	struct host_domain *domain = &host->domains[handle->domid];

	for (uint32_t port = 0; handle->greeted && port < domain->port_count; port++) {
		if (domain->ports[port].handle != handle)
			continue;
		if (domain->ports[port].keeps_open) {
			handle_detach(host, handle->domid, port);
		} else {
			domain->ports[port] = (struct port_owner){0};
			hv_evtchn_close(&host->hv, handle->domid, port);
		}
	}
	for (struct handle **link = &host->dirty; *link; link = &(*link)->next_dirty) {
		if (*link == handle) {
			*link = handle->next_dirty;
			break;
		}
	}
	host_drop_source(host, &handle->source);
	*handle->link = handle->next;
	if (handle->next)
		handle->next->link = handle->link;
	host->handle_count--;
	free(handle->queue);
	free(handle);
	host_settle(host);
}

/* One word from the process. A port that is not the handle's own is ignored. */
static void word(struct host *host, struct handle *handle, uint32_t value)
{
	uint32_t port = value & ~SIMXEN_EVTCHN_NOTIFY;

	if (handle_of_port(host, handle->domid, port) != handle)
		return;
	if (value & SIMXEN_EVTCHN_NOTIFY)
		hv_evtchn_send(&host->hv, handle->domid, port);
	else
		hv_evtchn_unmask(&host->hv, handle->domid, port);
	host_settle(host);
}

/* The connection's first message. False: not understood. */
static bool greet(struct host *host, struct handle *handle)
{
	struct simxen_evtchn_hello hello;
	uint32_t answer = 0;

	memcpy(&hello, handle->partial, sizeof(hello));
	handle->partial_length = 0;
	if (hello.protocol != SIMXEN_PROTOCOL || !hv_domain_find(&host->hv, hello.domid) ||
	    handle_by_cookie(host, hello.cookie))
		return false;
	handle->domid = hello.domid;
	handle->cookie = hello.cookie;
	handle->greeted = true;
	return send(handle->source.fd, &answer, sizeof(answer), MSG_DONTWAIT | MSG_NOSIGNAL) ==
	       (ssize_t)sizeof(answer);
}

/* Bytes from the process; they may come in any pieces. False: end it. */
static bool feed(struct host *host, struct handle *handle, const unsigned char *bytes,
		 size_t length)
{
	while (length) {
		size_t whole = handle->greeted ? sizeof(uint32_t)
					       : sizeof(struct simxen_evtchn_hello);
		size_t part = whole - handle->partial_length;
		uint32_t value;

		if (part > length)
			part = length;
		memcpy(handle->partial + handle->partial_length, bytes, part);
		handle->partial_length += part;
		bytes += part;
		length -= part;
		if (handle->partial_length < whole)
			break;
		if (!handle->greeted) {
			if (!greet(host, handle))
				return false;
			continue;
		}
		handle->partial_length = 0;
		memcpy(&value, handle->partial, sizeof(value));
		word(host, handle, value);
	}
	return true;
}

static void handle_ready(struct host *host, struct source *source, uint32_t events)
{
	struct handle *handle = (struct handle *)source;
	unsigned char bytes[READ_MAX];
	ssize_t length;

	if (events & EPOLLOUT)
		flush(host, handle);
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	length = recv(source->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length <= 0 || !feed(host, handle, bytes, (size_t)length))
		handle_close(host, handle);
}

void handle_accept(struct host *host, struct source *listener, uint32_t events)
{
	int fd = accept(listener->fd, NULL, NULL);
	struct handle *handle = fd < 0 ? NULL : handle_new(host, fd);

	(void)events;
	if (handle && host_wait_for(host, &handle->source) < 0)
		handle_close(host, handle);
	else if (!handle && fd >= 0)
		close(fd);
}
