/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From frames of the machine back to domains: whose is it, and where does he have it?
 *
 * That is said by the domains' own extents already, only in another order. So the
 * M2P is a copy, sorted by mfn, that is made when somebody asks, and thrown away when
 * memory changes hands. Whoever updates the hypervisor may pass it on to save the
 * sorting, and need not.
 */
#ifndef HYPERVISOR_M2P_H
#define HYPERVISOR_M2P_H

#include <stdbool.h>
#include <stdint.h>

struct hypervisor;

struct hv_m2p_extent {
	uint64_t mfn;
	uint64_t gfn;
	uint64_t count;
	uint64_t domid;
};

struct hv_m2p {
	struct hv_m2p_extent *extents; /* by mfn; NULL: to be made */
	uint64_t count;
};

/**
 * Find out who has @mfn in his address space, and where. Returns 0, -ENOENT (nobody) or -ENOMEM.
 */
int hv_m2p_find(struct hypervisor *hv, uint64_t mfn, unsigned int *domid, uint64_t *gfn);

/* For the mechanism's other parts. */

/** Memory changes hands. */
void hv_m2p_forget(struct hypervisor *hv);

/**
 * Take over @count extents as the M2P, if they are exactly what it would be. Returns whether they
 * are; if not, or for want of memory, it is made when somebody asks.
 */
bool hv_m2p_adopt(struct hypervisor *hv, const struct hv_m2p_extent *extents, uint64_t count);

#endif
