/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looking for the note.
 */
#include "hypervisor/image-note.h"

#include <stddef.h>

const struct hv_image_note *hv_image_note_find(const void *image, uint64_t size)
{
	const uint64_t within = size < HV_IMAGE_NOTE_WITHIN ? size : HV_IMAGE_NOTE_WITHIN;
	const uint64_t *words = image;

	for (uint64_t at = 0; at + sizeof(struct hv_image_note) <= within; at += 8) {
		const struct hv_image_note *note = (const void *)(words + at / 8);

		if (note->magic == HV_IMAGE_NOTE_MAGIC && note->stream.magic == HV_STREAM_MAGIC)
			return note;
	}
	return NULL;
}
