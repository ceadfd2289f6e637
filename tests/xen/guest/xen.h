/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this guest uses of Xen: hypercalls, two event channels, two shared pages.
 *
 * There is one vcpu and no interrupt. The guest clears the pending bits of its two channels, does
 * what there is to do, and then lets the hypervisor put it to sleep until one of the bits is set
 * again; a bit that was set meanwhile ends the sleep at once, so no wake-up is lost.
 */
#ifndef GUEST_XEN_H
#define GUEST_XEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_BYTES 1024u

/* The page shared with xenstored (spec: rings-and-domains.md section 1). */
struct store_page {
	uint8_t req[STORE_BYTES];
	uint8_t rsp[STORE_BYTES];
	uint32_t req_cons, req_prod;
	uint32_t rsp_cons, rsp_prod;
	uint32_t server_features;
	uint32_t connection;
	uint32_t error;
	uint32_t evtchn_port;
};

enum shutdown_reason {
	SHUTDOWN_POWEROFF = 0,
	SHUTDOWN_REBOOT = 1,
	SHUTDOWN_SUSPEND = 2,
	SHUTDOWN_CRASH = 3,
};

/** Sets up hypercalls, the page of event bits, store and console. Returns the command line. */
const char *xen_init(const void *start_info);

/**
 * Suspends the domain. Returns when it goes on, in this domain or in a restored one, with
 * everything set up again; what was watched may have to be watched again.
 */
void xen_suspend(void);

/** The page shared with xenstored. */
volatile struct store_page *xen_store(void);

/** Tells xenstored that there is something to do. */
void xen_store_notify(void);

/** Forgets the events so far; whatever they announced has to be looked for after this. */
void xen_events_clear(void);

/** Sleeps until there is an event, not at all if there was one since xen_events_clear(). */
void xen_events_wait(void);

/** Sleeps for some milliseconds, whatever happens. */
void xen_sleep(unsigned int ms);

/** Ends the domain. */
_Noreturn void xen_shutdown(enum shutdown_reason reason);

void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);

/** Writes a text on the console. */
void console_write(const char *text);

/** The next character typed at the console, or -1 when there is none. */
int console_getc(void);

static inline void barrier(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif
