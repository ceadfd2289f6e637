/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ring that is written without waiting. */
#include "stubdom/ring0/console.h"

#include <stdbool.h>

#include "stubdom/ring0/hypercall.h"
#include "stubdom/ring0/processor.h"

#include <xen/event_channel.h>
#include <xen/io/console.h>

#define DEBUG_PORT 0xe9

static volatile struct xencons_interface *ring;
static uint32_t event_port;

void console_init(uintptr_t page, uint32_t port)
{
	ring = (volatile struct xencons_interface *)page;
	event_port = port;
}

static void notify(void)
{
	struct evtchn_send send = {.port = event_port};

	/* Without a reader there is no other end; that does no harm. */
	if (event_port)
		hypercall_op(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send);
}

/* Returns false when there is no room. */
static bool put(char c)
{
	uint32_t prod = ring->out_prod;

	if (prod - __atomic_load_n(&ring->out_cons, __ATOMIC_ACQUIRE) >= sizeof(ring->out))
		return false;
	ring->out[prod % sizeof(ring->out)] = c;
	__atomic_store_n(&ring->out_prod, prod + 1, __ATOMIC_RELEASE);
	return true;
}

void console_write(const char *text, size_t len)
{
	bool room = ring;

	for (size_t i = 0; i < len; i++) {
		out_byte(DEBUG_PORT, (uint8_t)text[i]);
		if (room && text[i] == '\n')
			room = put('\r');
		if (room)
			room = put(text[i]);
	}
	if (ring)
		notify();
}

void console_drain(void)
{
	if (!ring)
		return;
	__atomic_store_n(&ring->in_cons, __atomic_load_n(&ring->in_prod, __ATOMIC_ACQUIRE),
			 __ATOMIC_RELEASE);
	notify();
}
