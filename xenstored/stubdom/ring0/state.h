/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the layer has set up with the hypervisor, kept up to date at a fixed place
 * (LAYOUT_STATE), so that the image behind a live update finds it.
 *
 * An image that was started by a builder finds zeros, or anything; one that was
 * started by another image finds its magic number and the mark "armed", which
 * that image sets as the last thing before it jumps, and which is taken off at
 * once: a second start from the same page cannot pass for an update.
 */
#ifndef XENSTORED_STUBDOM_RING0_STATE_H
#define XENSTORED_STUBDOM_RING0_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "stubdom/layout.h"

#define RING0_STATE_MAGIC 0x31646d6f64627573ull /* "subdmod1" */

enum ring0_event_abi { EVENTS_2LEVEL = 1, EVENTS_FIFO = 2 };

struct ring0_state {
	uint64_t magic;
	uint32_t layout; /* LAYOUT_VERSION */
	uint32_t armed;	 /* 1: the next start is a live update */
	uint32_t event_abi;
	uint32_t fifo_pages;	 /* array pages that the hypervisor has */
	uint32_t timer_port;	 /* of VIRQ_TIMER */
	uint32_t updates;	 /* how often an image has followed another one */
	uint64_t memory_end;	 /* bytes from 0 that are populated */
	uint64_t memory_initial; /* when the domain was built */
	uint64_t files_pages;	 /* LAYOUT_FILES_PAGES pages at this address; 0 = not yet */
};

_Static_assert(sizeof(struct ring0_state) <= LAYOUT_STATE_END - LAYOUT_STATE, "size of the page");

static inline struct ring0_state *ring0_state(void)
{
	return (struct ring0_state *)(uintptr_t)LAYOUT_STATE;
}

/** Whether another image started this one; in effect from boot on. */
extern bool ring0_updated;

/**
 * At boot: decide whether another image started this one, else begin with a state of zeros. Sets
 * ring0_updated.
 */
void ring0_state_adopt(void);

/** The next image follows this one. The last thing before the jump; @on false takes it back. */
static inline void ring0_state_arm(bool on)
{
	ring0_state()->armed = on;
}

#endif
