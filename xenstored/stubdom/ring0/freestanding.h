/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Included before everything else in the ring-0 layer.
 *
 * The layer runs below the C library and before it: the library's memcpy() may
 * use registers that a system call must preserve, and is a jump through a table
 * that its start-up fills. The compiler however makes calls to these four by
 * itself. Under other names, they are the layer's own.
 */
#ifndef XENSTORED_STUBDOM_RING0_FREESTANDING_H
#define XENSTORED_STUBDOM_RING0_FREESTANDING_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t size) __asm__("ring0_memcpy");
void *memmove(void *to, const void *from, size_t size) __asm__("ring0_memmove");
void *memset(void *to, int value, size_t size) __asm__("ring0_memset");
int memcmp(const void *a, const void *b, size_t size) __asm__("ring0_memcmp");

#endif
