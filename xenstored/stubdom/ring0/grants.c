/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The window of rings, and our own grant table. */
#include "stubdom/ring0/grants.h"

#include <errno.h>
#include <string.h>

#include "stubdom/layout.h"
#include "stubdom/ring0/hypercall.h"
#include "stubdom/ring0/state.h"

#include <xen/grant_table.h>
#include <xen/memory.h>

#define NOT_MAPPED UINT32_MAX

#define ENTRIES ((LAYOUT_GRANT_TABLE_END - LAYOUT_GRANT_TABLE) / sizeof(struct grant_entry_v1))

_Static_assert(LAYOUT_RING_HANDLES + DOMID_FIRST_RESERVED * sizeof(uint32_t) <=
		       LAYOUT_RING_HANDLES_END,
	       "room for all handles");
_Static_assert(LAYOUT_RINGS + (unsigned long)DOMID_FIRST_RESERVED * LAYOUT_PAGE <= LAYOUT_RINGS_END,
	       "room for all rings");

static uint32_t *ring_handle(unsigned int domid)
{
	return (uint32_t *)(uintptr_t)LAYOUT_RING_HANDLES + domid;
}

static uintptr_t ring_address(unsigned int domid)
{
	return LAYOUT_RINGS + (uintptr_t)domid * LAYOUT_PAGE;
}

static volatile struct grant_entry_v1 *entry(uint32_t ref)
{
	return (volatile struct grant_entry_v1 *)(uintptr_t)LAYOUT_GRANT_TABLE + ref;
}

/* Grant operations have errors of their own. */
static int error_of(int16_t status)
{
	switch (status) {
	case GNTST_okay:
		return 0;
	case GNTST_bad_domain:
		return -ESRCH;
	case GNTST_permission_denied:
		return -EPERM;
	case GNTST_no_device_space:
		return -ENOSPC;
	case GNTST_eagain:
		return -EAGAIN;
	default:
		return -EINVAL;
	}
}

int grants_init(void)
{
	for (uint32_t frame = 0;
	     frame < (LAYOUT_GRANT_TABLE_END - LAYOUT_GRANT_TABLE) / LAYOUT_PAGE; frame++) {
		struct xen_add_to_physmap map = {
			.domid = DOMID_SELF,
			.space = XENMAPSPACE_grant_table,
			.idx = frame,
			.gpfn = (LAYOUT_GRANT_TABLE >> LAYOUT_PAGE_SHIFT) + frame,
		};
		long error = hypercall_op(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, &map);

		if (error)
			return (int)error;
	}
	if (!ring0_updated)
		memset(ring_handle(0), 0xff, LAYOUT_RING_HANDLES_END - LAYOUT_RING_HANDLES);
	return 0;
}

int grants_map_ring(unsigned int domid, void **page)
{
	struct gnttab_map_grant_ref map = {
		.host_addr = ring_address(domid),
		.flags = GNTMAP_host_map,
		.ref = GNTTAB_RESERVED_XENSTORE,
		.dom = (domid_t)domid,
	};
	long error;

	if (domid >= DOMID_FIRST_RESERVED)
		return -EINVAL;
	*page = (void *)ring_address(domid);
	if (*ring_handle(domid) != NOT_MAPPED)
		return 0;
	error = hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, (uintptr_t)&map, 1);
	if (error)
		return (int)error;
	if (map.status)
		return error_of(map.status);
	*ring_handle(domid) = map.handle;
	return 0;
}

void grants_unmap_ring(unsigned int domid)
{
	struct gnttab_unmap_grant_ref unmap = {.host_addr = ring_address(domid)};

	if (domid >= DOMID_FIRST_RESERVED || *ring_handle(domid) == NOT_MAPPED)
		return;
	unmap.handle = *ring_handle(domid);
	hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, (uintptr_t)&unmap, 1);
	*ring_handle(domid) = NOT_MAPPED;
}

void grants_unmap_all(void)
{
	for (unsigned int domid = 0; domid < DOMID_FIRST_RESERVED; domid++)
		grants_unmap_ring(domid);
}

bool grants_find(uint32_t ref, unsigned int *domid, uint64_t *address)
{
	if (ref < GNTTAB_NR_RESERVED_ENTRIES || ref >= ENTRIES ||
	    (entry(ref)->flags & GTF_type_mask) != GTF_permit_access)
		return false;
	*domid = entry(ref)->domid;
	*address = (uint64_t)entry(ref)->frame << LAYOUT_PAGE_SHIFT;
	return true;
}

int grants_give(uint32_t ref, unsigned int domid, const void *page)
{
	uint32_t frame = (uint32_t)((uintptr_t)page >> LAYOUT_PAGE_SHIFT);

	if (ref < GNTTAB_NR_RESERVED_ENTRIES || ref >= ENTRIES)
		return -EINVAL;
	if (entry(ref)->flags)
		return entry(ref)->domid == domid && entry(ref)->frame == frame ? 0 : -EBUSY;
	entry(ref)->frame = frame;
	entry(ref)->domid = (domid_t)domid;
	__atomic_store_n(&entry(ref)->flags, GTF_permit_access, __ATOMIC_SEQ_CST);
	return 0;
}

int grants_take_back(uint32_t ref)
{
	uint16_t flags;

	if (ref < GNTTAB_NR_RESERVED_ENTRIES || ref >= ENTRIES)
		return -EINVAL;
	flags = __atomic_load_n(&entry(ref)->flags, __ATOMIC_SEQ_CST);
	do {
		if (flags & (GTF_reading | GTF_writing))
			return -EBUSY;
	} while (!__atomic_compare_exchange_n(&entry(ref)->flags, &flags, 0, false,
					      __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	return 0;
}
