/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A model machine with many domains, as a host of guests has them: each with vCPUs, its
 * share of memory, the rings of store and console mapped by domain 0, and event channels
 * to it.
 */
#ifndef HVBENCH_MACHINE_H
#define HVBENCH_MACHINE_H

#include <stdint.h>

#include "hypervisor/boot.h"
#include "hypervisor/hypervisor.h"
#include "hypervisor/kexec.h"

#include "arena.h"
#include "physical.h"

struct shape {
	unsigned int domains; /* beside domain 0 */
	uint64_t memory;      /* bytes, all of them together */
	uint64_t fragments;   /* pieces of memory for each domain, at least */
};

/* One hypervisor's own state; an update makes another one. */
struct world {
	struct arena arena;
	struct hypervisor hv;
	struct hv_memory memory;
	struct hv_kexec kexec;
};

struct machine {
	struct shape shape;
	struct physical physical;
	uint64_t frames; /* with the hole below 4 GiB */
	struct hv_frame_span ram[2];
	struct hv_image_note note;
	struct world *world;
};

/* Build and boot it. Ends the program when it cannot be had. */
struct machine *machine_new(const struct shape *shape);

void machine_free(struct machine *machine);

/* What a world is set up by. */
struct hv_config world_config(struct world *world);

/* Its memory is there for as much as @expected bytes; it gets more if it needs it. */
struct world *world_new(size_t expected);
void world_free(struct world *world);

/* Load the next image into the machine. */
void machine_load(struct machine *machine);

/* Pieces of memory that domains have, all together. */
uint64_t machine_fragments(const struct machine *machine);

#endif
