/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An interrupt that comes again and again: the timer of the processor's interrupt controller,
 * which every domain of our kind has.
 *
 * It has nothing to do with event channels, whose queues an interrupt would have to share with
 * whoever takes events. It is used only while the watch is on (watch.h); at all other times
 * interrupts are off, but for the sleep.
 */
#ifndef XENSTORED_STUBDOM_RING0_TICKS_H
#define XENSTORED_STUBDOM_RING0_TICKS_H

#include <stdbool.h>
#include <stdint.h>

/* Vector of the interrupt: above that of the events' upcall. */
#define TICKS_VECTOR 0x41

/**
 * Let a tick come about every @seconds (at most an hour), and interrupts in. Returns whether there
 * is such a timer.
 */
bool ticks_start(uint32_t seconds);

/** No more ticks, and no more interrupts. Does no harm when there were none. */
void ticks_stop(void);

/** This tick was seen: the next one may come. */
void ticks_seen(void);

#endif
