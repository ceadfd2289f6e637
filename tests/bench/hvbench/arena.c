/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A large range of addresses, given away from its beginning. Each thread takes a slab
 * from it at a time, and small blocks from that.
 */
#include "arena.h"

#include <err.h>
#include <sys/mman.h>

#define ROOM (UINT64_C(1) << 36)
#define SLAB (UINT64_C(1) << 18)

struct slab {
	unsigned int arena; /* its number */
	size_t at, end;
};

static _Thread_local struct slab slab;
static atomic_uint numbers;

void arena_init(struct arena *arena, size_t expected)
{
	/* A slab for each thread may be begun; a few more do no harm. */
	const size_t present = expected + 64 * SLAB;

	arena->base = mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena->base == MAP_FAILED)
		err(1, "memory");
	for (size_t at = 0; at < present && at < ROOM; at += 4096)
		arena->base[at] = 0;
	atomic_init(&arena->used, 0);
	arena->number = atomic_fetch_add(&numbers, 1) + 1;
}

void arena_deinit(struct arena *arena)
{
	munmap(arena->base, ROOM);
}

/* So many bytes of the arena itself. */
static size_t take(struct arena *arena, size_t size)
{
	const size_t at = atomic_fetch_add(&arena->used, size);

	if (at > ROOM - size)
		errx(1, "out of memory");
	return at;
}

void *arena_allocate(void *data, size_t size)
{
	struct arena *arena = data;
	size_t at;

	size = (size + 15) & ~(size_t)15;
	if (size > SLAB / 4)
		return arena->base + take(arena, size);
	if (slab.arena != arena->number || size > slab.end - slab.at) {
		at = take(arena, SLAB);
		slab = (struct slab){arena->number, at, at + SLAB};
	}
	at = slab.at;
	slab.at += size;
	return arena->base + at;
}

void arena_release(void *data, void *block, size_t size)
{
	(void)data;
	(void)block;
	(void)size;
}

size_t arena_used(const struct arena *arena)
{
	return atomic_load(&arena->used);
}
