/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IOMMU mappings: extents like those of a domain's memory, by the numbers that its
 * devices use.
 */
#include "hypervisor/iommu.h"

#include "hypervisor/hypervisor.h"

static int controlled(struct hypervisor *hv, unsigned int caller, unsigned int domid,
		      struct hv_domain **domain)
{
	if (!hv_is_control(hv, caller))
		return -XEN_EPERM;
	*domain = hv_domain_find(hv, hv_domid(caller, domid));
	return *domain && (*domain)->life == HV_ALIVE ? 0 : -XEN_ESRCH;
}

int hv_iommu_map(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint64_t dfn,
		 uint64_t gfn, uint64_t count)
{
	struct hv_domain *domain;
	struct hv_extent extent;
	uint64_t done = 0, piece;
	int error = controlled(hv, caller, domid, &domain);

	if (!error && (!count || count > HV_MAX_FRAMES || dfn > HV_MAX_FRAMES - count))
		error = -XEN_EINVAL;
	while (!error && done < count) {
		if (!hv_p2m_find(&domain->p2m, gfn + done, &extent)) {
			error = -XEN_ENOENT;
			break;
		}
		piece = count - done < extent.count ? count - done : extent.count;
		error = hv_p2m_add(&hv->allocator, &domain->iommu, dfn + done, extent.mfn, piece);
		if (!error)
			done += piece;
	}
	/* Taking away all that was added leaves extents that were there: no memory is needed. */
	if (error && done)
		(void)hv_p2m_remove(&hv->allocator, &domain->iommu, dfn, done);
	return error;
}

int hv_iommu_unmap(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint64_t dfn,
		   uint64_t count)
{
	struct hv_domain *domain;
	int error = controlled(hv, caller, domid, &domain);

	return error ? error : hv_p2m_remove(&hv->allocator, &domain->iommu, dfn, count);
}

uint64_t hv_iommu_spares(const struct hv_domain *domain, uint64_t mfn, uint64_t count)
{
	for (uint32_t i = 0; i < domain->iommu.count; i++) {
		const struct hv_extent *extent = &domain->iommu.extents[i];

		if (mfn >= extent->mfn && mfn - extent->mfn < extent->count)
			return 0;
		if (extent->mfn >= mfn && extent->mfn - mfn < count)
			count = extent->mfn - mfn;
	}
	return count;
}
