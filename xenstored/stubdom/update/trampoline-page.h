/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The trampoline's page, filled so that it starts a kernel. */
#ifndef STUBDOM_UPDATE_TRAMPOLINE_PAGE_H
#define STUBDOM_UPDATE_TRAMPOLINE_PAGE_H

#include "stubdom/ring0/trampoline.h"
#include "stubdom/update/kernel-image.h"

/**
 * Fill the page.
 * @code: @size bytes of code for its beginning
 * @image: of the file at the physical address @file, which must not be in the way of its segments
 * @start_info: physical address
 * Returns false when the code is too long.
 */
bool trampoline_fill(struct trampoline *trampoline, const void *code, size_t size,
		     const struct kernel_image *image, uint64_t file, uint32_t start_info);

/** One more move, behind those of a page that was filled: there is room for one. */
void trampoline_add(struct trampoline *trampoline, uint64_t to, uint64_t from, uint64_t size);

#endif
