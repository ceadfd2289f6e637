/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One ring of a device, and the server behind it: takes requests off, puts answers on.
 *
 * The next request is not looked at before the answer to the last one is in the ring
 * completely, so a front-end that does not take its answers is itself what waits.
 */
#ifndef XENSTORED_NINEPFSD_LINK_H
#define XENSTORED_NINEPFSD_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ninep/ring.h"

struct p9_server;

struct p9_link {
	struct p9_consumer out;		/* requests */
	struct p9_producer in;		/* answers */
	unsigned char *request, *reply; /* p9_link_msize() bytes each */
	size_t size;
	size_t reply_length, reply_done;
};

/** The longest message on a ring of that order: what its buffers have room for. */
uint32_t p9_link_msize(unsigned int order);

/**
 * Begin on mapped pages: the interface page and 1 << @order contiguous data pages. The indices go
 * on from where they are. 0; -ENOMEM; -EPROTO for impossible indices.
 */
int p9_link_init(struct p9_link *link, struct p9_interface *page, unsigned char *data,
		 unsigned int order);
void p9_link_deinit(struct p9_link *link);

/**
 * Answer what is there, but at most @most requests. Returns a number of events that the other
 * end should get, which is more than 0 when anything was moved, or -EPROTO: the other end
 * does not keep the rules.
 */
int p9_link_turn(struct p9_link *link, struct p9_server *server, unsigned int most);

/** Whether an answer waits for room in the ring. */
bool p9_link_stuck(const struct p9_link *link);

/** Whether there is a request that can be answered now. */
bool p9_link_ready(const struct p9_link *link);

#endif
