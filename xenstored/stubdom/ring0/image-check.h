/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a file is a program that can be started in this domain's memory.
 *
 * The file comes from an administrator, in pieces, over a ring; it is looked at
 * as a whole before anything is done with it. What is checked is all that
 * starting it will rely on. (spec: stubdom.md section 1 "ELF", section 6
 * "Sequence")
 */
#ifndef XENSTORED_STUBDOM_RING0_IMAGE_CHECK_H
#define XENSTORED_STUBDOM_RING0_IMAGE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_SEGMENTS_MAX 8u

/* A part of the file and its place in memory. */
struct image_segment {
	uint64_t address; /* physical */
	uint64_t file_offset;
	uint64_t file_size;   /* bytes to be copied ... */
	uint64_t memory_size; /* ... and zeros up to this */
};

struct image_info {
	uint32_t entry;	     /* physical, for 32-bit mode */
	uint64_t start, end; /* of all segments, in memory */
	unsigned int segment_count;
	struct image_segment segment[IMAGE_SEGMENTS_MAX];
};

/**
 * Check @size bytes at @file, which may be anything.
 * @limit: no segment may reach beyond this address
 * Returns NULL and fills @info; or what is wrong, as a sentence for the administrator.
 */
const char *image_check(const void *file, size_t size, uint64_t limit, struct image_info *info);

#endif
