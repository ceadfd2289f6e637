/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of one hypervisor, which ends with it as a whole. It is there before it is
 * wanted, as a real hypervisor's is: no system call, no page fault, and nothing that
 * CPUs share but a counter that is moved for many blocks at once.
 */
#ifndef HVBENCH_ARENA_H
#define HVBENCH_ARENA_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct arena {
	uint8_t *base;
	atomic_size_t used;
	unsigned int number; /* no two have the same */
};

/* Memory for @expected bytes is there at once. Ends the program when it cannot be had. */
void arena_init(struct arena *arena, size_t expected);

void arena_deinit(struct arena *arena);

/* The functions of struct hv_allocator. Released blocks are not used again. */
void *arena_allocate(void *arena, size_t size);
void arena_release(void *arena, void *block, size_t size);

/* Bytes that were given away. */
size_t arena_used(const struct arena *arena);

#endif
