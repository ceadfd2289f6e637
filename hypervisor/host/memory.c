/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file and its mapping; ring pages, which have fixed places; and what tests want to know of
 * the rest.
 */
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host.h"

#define MEMORY_SIZE (MEMORY_FRAMES * HV_PAGE_SIZE)

/* The ring, its indices and the words behind them. */
#define RING_INTERFACE 2080U

/* Domains get their memory in pieces of at most so many frames. */
#define PIECE_FRAMES 8

int memory_open(struct host *host, int fd)
{
	char link[4096], target[64];
	void *address;

	host->memory = fd >= 0 ? fd : memfd_create("simxen-memory", 0);
	if (host->memory < 0 || (fd < 0 && ftruncate(host->memory, (off_t)MEMORY_SIZE) < 0))
		return -errno;
	address = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
		       host->memory, 0);
	if (address == MAP_FAILED)
		return -errno;
	host->frames = address;
	snprintf(target, sizeof(target), "/proc/%d/fd/%d", (int)getpid(), host->memory);
	if (snprintf(link, sizeof(link), "%s/" SIMXEN_MEMORY, host->directory) >= (int)sizeof(link))
		return -ENAMETOOLONG;
	unlink(link);
	return symlink(target, link) < 0 ? -errno : 0;
}

void memory_close(struct host *host)
{
	if (host->frames)
		munmap(host->frames, MEMORY_SIZE);
	if (host->memory >= 0)
		close(host->memory);
}

void *memory_frame(const struct host *host, uint64_t frame)
{
	return host->frames + frame * HV_PAGE_SIZE;
}

/* ---- the mechanism's view ---- */

/* Is [first, first + count) in the machine? */
static bool are_frames(uint64_t first, uint64_t count)
{
	return count && first < MEMORY_FRAMES && count <= MEMORY_FRAMES - first;
}

/* All of memory is mapped as it is. */
static void *map_contiguous(void *data, uint64_t first, uint64_t count)
{
	return are_frames(first, count) ? memory_frame(data, first) : NULL;
}

static void *map(void *data, const uint64_t *frames, uint64_t count)
{
	const struct host *host = data;
	const size_t size = count * HV_PAGE_SIZE;
	unsigned char *start = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (start == MAP_FAILED)
		return NULL;
	for (uint64_t i = 0, run; i < count; i += run) {
		for (run = 1; i + run < count && frames[i + run] == frames[i] + run; run++)
			;
		if (!are_frames(frames[i], run) ||
		    mmap(start + i * HV_PAGE_SIZE, run * HV_PAGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, host->memory,
			 (off_t)(frames[i] * HV_PAGE_SIZE)) == MAP_FAILED) {
			munmap(start, size);
			return NULL;
		}
	}
	return start;
}

static void unmap(void *data, void *address, uint64_t count)
{
	const struct host *host = data;
	const unsigned char *at = address;

	if (at < host->frames || at >= host->frames + MEMORY_SIZE)
		munmap(address, count * HV_PAGE_SIZE);
}

struct hv_mapper memory_mapper(struct host *host)
{
	return (struct hv_mapper){map, map_contiguous, unmap, host};
}

/* ---- ring pages ---- */

int memory_hide_rings(struct host *host)
{
	struct hv_frame_table *table = &host->machine.table;
	struct hv_frames frames = {0};
	int error = 0;

	for (uint64_t at = 0; !error && at < MEMORY_HEAP_FIRST;) {
		if (!hv_frames_walk(table, &at, &frames))
			break;
		if (frames.type != HV_FRAME_FREE)
			continue;
		if (frames.first + frames.count > MEMORY_HEAP_FIRST)
			frames.count = MEMORY_HEAP_FIRST - frames.first;
		error = hv_frames_set(table, frames.first, frames.count, HV_DOMID_INVALID,
				      HV_FRAME_ABSENT);
	}
	return error;
}

void memory_hide_ring(struct host *host, uint32_t domid)
{
	/* It fails for one that is still mapped by somebody, whose turn comes later. */
	(void)hv_frames_change(&host->machine.table, domid, 1, HV_DOMID_INVALID, HV_FRAME_FREE,
			       HV_FRAME_ABSENT);
}

int memory_give_ring(struct host *host, uint32_t domid)
{
	struct hv_domain *domain = hv_domain_find(&host->hv, domid);
	struct hv_frame_table *table = &host->machine.table;
	int error = hv_frames_change(table, domid, 1, (uint16_t)domid, HV_FRAME_ABSENT,
				     HV_FRAME_RAM);

	if (error)
		return error;
	error = hv_p2m_add(&host->hv.allocator, &domain->p2m, domid, domid, 1);
	if (error) {
		(void)hv_frames_change(table, domid, 1, (uint16_t)domid, HV_FRAME_RAM,
				       HV_FRAME_ABSENT);
		return error;
	}
	domain->pages++;
	fallocate(host->memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		  (off_t)domid * HV_PAGE_SIZE, HV_PAGE_SIZE);
	return 0;
}

/* ---- what only the guest knows ---- */

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

int memory_give_private(struct host *host, uint32_t domid, uint64_t pages)
{
	const struct hv_domain *domain = hv_domain_find(&host->hv, domid);
	int64_t got = 0;

	if (pages > MEMORY_SHARES_GFN - MEMORY_PRIVATE_GFN)
		return -EINVAL;
	hv_heap_scatter(&host->machine.heap, PIECE_FRAMES, domain->unique_id);
	if (pages)
		got = hv_populate(&host->hv, HV_DOMID_XEN, domid, MEMORY_PRIVATE_GFN, pages);
	hv_heap_scatter(&host->machine.heap, 0, 0);
	if (got != (int64_t)pages)
		return got < 0 ? (int)got : -ENOMEM;
	for (uint64_t gfn = MEMORY_PRIVATE_GFN; pages--; gfn++) {
		uint64_t *words = memory_frame(host, hv_p2m_mfn(&domain->p2m, gfn));

		for (uint64_t i = 0; i < HV_PAGE_SIZE / sizeof(*words); i++)
			words[i] = mix(domain->unique_id, gfn * HV_PAGE_SIZE + i);
	}
	return 0;
}

/* ---- the hash ---- */

static uint64_t hash_page(const struct host *host, uint64_t gfn, uint64_t mfn, uint64_t hash)
{
	uint64_t words[HV_PAGE_SIZE / sizeof(uint64_t)];
	size_t first = gfn < MEMORY_PRIVATE_GFN ? RING_INTERFACE / sizeof(uint64_t) : 0;

	hash = mix(mix(hash, gfn), mfn);
	/* Read, not looked at: that would give memory to a page that was never written. */
	if (pread(host->memory, words, sizeof(words), (off_t)(mfn * HV_PAGE_SIZE)) !=
	    (ssize_t)sizeof(words))
		return ~hash;
	for (size_t i = first; i < sizeof(words) / sizeof(*words); i++)
		hash = mix(hash, words[i]);
	return hash;
}

static uint64_t hash_domain(const struct host *host, const struct hv_domain *domain, uint64_t hash)
{
	hash = mix(hash, domain->unique_id);
	for (uint32_t i = 0; i < domain->p2m.count; i++) {
		const struct hv_extent *extent = &domain->p2m.extents[i];

		for (uint64_t j = 0; j < extent->count && extent->gfn + j < MEMORY_SHARES_GFN; j++)
			hash = hash_page(host, extent->gfn + j, extent->mfn + j, hash);
	}
	return hash;
}

uint64_t memory_hash(struct host *host)
{
	const struct hv_domain *domain = hv_domain_next(&host->hv, 0);
	uint64_t hash = 0;

	for (; domain; domain = hv_domain_next(&host->hv, domain->domid + 1U))
		hash = hash_domain(host, domain, hash);
	return hash;
}
