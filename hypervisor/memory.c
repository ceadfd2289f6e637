/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames of domains. Like on the real hypervisor, giving and taking memory goes as far
 * as it gets, and says how far that was.
 */
#include "hypervisor/memory.h"

#include "hypervisor/hypervisor.h"

int hv_memory_init(struct hv_memory *memory, const struct hv_allocator *allocator, uint64_t frames)
{
	int error = hv_frame_table_init(&memory->table, allocator, frames);

	memory->bootmem = (struct hv_bootmem){0};
	hv_heap_init(&memory->heap, &memory->table, &memory->bootmem);
	return error;
}

void hv_memory_deinit(struct hv_memory *memory)
{
	hv_frame_table_deinit(&memory->table);
}

/* The domain whose memory a control domain wants to change. */
static int controlled(struct hypervisor *hv, unsigned int caller, unsigned int domid,
		      struct hv_domain **domain)
{
	if (!hv_is_control(hv, caller))
		return -XEN_EPERM;
	*domain = hv_domain_find(hv, hv_domid(caller, domid));
	if (!*domain || (*domain)->life != HV_ALIVE)
		return -XEN_ESRCH;
	return hv->memory ? 0 : -XEN_EINVAL;
}

int64_t hv_populate(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint64_t gfn,
		    uint64_t count)
{
	struct hv_domain *domain;
	uint64_t done = 0;
	int error = controlled(hv, caller, domid, &domain);

	if (!error && (!count || count > HV_MAX_FRAMES || gfn > HV_MAX_FRAMES - count))
		error = -XEN_EINVAL;
	while (!error && done < count) {
		uint64_t mfn;
		int64_t got = hv_heap_allocate(&hv->memory->heap, count - done, domain->domid,
					       HV_FRAME_RAM, &mfn);

		if (got <= 0) {
			error = -XEN_ENOMEM;
			break;
		}
		error = hv_p2m_add(&hv->allocator, &domain->p2m, gfn + done, mfn, (uint64_t)got);
		if (error) {
			(void)hv_heap_free(&hv->memory->heap, mfn, (uint64_t)got, domain->domid,
					   HV_FRAME_RAM);
			break;
		}
		done += (uint64_t)got;
		domain->pages += (uint64_t)got;
		hv_m2p_forget(hv);
	}
	return done ? (int64_t)done : error;
}

/*
 * Give back the frame behind @gfn and those that follow it and are as free of mappings, at most
 * @count. Returns how many, or the error.
 */
static int64_t release(struct hypervisor *hv, struct hv_domain *domain, uint64_t gfn,
		       uint64_t count)
{
	struct hv_extent extent;
	struct hv_frames frames;
	uint64_t position;
	int error;

	if (!hv_p2m_find(&domain->p2m, gfn, &extent))
		return -XEN_ENOENT;
	position = extent.mfn;
	if (!hv_frames_walk(&hv->memory->table, &position, &frames) || frames.references)
		return -XEN_EBUSY;
	count = hv_iommu_spares(domain, extent.mfn, count);
	if (!count)
		return -XEN_EBUSY;
	if (count > extent.count)
		count = extent.count;
	if (count > frames.count)
		count = frames.count;
	error = hv_heap_free(&hv->memory->heap, extent.mfn, count, domain->domid, HV_FRAME_RAM);
	if (error)
		return error;
	error = hv_p2m_remove(&hv->allocator, &domain->p2m, gfn, count);
	if (error) {
		/* Nobody else had a chance to take them. */
		(void)hv_frames_change(&hv->memory->table, extent.mfn, count, domain->domid,
				       HV_FRAME_FREE, HV_FRAME_RAM);
		return error;
	}
	domain->pages -= count;
	hv_m2p_forget(hv);
	return (int64_t)count;
}

int64_t hv_depopulate(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint64_t gfn,
		      uint64_t count)
{
	struct hv_domain *domain;
	int64_t done = 0, got = controlled(hv, caller, domid, &domain);

	if (!got && (!count || count > HV_MAX_FRAMES || gfn > HV_MAX_FRAMES - count))
		got = -XEN_EINVAL;
	while (got >= 0 && (uint64_t)done < count) {
		got = release(hv, domain, gfn + (uint64_t)done, count - (uint64_t)done);
		if (got > 0)
			done += got;
	}
	return done ? done : got;
}

int hv_allocate_special(struct hypervisor *hv, struct hv_domain *domain, enum hv_frame_type type,
			uint32_t count, uint64_t *first)
{
	struct hv_heap *heap = &hv->memory->heap;
	int error;

	if (!hv_frame_survives(type) || type == HV_FRAME_RAM)
		return -XEN_EINVAL;
	error = hv_heap_allocate_contiguous(heap, count, 1, domain->domid, type, first);
	if (error)
		return error;
	error = hv_special_add(&hv->allocator, &domain->special, *first, count, type);
	if (error)
		(void)hv_heap_free(heap, *first, count, domain->domid, type);
	return error;
}

/* What is outside of the address space goes as a whole or stays. */
static bool relinquish_special(struct hypervisor *hv, struct hv_domain *domain)
{
	struct hv_special_list *special = &domain->special;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < special->count; i++) {
		const struct hv_special *entry = &special->list[i];

		if (hv_heap_free(&hv->memory->heap, entry->mfn, entry->count, domain->domid,
				 entry->type))
			special->list[kept++] = *entry;
	}
	special->count = kept;
	return !kept;
}

int hv_relinquish(struct hypervisor *hv, struct hv_domain *domain)
{
	uint64_t gfn = 0;
	bool all = true;

	if (!hv->memory)
		return 0;
	/* From the highest extent down, so that the array only gets shorter. */
	for (uint32_t i = domain->p2m.count; i-- > 0;) {
		const struct hv_extent extent = domain->p2m.extents[i];
		int64_t got;

		for (gfn = extent.gfn; gfn < extent.gfn + extent.count; gfn += (uint64_t)got) {
			got = release(hv, domain, gfn, extent.gfn + extent.count - gfn);
			if (got <= 0) {
				all = false;
				got = 1;
			}
		}
	}
	if (!relinquish_special(hv, domain))
		all = false;
	return all ? 0 : -XEN_EBUSY;
}
