/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames that follow each other are mapped with one call, like any run of frames by a
 * hypervisor that uses large pages. Pages are faulted in by the mapping call, because
 * that is when a hypervisor writes its page tables.
 */
#include "physical.h"

#include <err.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hypervisor/frame-table.h"

static void *map_some(struct physical *physical, const uint64_t *frames, uint64_t first,
		      uint64_t count)
{
	uint8_t *place = mmap(NULL, count * HV_PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			      -1, 0);

	if (place == MAP_FAILED)
		return NULL;
	for (uint64_t at = 0, run; at < count; at += run) {
		const uint64_t frame = frames ? frames[at] : first + at;

		run = frames ? 1 : count;
		while (at + run < count && frames[at + run] == frame + run)
			run++;
		if (mmap(place + at * HV_PAGE_SIZE, run * HV_PAGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED | MAP_POPULATE, physical->file,
			 (off_t)(frame * HV_PAGE_SIZE)) == MAP_FAILED) {
			munmap(place, count * HV_PAGE_SIZE);
			return NULL;
		}
	}
	return place;
}

static void *map(void *data, const uint64_t *frames, uint64_t count)
{
	return map_some(data, frames, 0, count);
}

static void *map_contiguous(void *data, uint64_t first, uint64_t count)
{
	return map_some(data, NULL, first, count);
}

static void unmap(void *data, void *address, uint64_t count)
{
	(void)data;
	munmap(address, count * HV_PAGE_SIZE);
}

void physical_init(struct physical *physical, uint64_t frames)
{
	physical->file = memfd_create("physical", MFD_CLOEXEC);
	if (physical->file < 0 || ftruncate(physical->file, (off_t)(frames * HV_PAGE_SIZE)) < 0)
		err(1, "memory for %llu frames", (unsigned long long)frames);
	physical->mapper = (struct hv_mapper){map, map_contiguous, unmap, physical};
}

void physical_deinit(struct physical *physical)
{
	close(physical->file);
}
