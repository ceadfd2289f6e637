/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Grants: pages of other domains in our memory, and ours in theirs.
 *
 * The ring of a domain is always mapped at the same place, which depends on its
 * domid alone, and the mapping's handle is kept in a table at a fixed place. So a
 * mapping outlives the image that made it, and the next one finds it without a
 * hypercall. (spec: stubdom.md section 3 "Rings of others", section 6)
 */
#ifndef XENSTORED_STUBDOM_RING0_GRANTS_H
#define XENSTORED_STUBDOM_RING0_GRANTS_H

#include <stdbool.h>
#include <stdint.h>

/** Set the tables up, unless an earlier image has. Returns 0 or -errno. */
int grants_init(void);

/**
 * Map entry 1 of @domid, its Xenstore ring, or find that it is mapped. Fills @page. Returns 0 or
 * -errno.
 */
int grants_map_ring(unsigned int domid, void **page);

/** Unmap a ring; one that is not mapped stays so. */
void grants_unmap_ring(unsigned int domid);

/** Unmap all rings, for a program that knows nothing of them. */
void grants_unmap_all(void);

/**
 * Let @domid map the page at @page, for writing, by entry @ref of our table (8 and above are free
 * to be used). An entry that says just this already stays as it is. Returns 0; -EINVAL: no such
 * entry; -EBUSY: it is in use.
 */
int grants_give(uint32_t ref, unsigned int domid, const void *page);

/** What entry @ref of our table gives: the page at *@address, to *@domid. Returns false: nothing.
 */
bool grants_find(uint32_t ref, unsigned int *domid, uint64_t *address);

/** Take an entry back. Returns 0; -EINVAL; -EBUSY while it is mapped. */
int grants_take_back(uint32_t ref);

#endif
