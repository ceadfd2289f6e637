/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moving bytes through a page that the other side may be rewriting meanwhile. */
#include "client/ring.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

_Static_assert(offsetof(struct ring_page, req_cons) == 2048, "ring layout");
_Static_assert(offsetof(struct ring_page, server_features) == 2064, "ring layout");
_Static_assert(offsetof(struct ring_page, evtchn_port) == 2076, "ring layout");

static uint32_t load(const volatile uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static void store(volatile uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

void ring_attach(struct ring *ring, volatile struct ring_page *page)
{
	ring->page = page;
	ring->req_cons = load(&page->req_cons);
	ring->rsp_prod = load(&page->rsp_prod);
}

void ring_connected(struct ring *ring)
{
	if (load(&ring->page->connection)) {
		store(&ring->page->connection, 0);
		ring->notify(ring);
	}
}

void ring_reset(struct ring *ring)
{
	store(&ring->page->req_cons, 0);
	store(&ring->page->req_prod, 0);
	store(&ring->page->rsp_cons, 0);
	store(&ring->page->rsp_prod, 0);
	store(&ring->page->error, 0);
	ring->req_cons = ring->rsp_prod = 0;
	ring_connected(ring);
}

/*
 * Both directions look at the other side's index again after they have published their own, until
 * there is nothing more to move. A guest may leave out the notification when it sees that we have
 * not caught up with it yet; what it did between our look and our publishing would otherwise wait
 * for its next event.
 */
ssize_t ring_receive(struct ring *ring, void *data, size_t len)
{
	volatile struct ring_page *page = ring->page;
	size_t done = 0;

	for (;;) {
		uint32_t prod = load(&page->req_prod), cons = ring->req_cons;
		uint32_t avail = prod - cons, at = cons % RING_SIZE;
		size_t n = smaller(avail, len - done), first = smaller(n, RING_SIZE - at);

		if (avail > RING_SIZE || load(&page->req_cons) != cons)
			return -EPROTO;
		if (!n)
			break;
		memcpy((char *)data + done, (const char *)page->request + at, first);
		memcpy((char *)data + done + first, (const char *)page->request, n - first);
		done += n;
		ring->req_cons = cons + (uint32_t)n;
		store(&page->req_cons, ring->req_cons);
		/* A guest that found the ring full, even if only since we looked, waits for this.
		 */
		if (load(&page->req_prod) - cons >= RING_SIZE)
			ring->notify(ring);
	}
	return done ? (ssize_t)done : -EAGAIN;
}

ssize_t ring_send(struct ring *ring, const void *data, size_t len)
{
	volatile struct ring_page *page = ring->page;
	size_t done = 0;

	for (;;) {
		uint32_t cons = load(&page->rsp_cons), prod = ring->rsp_prod;
		uint32_t used = prod - cons, at = prod % RING_SIZE;
		size_t n, first;

		if (used > RING_SIZE || load(&page->rsp_prod) != prod)
			return -EPROTO;
		n = smaller(RING_SIZE - used, len - done);
		if (!n)
			break;
		first = smaller(n, RING_SIZE - at);
		memcpy((char *)page->response + at, (const char *)data + done, first);
		memcpy((char *)page->response, (const char *)data + done + first, n - first);
		done += n;
		ring->rsp_prod = prod + (uint32_t)n;
		store(&page->rsp_prod, ring->rsp_prod);
		ring->notify(ring);
	}
	return done ? (ssize_t)done : -EAGAIN;
}

void ring_fail(struct ring *ring, uint32_t error)
{
	store(&ring->page->error, error);
	ring->notify(ring);
}
