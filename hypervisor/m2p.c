/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making the M2P is collecting all extents and sorting them, in place and without
 * recursion (heapsort).
 */
#include "hypervisor/m2p.h"

#include <stddef.h>
#include <string.h>

#include "hypervisor/hypervisor.h"

void hv_m2p_forget(struct hypervisor *hv)
{
	hv_release(&hv->allocator, hv->m2p.extents, hv->m2p.count * sizeof(*hv->m2p.extents));
	hv->m2p.extents = NULL;
	hv->m2p.count = 0;
}

/* Let the extent at @root sink to where it belongs. */
static void sink(struct hv_m2p_extent *heap, uint64_t root, uint64_t count)
{
	for (;;) {
		uint64_t child = 2 * root + 1;
		struct hv_m2p_extent kept = heap[root];

		if (child >= count)
			return;
		if (child + 1 < count && heap[child + 1].mfn > heap[child].mfn)
			child++;
		if (heap[child].mfn <= kept.mfn)
			return;
		heap[root] = heap[child];
		heap[child] = kept;
		root = child;
	}
}

static void sort(struct hv_m2p_extent *extents, uint64_t count)
{
	for (uint64_t i = count / 2; i-- > 0;)
		sink(extents, i, count);
	for (uint64_t end = count; end > 1; end--) {
		struct hv_m2p_extent largest = extents[0];

		extents[0] = extents[end - 1];
		extents[end - 1] = largest;
		sink(extents, 0, end - 1);
	}
}

static uint64_t count_extents(const struct hypervisor *hv)
{
	const struct hv_domain *domain = hv_table_next(&hv->domains, 0);
	uint64_t count = 0;

	for (; domain; domain = hv_table_next(&hv->domains, domain->domid + 1u))
		count += domain->p2m.count;
	return count;
}

static uint64_t count_frames(const struct hypervisor *hv)
{
	const struct hv_domain *domain = hv_table_next(&hv->domains, 0);
	uint64_t count = 0;

	for (; domain; domain = hv_table_next(&hv->domains, domain->domid + 1u))
		count += domain->p2m.frames;
	return count;
}

static int make(struct hypervisor *hv)
{
	const struct hv_domain *domain = hv_table_next(&hv->domains, 0);
	struct hv_m2p *m2p = &hv->m2p;

	m2p->count = count_extents(hv);
	if (!m2p->count)
		return -XEN_ENOENT;
	m2p->extents = hv_allocate(&hv->allocator, m2p->count * sizeof(*m2p->extents));
	if (!m2p->extents) {
		m2p->count = 0;
		return -XEN_ENOMEM;
	}
	m2p->count = 0;
	for (; domain; domain = hv_table_next(&hv->domains, domain->domid + 1u)) {
		for (uint32_t i = 0; i < domain->p2m.count; i++) {
			const struct hv_extent *extent = &domain->p2m.extents[i];

			m2p->extents[m2p->count++] = (struct hv_m2p_extent){
				extent->mfn, extent->gfn, extent->count, domain->domid};
		}
	}
	sort(m2p->extents, m2p->count);
	return 0;
}

int hv_m2p_find(struct hypervisor *hv, uint64_t mfn, unsigned int *domid, uint64_t *gfn)
{
	uint64_t low = 0, high;
	int error = hv->m2p.extents ? 0 : make(hv);

	if (error)
		return error;
	high = hv->m2p.count;
	while (low < high) {
		const uint64_t middle = low + (high - low) / 2;
		const struct hv_m2p_extent *extent = &hv->m2p.extents[middle];

		if (mfn < extent->mfn) {
			high = middle;
		} else if (mfn - extent->mfn >= extent->count) {
			low = middle + 1;
		} else {
			*domid = (unsigned int)extent->domid;
			*gfn = extent->gfn + (mfn - extent->mfn);
			return 0;
		}
	}
	return -XEN_ENOENT;
}

/* Is this an extent of the domain that it names? */
static bool is_true(const struct hypervisor *hv, const struct hv_m2p_extent *extent)
{
	const struct hv_domain *domain = extent->domid < HV_DOMID_FIRST_RESERVED
						 ? hv_table_get(&hv->domains,
								(unsigned int)extent->domid)
						 : NULL;
	struct hv_extent found;

	return domain && hv_p2m_find(&domain->p2m, extent->gfn, &found) &&
	       found.gfn == extent->gfn && found.mfn == extent->mfn && found.count == extent->count;
}

bool hv_m2p_adopt(struct hypervisor *hv, const struct hv_m2p_extent *extents, uint64_t count)
{
	struct hv_m2p_extent *copy;

	uint64_t frames = 0;

	/* None overlap, all are true, and they are as many as there are: these are they. */
	if (!count || count != count_extents(hv))
		return false;
	for (uint64_t i = 0; i < count; i++) {
		if (!is_true(hv, &extents[i]) ||
		    (i && extents[i].mfn < extents[i - 1].mfn + extents[i - 1].count))
			return false;
		frames += extents[i].count;
	}
	if (frames != count_frames(hv))
		return false;
	copy = hv_allocate(&hv->allocator, count * sizeof(*copy));
	if (!copy)
		return false;
	memcpy(copy, extents, count * sizeof(*copy));
	hv_m2p_forget(hv);
	hv->m2p.extents = copy;
	hv->m2p.count = count;
	return true;
}
