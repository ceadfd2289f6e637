/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event channels, and sleeping until there is an event.
 *
 * The FIFO interface is used when the hypervisor has it, because the older one
 * ends at 4,096 ports, which is the older one's only use here. With FIFO each
 * port has a word in an array that grows by pages; a port that becomes pending
 * is put on a queue, and taking it off is how the hypervisor knows that it may
 * tell of the next one.
 *
 * Events are collected by whoever has slept, never by an interrupt handler: the
 * upcall only ends the sleep, and interrupts are on nowhere else, but for the
 * watch (watch.h). What comes in between collecting and sleeping ends the sleep at once.
 * (spec: stubdom.md section 2 "Events and waiting")
 */
#ifndef XENSTORED_STUBDOM_RING0_EVENTS_H
#define XENSTORED_STUBDOM_RING0_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENTS_NEVER UINT64_MAX

/** Set event channels up, or go on with those of an earlier image. Returns 0 or -errno. */
int events_init(void);

/** Bind to @remote_port of @domid. Returns the local port or -errno. */
int events_bind(unsigned int domid, uint32_t remote_port);

/** Bind a virq, or find that it is bound. Returns the local port or -errno. */
int events_bind_virq(unsigned int virq);

/** A port that another program has opened: let it be heard. Returns 0 or -errno. */
int events_adopt(uint32_t port);

/** A port that @domid can bind to. Returns it or -errno. */
int events_alloc(unsigned int domid);

/** Close a port; its events are forgotten. Returns 0 or -errno. */
int events_close(uint32_t port);

/** Signal the other end. */
void events_notify(uint32_t port);

/**
 * Take all events there are: @fired is called for each port that has one, after its pending bit is
 * cleared, so whatever the other side does from then on is a new event.
 */
void events_collect(void (*fired)(void *data, uint32_t port), void *data);

/**
 * Sleep until there is an event that was not collected yet, or until @deadline, in ns as of
 * clock_monotonic_ns(); EVENTS_NEVER: no deadline. May return early.
 */
void events_wait(uint64_t deadline);

/*
 * Exchange with programs of another kind (events-exchange.c).
 */

/** The port that a virq is bound to, or -ENOENT. */
int events_find_virq(unsigned int virq);

/** Let all ports be heard that the program before has opened. Returns 0 or -errno. */
int events_take_over(void);

/** Whether events_leave() can be done: 0, or -ENOSPC: there are too many ports. */
int events_can_leave(void);

/**
 * Leave event channels as a program finds them that knows the older interface alone: all at their
 * numbers, without virqs, all masked. A channel whose other end has gone is closed. Events that
 * were not collected are lost, but each channel has one. Returns 0, after which nothing else
 * here may be called; or -errno when nothing was changed.
 */
int events_leave(void);

/** Which interface is used; an enum ring0_event_abi. */
unsigned int events_abi(void);

/**
 * While the watch is on (watch.h), the hypervisor is kept from telling of events, since interrupts
 * are on everywhere and there is no need for others than the watch's. Sleeping and collecting go on
 * as ever, at a somewhat higher cost.
 */
void events_quiet(bool on);

/*
 * The sleep itself: interrupts on, wait, off, unless an upcall has come since events were collected
 * the last time (entry.S). The tests have their own.
 */
void events_sleep(void);
extern volatile bool events_came; /* set by the upcall */

/* Vector of the upcall: above the processor's exceptions. */
#define EVENTS_VECTOR 0x40

#endif
