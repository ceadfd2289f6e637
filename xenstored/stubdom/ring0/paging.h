/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which addresses may be touched at all.
 *
 * Every address below 4 GB is mapped to itself at the start. What is not memory
 * of ours is taken away then: the hypervisor would let us read ones and write
 * into nothing there, and a wild pointer would go unnoticed.
 */
#ifndef XENSTORED_STUBDOM_RING0_PAGING_H
#define XENSTORED_STUBDOM_RING0_PAGING_H

#include <stdint.h>

/** Take page 0, the page below the stack, and everything from @end up that layout.h does not name.
 */
void paging_init(uintptr_t end);

/** Memory from @start to @end has been populated. */
void paging_allow(uintptr_t start, uintptr_t end);

#endif
