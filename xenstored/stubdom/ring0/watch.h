/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watching over an image that does not serve yet.
 *
 * An image that ends, or makes a mistake that the processor sees, takes the way back by itself.
 * One that loops for ever, or waits for what never comes, would not. So for as long as the way
 * back is open a timer interrupts whatever runs, and looks at the clock, and does nothing else: no
 * event is taken by it, and nothing but the clock is read. The image that is left says how long
 * the new one may take. (spec: stubdom.md section 6)
 */
#ifndef XENSTORED_STUBDOM_RING0_WATCH_H
#define XENSTORED_STUBDOM_RING0_WATCH_H

#include <stdbool.h>
#include <stdint.h>

/* Without a word, or with an impossible one, of the image before. */
#define WATCH_SECONDS	  60u
#define WATCH_SECONDS_MAX 86400u

/** Begin, if another image has started this one and the way back is open. */
void watch_begin(void);

/** There is nothing to watch any more; or the way back is being taken. */
void watch_end(void);

/** At each tick. Returns NULL as long as there is time, else the reason for taking the way back. */
const char *watch_tick(void);

#endif
