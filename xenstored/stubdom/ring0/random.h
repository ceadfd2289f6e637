/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers that a guest cannot foresee, for the keys of hash tables: the processor's
 * generator where there is one, and the unevenness of time in any case.
 */
#ifndef XENSTORED_STUBDOM_RING0_RANDOM_H
#define XENSTORED_STUBDOM_RING0_RANDOM_H

#include <stddef.h>

/** Fill @size bytes at @out. */
void random_fill(void *out, size_t size);

#endif
