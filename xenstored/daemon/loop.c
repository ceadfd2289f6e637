/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The event loop on epoll. */
#include "daemon/loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/core.h"

#define EVENTS_AT_ONCE 256

int loop_open(struct loop *loop, struct core *core)
{
	loop->core = core;
	loop->stop = false;
	loop->between = NULL;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return loop->epoll_fd < 0 ? -errno : 0;
}

int loop_add(struct loop *loop, struct loop_source *source, bool edge)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};

	if (edge)
		event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) ? -errno : 0;
}

void loop_want_output(struct loop *loop, struct loop_source *source, bool want)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = source};

	if (want)
		event.events |= EPOLLOUT;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event);
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
}

void loop_enable(struct loop *loop, struct loop_source *source, bool enable)
{
	struct epoll_event event = {.events = enable ? EPOLLIN : 0, .data.ptr = source};

	epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event);
}

int loop_run(struct loop *loop)
{
	struct epoll_event events[EVENTS_AT_ONCE];

	while (!loop->stop) {
		int timeout = core_turn(loop->core);
		int most = loop->between ? loop->between(loop->data) : -1;

		if (most >= 0 && (timeout < 0 || most < timeout))
			timeout = most;
		int count = epoll_wait(loop->epoll_fd, events, EVENTS_AT_ONCE, timeout);

		if (count < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < count; i++) {
			struct loop_source *source = events[i].data.ptr;

			source->ready(loop, source, events[i].events);
		}
	}
	return 0;
}
