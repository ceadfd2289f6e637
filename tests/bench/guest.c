/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rings from the guest's side, see guest.h.  The layout is the simulated host's, which is written
 * apart from the daemon's, so that a mistake there is seen.
 */
#define _GNU_SOURCE 1
#include "guest.h"
#include "fail.h"
#include "hypervisor/host/protocol.h"
#include "hypervisor/host/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TRIES 10000 /* of 1 ms: how long a former player of the guest may take to leave */

struct guest *guest_new(const struct machine *machine, uint32_t domid)
{
	struct guest *guest = calloc(1, sizeof(*guest));
	int control = machine_control(machine, domid), error = -EBUSY;
	uint64_t cookie;

	if (!guest)
		fail("out of memory");
	guest->domid = domid;
	guest->port = machine->ports[domid];
	guest->page = (volatile struct ring_page *)(void *)(machine->memory +
							    (size_t)domid * SIMXEN_PAGE_SIZE);
	guest->evtchn = machine_evtchn(machine, domid, &cookie);
	for (int i = 0; i < TRIES && error == -EBUSY; i++) {
		if (i)
			usleep(1000);
		error = machine_ask(control, SIMXEN_EVTCHN_ATTACH, cookie, guest->port);
	}
	if (error < 0)
		fail("cannot be domain %u: %s", domid, strerror(-error));
	close(control);
	return guest;
}

void guest_free(struct guest *guest)
{
	close(guest->evtchn);
	free(guest);
}

static void send_word(const struct guest *guest, uint32_t word)
{
	if (send(guest->evtchn, &word, sizeof(word), MSG_NOSIGNAL) != sizeof(word))
		fail("domain %u: the host has gone", guest->domid);
}

static uint32_t load(const volatile uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static void store(volatile uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static void check(const struct guest *guest, uint32_t distance)
{
	uint32_t error = load(&guest->page->error);

	if (error)
		fail("domain %u: the server reports error %u", guest->domid, error);
	if (distance > RING_SIZE)
		fail("domain %u: the server wrote impossible indices", guest->domid);
}

size_t guest_put(struct guest *guest, const void *data, size_t len)
{
	volatile struct ring_page *page = guest->page;
	const unsigned char *from = data;
	uint32_t prod = page->req_prod, used = prod - load(&page->req_cons);

	check(guest, used);
	if (len > RING_SIZE - used)
		len = RING_SIZE - used;
	for (size_t i = 0; i < len; i++)
		page->req[(prod + i) % RING_SIZE] = from[i];
	store(&page->req_prod, prod + (uint32_t)len);
	if (len && load(&page->req_cons) == prod)
		send_word(guest, guest->port | SIMXEN_EVTCHN_NOTIFY);
	return len;
}

size_t guest_get(struct guest *guest, void *data, size_t size)
{
	volatile struct ring_page *page = guest->page;
	unsigned char *to = data;
	uint32_t cons = page->rsp_cons;
	size_t len = load(&page->rsp_prod) - cons;

	check(guest, (uint32_t)len);
	if (len > size)
		len = size;
	for (size_t i = 0; i < len; i++)
		to[i] = page->rsp[(cons + i) % RING_SIZE];
	store(&page->rsp_cons, cons + (uint32_t)len);
	if (len && load(&page->rsp_prod) - cons >= RING_SIZE)
		send_word(guest, guest->port | SIMXEN_EVTCHN_NOTIFY);
	return len;
}

void guest_event(struct guest *guest, bool wait)
{
	uint32_t port;
	ssize_t n;

	do
		n = recv(guest->evtchn, &port, sizeof(port), wait ? MSG_WAITALL : MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && !wait && errno == EAGAIN)
		return;
	if (n != sizeof(port))
		fail("domain %u: no more events", guest->domid);
	/* Unmasked before the ring is looked at: what comes now is a new event. */
	send_word(guest, port);
}

struct client *guest_client(const struct machine *machine, uint32_t domid)
{
	struct client *client = malloc(sizeof(*client));

	if (!client)
		fail("out of memory");
	memset(client, 0, offsetof(struct client, out));
	client->subject = machine->subject;
	client->guest = guest_new(machine, domid);
	client->fd = client->guest->evtchn;
	return client;
}
