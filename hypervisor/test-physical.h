/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Physical memory for tests: a sparse file in memory, mapped as the mechanism asks.
 * Machines of any size cost what is written.
 *
 * Included by test programs.
 */
#ifndef HYPERVISOR_TEST_PHYSICAL_H
#define HYPERVISOR_TEST_PHYSICAL_H

#include <sys/mman.h>
#include <unistd.h>

#include "hypervisor/mapper.h"
#include "hypervisor/test-machine.h"

struct physical {
	int file;
	uint64_t frames;
	long mapped;	      /* frames, at the moment */
	unsigned long calls;  /* of map, since the last physical_refuse() */
	unsigned long refuse; /* the number of the one to be refused, 0: none */
	struct hv_mapper mapper;
};

static void *physical_map_some(struct physical *physical, const uint64_t *frames, uint64_t first,
			       uint64_t count)
{
	uint8_t *place;

	if (++physical->calls == physical->refuse)
		return NULL;
	place = mmap(NULL, count * HV_PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(place, MAP_FAILED);
	for (uint64_t at = 0, run; at < count; at += run) {
		uint64_t frame = frames ? frames[at] : first + at;

		for (run = 1; at + run < count &&
			      (frames ? frames[at + run] : first + at + run) == frame + run;)
			run++;
		assert_true(frame + run <= physical->frames);
		assert_ptr_not_equal(mmap(place + at * HV_PAGE_SIZE, run * HV_PAGE_SIZE,
					  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
					  physical->file, (off_t)(frame * HV_PAGE_SIZE)),
				     MAP_FAILED);
	}
	physical->mapped += (long)count;
	return place;
}

static void *physical_map(void *data, const uint64_t *frames, uint64_t count)
{
	return physical_map_some(data, frames, 0, count);
}

static void *physical_map_contiguous(void *data, uint64_t first, uint64_t count)
{
	return physical_map_some(data, NULL, first, count);
}

static void physical_unmap(void *data, void *address, uint64_t count)
{
	struct physical *physical = data;

	assert_int_equal(munmap(address, count * HV_PAGE_SIZE), 0);
	physical->mapped -= (long)count;
}

static inline struct physical *physical_new(uint64_t frames)
{
	struct physical *physical = calloc(1, sizeof(*physical));

	assert_non_null(physical);
	physical->file = memfd_create("physical", MFD_CLOEXEC);
	assert_true(physical->file >= 0);
	assert_int_equal(ftruncate(physical->file, (off_t)(frames * HV_PAGE_SIZE)), 0);
	physical->frames = frames;
	physical->mapper = (struct hv_mapper){physical_map, physical_map_contiguous, physical_unmap,
					      physical};
	return physical;
}

/* Everything that was mapped must be unmapped. */
static inline void physical_free(struct physical *physical)
{
	assert_int_equal(physical->mapped, 0);
	close(physical->file);
	free(physical);
}

/* Refuse the @nth mapping from now on; 0: none. */
static inline void physical_refuse(struct physical *physical, unsigned long nth)
{
	physical->calls = 0;
	physical->refuse = nth;
}

static inline void physical_write(struct physical *physical, uint64_t frame, size_t offset,
				  const void *bytes, size_t size)
{
	assert_int_equal(
		pwrite(physical->file, bytes, size, (off_t)(frame * HV_PAGE_SIZE + offset)),
		(ssize_t)size);
}

static inline void physical_read(struct physical *physical, uint64_t frame, size_t offset,
				 void *bytes, size_t size)
{
	assert_int_equal(pread(physical->file, bytes, size, (off_t)(frame * HV_PAGE_SIZE + offset)),
			 (ssize_t)size);
}

/* A digest of the contents of some frames. */
static inline uint64_t physical_digest(struct physical *physical, uint64_t first, uint64_t count)
{
	uint64_t digest = UINT64_C(0xcbf29ce484222325);
	unsigned char page[HV_PAGE_SIZE];

	for (uint64_t frame = first; frame < first + count; frame++) {
		physical_read(physical, frame, 0, page, sizeof(page));
		for (unsigned int i = 0; i < HV_PAGE_SIZE; i++)
			digest = (digest ^ page[i]) * UINT64_C(0x100000001b3);
	}
	return digest;
}

#endif
