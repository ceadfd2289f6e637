/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page is memory that another process writes at the same time: words are read
 * once, and data is separated from the index that announces it by a barrier.
 */
#include "ring.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hypervisor/libs/client.h"

int ring_open(struct ring *ring, uint32_t domid)
{
	char buffer[64];
	const char *directory = simxen_directory(buffer, sizeof(buffer));
	int error;

	*ring = (struct ring){.evtchn = -1};
	error = simxen_client_new(directory, domid, &ring->client);
	if (error < 0)
		return error;
	ring->evtchn = simxen_evtchn_connect(directory, domid, true);
	error = ring->evtchn;
	if (error >= 0)
		error = simxen_evtchn_cookie(ring->evtchn, &ring->cookie);
	if (error >= 0)
		error = simxen_client_ask(ring->client, SIMXEN_STORE_PORT, domid, 0, 0);
	if (error >= 0) {
		ring->port = (uint32_t)error;
		error = simxen_client_ask(ring->client, SIMXEN_EVTCHN_ATTACH, ring->cookie,
					  ring->port, 0);
	}
	if (error >= 0) {
		ring->page = simxen_client_map_page(ring->client, domid, PROT_READ | PROT_WRITE,
						    NULL);
		error = ring->page ? 0 : -errno;
	}
	if (error < 0)
		ring_close(ring);
	return error;
}

void ring_close(struct ring *ring)
{
	if (ring->page)
		munmap((void *)(uintptr_t)ring->page, SIMXEN_PAGE_SIZE);
	if (ring->evtchn >= 0)
		close(ring->evtchn);
	simxen_client_free(ring->client);
	*ring = (struct ring){.evtchn = -1};
}

bool ring_connected(const struct ring *ring)
{
	return ring->page->connection == RING_CONNECTED;
}

int ring_write(struct ring *ring, const void *bytes, size_t length)
{
	const unsigned char *from = bytes;
	uint32_t cons = ring->page->req_cons, prod = ring->page->req_prod;
	size_t done;

	atomic_thread_fence(memory_order_seq_cst);
	if (prod - cons > RING_SIZE)
		return -EPROTO;
	for (done = 0; done < length && prod - cons < RING_SIZE; done++)
		ring->page->req[prod++ % RING_SIZE] = from[done];
	atomic_thread_fence(memory_order_seq_cst);
	ring->page->req_prod = prod;
	return (int)done;
}

int ring_read(struct ring *ring, void *bytes, size_t size)
{
	unsigned char *to = bytes;
	uint32_t cons = ring->page->rsp_cons, prod = ring->page->rsp_prod;
	size_t done;

	atomic_thread_fence(memory_order_seq_cst);
	if (prod - cons > RING_SIZE)
		return -EPROTO;
	for (done = 0; done < size && cons != prod; done++)
		to[done] = ring->page->rsp[cons++ % RING_SIZE];
	atomic_thread_fence(memory_order_seq_cst);
	ring->page->rsp_cons = cons;
	return (int)done;
}

int ring_notify(struct ring *ring)
{
	return simxen_evtchn_send(ring->evtchn, ring->port | SIMXEN_EVTCHN_NOTIFY);
}

int ring_take_event(struct ring *ring)
{
	uint32_t port;
	ssize_t length = read(ring->evtchn, &port, sizeof(port));

	if (length < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	if (length != (ssize_t)sizeof(port))
		return -ENODEV;
	return simxen_evtchn_send(ring->evtchn, port);
}
