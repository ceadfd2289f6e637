/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Extents in an array, sorted by gfn. A domain's memory is put together from low to
 * high, so adding is nearly always appending, or makes the last extent longer.
 */
#include "hypervisor/p2m.h"

#include <stddef.h>
#include <string.h>

#include "hypervisor/xen-errno.h"

/* The number of extents that begin at @gfn or below. */
static uint32_t extents_upto(const struct hv_p2m *p2m, uint64_t gfn)
{
	uint32_t low = 0, high = p2m->count;

	if (high && p2m->extents[high - 1].gfn <= gfn)
		return high;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (p2m->extents[middle].gfn <= gfn)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Does @next go on where @extent ends? */
static bool continues(const struct hv_extent *extent, const struct hv_extent *next)
{
	return extent->gfn + extent->count == next->gfn && extent->mfn + extent->count == next->mfn;
}

static int make_room(const struct hv_allocator *allocator, struct hv_p2m *p2m)
{
	void *extents = p2m->extents;
	int error;

	if (p2m->count == HV_P2M_LIMIT)
		return -XEN_ENOMEM;
	error = hv_grow(allocator, &extents, sizeof(*p2m->extents), &p2m->capacity, p2m->count + 1,
			HV_P2M_LIMIT);
	p2m->extents = extents;
	return error;
}

static void insert(struct hv_p2m *p2m, uint32_t at, const struct hv_extent *extent)
{
	memmove(p2m->extents + at + 1, p2m->extents + at,
		(p2m->count - at) * sizeof(*p2m->extents));
	p2m->extents[at] = *extent;
	p2m->count++;
}

static void erase(struct hv_p2m *p2m, uint32_t at, uint32_t count)
{
	memmove(p2m->extents + at, p2m->extents + at + count,
		(p2m->count - at - count) * sizeof(*p2m->extents));
	p2m->count -= count;
}

int hv_p2m_add(const struct hv_allocator *allocator, struct hv_p2m *p2m, uint64_t gfn, uint64_t mfn,
	       uint64_t count)
{
	const struct hv_extent extent = {.gfn = gfn, .mfn = mfn, .count = count};
	const uint32_t at = extents_upto(p2m, gfn);
	struct hv_extent *before = at ? &p2m->extents[at - 1] : NULL;
	struct hv_extent *after = at < p2m->count ? &p2m->extents[at] : NULL;
	int error;

	if (!count || count > HV_MAX_FRAMES || gfn > HV_MAX_FRAMES - count ||
	    mfn > HV_MAX_FRAMES - count)
		return -XEN_EINVAL;
	if ((before && gfn - before->gfn < before->count) || (after && after->gfn - gfn < count))
		return -XEN_EEXIST;
	if (before && continues(before, &extent)) {
		before->count += count;
		if (after && continues(before, after)) {
			before->count += after->count;
			erase(p2m, at, 1);
		}
	} else if (after && continues(&extent, after)) {
		*after = (struct hv_extent){gfn, mfn, after->count + count};
	} else {
		error = make_room(allocator, p2m);
		if (error)
			return error;
		insert(p2m, at, &extent);
	}
	p2m->frames += count;
	return 0;
}

/* Is there memory all the way from @gfn to @end, beginning in extent @at? */
static bool is_complete(const struct hv_p2m *p2m, uint32_t at, uint64_t gfn, uint64_t end)
{
	for (; gfn < end; at++) {
		if (at >= p2m->count || p2m->extents[at].gfn > gfn ||
		    gfn - p2m->extents[at].gfn >= p2m->extents[at].count)
			return false;
		gfn = p2m->extents[at].gfn + p2m->extents[at].count;
	}
	return true;
}

int hv_p2m_remove(const struct hv_allocator *allocator, struct hv_p2m *p2m, uint64_t gfn,
		  uint64_t count)
{
	const uint32_t upto = extents_upto(p2m, gfn);
	const uint64_t end = gfn + count;
	uint32_t at = upto ? upto - 1 : 0, last;
	struct hv_extent *extent;
	int error = 0;

	if (!count || count > HV_MAX_FRAMES || gfn > HV_MAX_FRAMES ||
	    !is_complete(p2m, at, gfn, end))
		return -XEN_ENOENT;
	extent = &p2m->extents[at];
	if (extent->gfn < gfn) {
		const uint64_t keep = gfn - extent->gfn;

		if (extent->count - keep > count) {
			const struct hv_extent rest = {end, extent->mfn + keep + count,
						       extent->count - keep - count};

			error = make_room(allocator, p2m);
			if (error)
				return error;
			insert(p2m, at + 1, &rest);
		}
		p2m->extents[at++].count = keep;
	}
	p2m->frames -= count;
	for (last = at; last < p2m->count && p2m->extents[last].gfn < end; last++) {
		extent = &p2m->extents[last];
		if (end - extent->gfn < extent->count) {
			const uint64_t skip = end - extent->gfn;

			*extent = (struct hv_extent){end, extent->mfn + skip, extent->count - skip};
			break;
		}
	}
	erase(p2m, at, last - at);
	return 0;
}

bool hv_p2m_find(const struct hv_p2m *p2m, uint64_t gfn, struct hv_extent *found)
{
	const uint32_t upto = extents_upto(p2m, gfn);
	const struct hv_extent *extent = upto ? &p2m->extents[upto - 1] : NULL;
	uint64_t skip;

	if (!extent || gfn - extent->gfn >= extent->count)
		return false;
	skip = gfn - extent->gfn;
	*found = (struct hv_extent){gfn, extent->mfn + skip, extent->count - skip};
	return true;
}

uint64_t hv_p2m_mfn(const struct hv_p2m *p2m, uint64_t gfn)
{
	struct hv_extent found;

	return hv_p2m_find(p2m, gfn, &found) ? found.mfn : HV_NO_FRAME;
}

void hv_p2m_deinit(const struct hv_allocator *allocator, struct hv_p2m *p2m)
{
	hv_release(allocator, p2m->extents, p2m->capacity * sizeof(*p2m->extents));
	memset(p2m, 0, sizeof(*p2m));
}

int hv_special_add(const struct hv_allocator *allocator, struct hv_special_list *list, uint64_t mfn,
		   uint32_t count, enum hv_frame_type type)
{
	void *entries = list->list;
	int error;

	if (list->count == HV_P2M_LIMIT)
		return -XEN_ENOMEM;
	error = hv_grow(allocator, &entries, sizeof(*list->list), &list->capacity, list->count + 1,
			HV_P2M_LIMIT);
	list->list = entries;
	if (error)
		return error;
	list->list[list->count++] = (struct hv_special){mfn, count, (uint8_t)type};
	return 0;
}

void hv_special_deinit(const struct hv_allocator *allocator, struct hv_special_list *list)
{
	hv_release(allocator, list->list, list->capacity * sizeof(*list->list));
	memset(list, 0, sizeof(*list));
}
