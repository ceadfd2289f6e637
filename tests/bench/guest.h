/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest: the other end of a ring, played as Linux plays it.
 *
 * One process plays thousands of guests: all pages are in one mapping, and only the events of
 * each need a descriptor.  As in Linux, the server is notified only when it may be asleep:
 * behind a request that finds the ring drained, and behind a reply that had filled the ring.
 */
#ifndef BENCH_GUEST_H
#define BENCH_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "machine.h"

struct ring_page;

struct guest {
	volatile struct ring_page *page;
	uint32_t domid;
	uint32_t port;
	int evtchn;
};

/* Become the guest of a domain that is introduced; nobody else may be it. */
struct guest *guest_new(const struct machine *machine, uint32_t domid);
void guest_free(struct guest *guest);

/* Put in what there is room for; the number of bytes. */
size_t guest_put(struct guest *guest, const void *data, size_t len);

/* Take out what is there. */
size_t guest_get(struct guest *guest, void *data, size_t size);

/* Take one event; with wait = false, there may be none. */
void guest_event(struct guest *guest, bool wait);

/* A client that talks through this guest's ring. */
struct client *guest_client(const struct machine *machine, uint32_t domid);

#endif
