/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages of other domains that are mapped without a grant, by frame number. Callers
 * unmap them with plain munmap(), so the interposer asks here about each.
 */
#ifndef HYPERVISOR_LIBS_FOREIGN_H
#define HYPERVISOR_LIBS_FOREIGN_H

#include <stddef.h>
#include <stdint.h>

#include "client.h"

/* Maps one frame of a domain; NULL and errno when it is refused. */
void *simxen_foreign_map(struct simxen_client *client, uint32_t domid, uint64_t frame, int prot);

/* Tells the host of those pages in the range that were mapped by the above. */
void simxen_foreign_unmapped(uintptr_t address, size_t length);

/* Forgets a client that is about to be freed: the host releases what it had mapped. */
void simxen_foreign_forget(struct simxen_client *client);

#endif
