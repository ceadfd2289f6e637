/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The domain's console, and the hypervisor's debug port.
 *
 * Nobody reads the console before dom0 has asked this very program for its place
 * in the store, so it is never waited for: what does not fit is dropped. The
 * debug port shows everything on hypervisors that show it. (spec: stubdom.md section 1 "Console")
 */
#ifndef XENSTORED_STUBDOM_RING0_CONSOLE_H
#define XENSTORED_STUBDOM_RING0_CONSOLE_H

#include <stddef.h>
#include <stdint.h>

/** Use the ring in the page at @page (0: there is none) and its event channel (0: none). */
void console_init(uintptr_t page, uint32_t port);

/** Write text to both. A newline goes to the console with a carriage return. */
void console_write(const char *text, size_t len);

/** Throw away what was typed. */
void console_drain(void);

#endif
