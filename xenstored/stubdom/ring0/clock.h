/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time: the processor's counter, scaled as the hypervisor says.
 */
#ifndef XENSTORED_STUBDOM_RING0_CLOCK_H
#define XENSTORED_STUBDOM_RING0_CLOCK_H

#include <stdint.h>

/* As a vcpu's time in the shared page (public headers: struct vcpu_time_info). */
struct clock_scale {
	uint64_t tsc_stamp; /* counter at ... */
	uint64_t time;	    /* ... this time, ns since the host's boot */
	uint32_t multiplier;
	int8_t shift;
};

/** Nanoseconds since the host's boot at counter value @tsc. */
uint64_t clock_scale_ns(const struct clock_scale *scale, uint64_t tsc);

/** Nanoseconds since the host's boot, now. Never goes back. */
uint64_t clock_monotonic_ns(void);

/** Nanoseconds since 1970, now. */
uint64_t clock_wall_ns(void);

#endif
