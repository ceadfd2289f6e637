/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many closed loops in one thread, see crowd.h.
 */
#define _GNU_SOURCE 1
#include "crowd.h"
#include "fail.h"
#include "guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define READY 64

static struct crowd *crowd_of(size_t count)
{
	struct crowd *crowd = malloc(sizeof(*crowd));

	if (!crowd)
		fail("out of memory");
	crowd->count = count;
	crowd->members = calloc(count, sizeof(*crowd->members));
	crowd->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!crowd->members || crowd->epoll < 0)
		fail("out of memory or descriptors");
	return crowd;
}

static void add(struct crowd *crowd, size_t i, struct client *client)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};

	crowd->members[i] = client;
	if (epoll_ctl(crowd->epoll, EPOLL_CTL_ADD, client->fd, &event) < 0)
		fail("epoll: %s", strerror(errno));
}

struct crowd *crowd_new(const struct subject *subject, size_t count)
{
	struct crowd *crowd = crowd_of(count);

	for (size_t i = 0; i < count; i++)
		add(crowd, i, client_new(subject));
	return crowd;
}

struct crowd *crowd_guests(const struct machine *machine, unsigned int first, size_t count)
{
	struct crowd *crowd = crowd_of(count);

	for (size_t i = 0; i < count; i++)
		add(crowd, i, guest_client(machine, first + (unsigned int)i));
	return crowd;
}

void crowd_free(struct crowd *crowd)
{
	for (size_t i = 0; i < crowd->count; i++)
		client_free(crowd->members[i]);
	close(crowd->epoll);
	free(crowd->members);
	free(crowd);
}

/* The members that have something to read. */
static size_t await(struct crowd *crowd, struct epoll_event *ready)
{
	int n;

	do
		n = epoll_wait(crowd->epoll, ready, READY, -1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		fail("epoll: %s", strerror(errno));
	return (size_t)n;
}

void crowd_run(struct crowd *crowd, crowd_step *step, void *context)
{
	struct epoll_event ready[READY];
	size_t active = 0;

	for (size_t i = 0; i < crowd->count; i++) {
		if (step(context, i, crowd->members[i], NULL))
			active++;
		client_flush(crowd->members[i]);
	}
	while (active > 0) {
		size_t n = await(crowd, ready);

		for (size_t r = 0; r < n; r++) {
			size_t i = (size_t)ready[r].data.u64;
			struct client *client = crowd->members[i];
			struct reply reply;

			client_fill(client, false);
			while (client_next(client, &reply))
				if (!step(context, i, client, &reply))
					active--;
			client_flush(client);
		}
	}
}

/* Take the events that have been received; nothing else may be there. */
static void check_events(struct client *client, uint64_t count)
{
	struct reply reply;

	if (client_next(client, &reply) || client->events > count)
		fail("%s: more than an event for each write", client->subject->name);
}

void crowd_await_events(struct crowd *crowd, uint64_t count)
{
	struct epoll_event ready[READY];
	size_t missing = 0;

	for (size_t i = 0; i < crowd->count; i++) {
		/* The event may have come with an earlier reply and be in the buffer already. */
		check_events(crowd->members[i], count);
		missing += crowd->members[i]->events < count;
	}
	while (missing > 0) {
		size_t n = await(crowd, ready);

		for (size_t r = 0; r < n; r++) {
			struct client *client = crowd->members[ready[r].data.u64];
			bool before = client->events < count;
			struct reply reply;

			client_fill(client, false);
			if (client_next(client, &reply) || client->events > count)
				fail("%s: more than an event for each write",
				     client->subject->name);
			missing -= before && client->events == count;
		}
	}
}
