/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The note in the image of a hypervisor: what it needs and what it can do, to be read
 * by the one that runs before it is replaced.
 *
 * It stands at a multiple of 8 bytes in the first 32 KiB, like the header by which a
 * boot loader knows what it loads. It is data; nothing of the image is executed.
 */
#ifndef HYPERVISOR_IMAGE_NOTE_H
#define HYPERVISOR_IMAGE_NOTE_H

#include <stdint.h>

#include "hypervisor/bootmem.h"
#include "hypervisor/stream.h"

#define HV_IMAGE_NOTE_MAGIC  UINT64_C(0x65746f6e69585648) /* "HVXinote" */
#define HV_IMAGE_NOTE_WITHIN 32768u

struct hv_image_note {
	uint64_t magic; /* HV_IMAGE_NOTE_MAGIC */
	struct hv_image_memory memory;
	struct hv_stream_abilities stream;
};

/** Find the note in the first @size bytes of an image, aligned to 8. NULL if there is none. */
const struct hv_image_note *hv_image_note_find(const void *image, uint64_t size);

#endif
