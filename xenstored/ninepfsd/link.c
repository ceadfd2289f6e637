/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests in, answers out. A message's size is read once; what the other end writes there
 * afterwards does not matter.
 */
#include "ninepfsd/link.h"

#include <errno.h>
#include <stdlib.h>

#include "ninep/wire.h"
#include "ninepfsd/server.h"

/* Longer messages bring nothing, and would be memory that a domain can make us take. */
#define MSIZE_MAX (128U << 10)

uint32_t p9_link_msize(unsigned int order)
{
	return P9_RING_SIZE(order) < MSIZE_MAX ? P9_RING_SIZE(order) : MSIZE_MAX;
}

int p9_link_init(struct p9_link *link, struct p9_interface *page, unsigned char *data,
		 unsigned int order)
{
	uint32_t size = P9_RING_SIZE(order);

	*link = (struct p9_link){
		.in = {&page->in_prod, &page->in_cons, data, size,
		       __atomic_load_n(&page->in_prod, __ATOMIC_RELAXED)},
		.out = {&page->out_prod, &page->out_cons, data + size, size,
			__atomic_load_n(&page->out_cons, __ATOMIC_RELAXED)},
	};
	if (p9_room(&link->in) < 0 || p9_available(&link->out) < 0)
		return -EPROTO;
	link->size = p9_link_msize(order);
	link->request = malloc(link->size);
	link->reply = malloc(link->size);
	if (link->request && link->reply)
		return 0;
	p9_link_deinit(link);
	return -ENOMEM;
}

void p9_link_deinit(struct p9_link *link)
{
	free(link->request);
	free(link->reply);
	link->request = link->reply = NULL;
}

/* Puts as much of the answer as there is room for. 1: something was put; 0; -EPROTO. */
static int put_reply(struct p9_link *link)
{
	size_t length = link->reply_length - link->reply_done;
	ssize_t room = p9_room(&link->in);

	if (room < 0)
		return (int)room;
	if ((size_t)room < length)
		length = (size_t)room;
	if (length == 0)
		return 0;
	p9_produce(&link->in, link->reply + link->reply_done, length);
	link->reply_done += length;
	return 1;
}

/* The length of the request at the head of the ring; 0: not complete; -EPROTO: never will be. */
static ssize_t request_length(const struct p9_link *link)
{
	ssize_t there = p9_available(&link->out);
	unsigned char bytes[P9_HEADER];
	struct p9_header header;

	if (there < (ssize_t)P9_HEADER)
		return there < 0 ? there : 0;
	p9_peek(&link->out, bytes, sizeof(bytes));
	header = p9_header(bytes);
	if (header.size < P9_HEADER || header.size > link->out.size)
		return -EPROTO;
	return (size_t)there < header.size ? 0 : (ssize_t)header.size;
}

int p9_link_turn(struct p9_link *link, struct p9_server *server, unsigned int most)
{
	int events = put_reply(link);

	while (events >= 0 && !p9_link_stuck(link) && most-- > 0) {
		ssize_t length = request_length(link);
		int put;

		if (length <= 0)
			return length < 0 ? (int)length : events;
		/* Of one that is too long the beginning is enough, to refuse it. */
		p9_peek(&link->out, link->request,
			(size_t)length < link->size ? (size_t)length : link->size);
		p9_consume(&link->out, (size_t)length);
		link->reply_length = p9_server_answer(server, link->request, (size_t)length,
						      link->reply);
		link->reply_done = 0;
		put = put_reply(link);
		events = put < 0 ? put : events + 1;
	}
	return events;
}

bool p9_link_stuck(const struct p9_link *link)
{
	return link->reply_done < link->reply_length;
}

bool p9_link_ready(const struct p9_link *link)
{
	return !p9_link_stuck(link) && request_length(link) != 0;
}
