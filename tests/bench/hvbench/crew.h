/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CPUs of a machine that restores domains: threads that wait for a pass, do their
 * share of it, and meet at its end.
 */
#ifndef HVBENCH_CREW_H
#define HVBENCH_CREW_H

#include <stdint.h>

struct hv_restore;
struct crew;

/* So many CPUs, the caller's included; each on a CPU of its own if there are enough. */
struct crew *crew_new(unsigned int cpus);

void crew_free(struct crew *crew);

/*
 * All passes of a restore that has begun. Returns how many nanoseconds it takes on CPUs that do
 * nothing else: of each pass the time of the CPU that was busy longest.
 */
uint64_t crew_restore(struct crew *crew, struct hv_restore *restore);

#endif
