/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which addresses may be touched, and how.
 *
 * Every address below 4 GB is mapped to itself at the start. What is not memory
 * of ours is taken away then: the hypervisor would let us read ones and write
 * into nothing there, and a wild pointer would go unnoticed. What is code cannot
 * be written, and nothing else can be executed.
 */
#ifndef XENSTORED_STUBDOM_RING0_PAGING_H
#define XENSTORED_STUBDOM_RING0_PAGING_H

#include <stdint.h>

/**
 * Take page 0, the page below the stack, and everything from @end up that layout.h does not name;
 * protect the image. @code: another page that is executed, the hypercall page.
 */
void paging_init(uintptr_t end, uintptr_t code);

/** Memory from @start to @end has been populated. */
void paging_allow(uintptr_t start, uintptr_t end);

/** Let the image be overwritten, by the next one. */
void paging_allow_image(void);

#endif
