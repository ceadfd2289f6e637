/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What devices given to a domain can reach.
 *
 * Devices do not stop while a hypervisor is updated: they go on reading and writing
 * memory through the IOMMU's page tables. Those are frames that survive an update
 * (HV_FRAME_IOMMU) and stay in use throughout. So what they map may not be given to
 * anybody else, before, during and after: it is known to the next hypervisor, which
 * checks that each frame is still its domain's.
 */
#ifndef HYPERVISOR_IOMMU_H
#define HYPERVISOR_IOMMU_H

#include <stdint.h>

struct hypervisor;
struct hv_domain;

/**
 * Let the devices of @domid reach, from number @dfn on, the @count frames behind @gfn and those
 * that follow. For control domains (-EPERM). -ESRCH (no such domain, or dying), -ENOENT (no memory
 * there), -EEXIST (dfn is in use), -EINVAL, -ENOMEM; nothing has changed then.
 */
int hv_iommu_map(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint64_t dfn,
		 uint64_t gfn, uint64_t count);

/** Undo that. -ENOENT if a part of it is not mapped, -ENOMEM; and the errors above. */
int hv_iommu_unmap(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint64_t dfn,
		   uint64_t count);

/* For the mechanism's other parts. */

/** How many of the @count frames from @mfn on come before the first one that a device can reach. */
uint64_t hv_iommu_spares(const struct hv_domain *domain, uint64_t mfn, uint64_t count);

#endif
