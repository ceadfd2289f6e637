/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Physical memory of a model machine: a sparse file, mapped as the mechanism asks.
 */
#ifndef HVBENCH_PHYSICAL_H
#define HVBENCH_PHYSICAL_H

#include <stdint.h>

#include "hypervisor/mapper.h"

struct physical {
	int file;
	struct hv_mapper mapper;
};

/* So many frames. Ends the program when it cannot be had. */
void physical_init(struct physical *physical, uint64_t frames);

void physical_deinit(struct physical *physical);

#endif
