/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's end of its Xenstore ring: the page, and the port that goes with it.
 */
#ifndef HYPERVISOR_HOST_RING_H
#define HYPERVISOR_HOST_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_SIZE 1024U

struct simxen_client;

/* The page as both ends see it. */
struct ring_page {
	unsigned char req[RING_SIZE]; /* from the guest */
	unsigned char rsp[RING_SIZE]; /* to the guest */
	uint32_t req_cons, req_prod;
	uint32_t rsp_cons, rsp_prod;
	uint32_t server_features;
	uint32_t connection;
	uint32_t error;
	uint32_t evtchn_port;
};

/* The word "connection": something else than 0 means that the guest has to wait. */
#define RING_CONNECTED 0U

struct ring {
	volatile struct ring_page *page;
	struct simxen_client *client; /* as the guest */
	int evtchn;
	uint64_t cookie;
	uint32_t port;
};

/*
 * Becomes the guest: maps its page and takes its port. 0 or a negative errno: ESRCH
 * without such a domain, EBUSY when another process plays this guest.
 */
int ring_open(struct ring *ring, uint32_t domid);
void ring_close(struct ring *ring);

/* Is the server's end there? */
bool ring_connected(const struct ring *ring);

/* Puts as much as there is room for; the number of bytes, or -EPROTO for wild indices. */
int ring_write(struct ring *ring, const void *bytes, size_t length);

/* Takes what there is. */
int ring_read(struct ring *ring, void *bytes, size_t size);

/* Wakes the server. */
int ring_notify(struct ring *ring);

/* Takes one event and makes the next one possible; 0, or a negative errno when the guest is gone.
 */
int ring_take_event(struct ring *ring);

#endif
