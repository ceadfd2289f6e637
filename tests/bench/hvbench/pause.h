/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One update of a machine, and where its time goes.
 */
#ifndef HVBENCH_PAUSE_H
#define HVBENCH_PAUSE_H

#include <stdbool.h>
#include <stdint.h>

#include "crew.h"
#include "machine.h"

/* Parts of the pause, in its order. */
enum part {
	PART_STOP,     /* until all domains are stopped */
	PART_SAVE,     /* the stream is written; with a range list, the list too */
	PART_RELOCATE, /* array, image into its place, breadcrumb */
	PART_BOOT,     /* the stream is found, the frame table made */
	PART_RESERVE,  /* a range list's first pass */
	PART_BEGIN,    /* the machine's records */
	PART_PASSES,   /* over all domains, on all CPUs */
	PART_FINISH,   /* domains run again */
	PARTS
};

extern const char *const part_names[PARTS];

struct pause {
	uint64_t nanoseconds[PARTS];
	uint64_t pages;	  /* of the stream */
	uint64_t regions; /* that the boot allocator would have, with a range list */
	bool boots;	  /* there is room for them */
};

/* Update the machine's hypervisor to another one of the same build. */
void pause_measure(struct machine *machine, struct crew *crew, bool range_list,
		   struct pause *pause);

#endif
