/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The breadcrumb: how a hypervisor that takes over finds the stream.
 *
 * Three words at the beginning of boot memory, the one place that both know of when
 * nothing else is known. They are the last that is written, by the same code that puts
 * the new image into its place. That code has entries whose low 12 bits say what to do,
 * so a word that it writes has none: the magic lacks them, and the number of pages is
 * shifted.
 *
 *	word 0	0x4c69766555706000, "LiveUpda" without its low 12 bits
 *	word 1	address of an array of frame numbers, in contiguous frames
 *	word 2	number of frames in the array << 12
 *
 * (spec: hypervisor-live-update.md, "Hand-over")
 */
#ifndef HYPERVISOR_BREADCRUMB_H
#define HYPERVISOR_BREADCRUMB_H

#include <stdint.h>

#include "hypervisor/bootmem.h"
#include "hypervisor/mapper.h"

#define HV_BREADCRUMB_MAGIC (UINT64_C(0x4c69766555706461) & ~UINT64_C(0xfff))
#define HV_BREADCRUMB_WORDS 3u

/* The longest stream that is believed: 16 GiB. */
#define HV_STREAM_MAX_PAGES (UINT64_C(1) << 22)

struct hv_breadcrumb {
	uint64_t array; /* frame at which the array begins */
	uint64_t pages; /* entries of the array */
};

/** The frames that an array of so many entries takes. */
static inline uint64_t hv_breadcrumb_array_frames(uint64_t pages)
{
	return hv_frames_of_bytes(pages * sizeof(uint64_t));
}

/** The words to be written. The magic is the first, and the last to be written. */
void hv_breadcrumb_encode(const struct hv_breadcrumb *breadcrumb,
			  uint64_t words[HV_BREADCRUMB_WORDS]);

/**
 * Read the breadcrumb from @words, trusting nothing. @frames: how many the machine has; @bootmem:
 * where neither stream nor array can be. Returns 0, -ENOENT (no magic: this is no update), or
 * -EINVAL with a sentence in @reason.
 */
int hv_breadcrumb_decode(const uint64_t words[HV_BREADCRUMB_WORDS], uint64_t frames,
			 const struct hv_bootmem *bootmem, struct hv_breadcrumb *breadcrumb,
			 const char **reason);

/** The same of what the array holds. Returns 0, or -EINVAL. */
int hv_breadcrumb_check_array(const uint64_t *array, const struct hv_breadcrumb *breadcrumb,
			      uint64_t frames, const struct hv_bootmem *bootmem,
			      const char **reason);

#endif
