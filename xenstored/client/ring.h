/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's ring as a transport.
 *
 * The page is shared with a guest that may write anything into it at any time.
 * Each index is read once, checked, and never looked at again; our own two
 * indices are kept privately, and a page that says otherwise is a broken ring.
 * Whatever is wrong stops this connection and nothing else (spec:
 * rings-and-domains.md sections 1 and 2).
 */
#ifndef XENSTORED_CLIENT_RING_H
#define XENSTORED_CLIENT_RING_H

#include <stdint.h>

#include "world/world.h"

#define RING_SIZE 1024u

/* The layout of the page (Xen's public interface). */
struct ring_page {
	char request[RING_SIZE];  /* guest to server */
	char response[RING_SIZE]; /* server to guest */
	uint32_t req_cons, req_prod;
	uint32_t rsp_cons, rsp_prod;
	uint32_t server_features;
	uint32_t connection; /* 0: connected, 1: the guest waits for us */
	uint32_t error;
	uint32_t evtchn_port; /* set by the hypervisor for domains that nobody introduces */
};

struct ring {
	struct transport transport; /* first */
	volatile struct ring_page *page;
	uint32_t req_cons, rsp_prod; /* what the page should say */
	void (*notify)(struct ring *ring);
};

/** Start with the indices that the page has now. */
void ring_attach(struct ring *ring, volatile struct ring_page *page);

/** Zero all indices and the error word, and let a guest that waits for us go on. Notifies. */
void ring_reset(struct ring *ring);

/** Tell a guest that waits for us to go on, leaving the indices. Notifies. */
void ring_connected(struct ring *ring);

/** As in struct transport_ops. -EPROTO: the indices cannot be right. */
ssize_t ring_receive(struct ring *ring, void *data, size_t len);
ssize_t ring_send(struct ring *ring, const void *data, size_t len);

/** Write the error word and let the guest know. */
void ring_fail(struct ring *ring, uint32_t error);

#endif
