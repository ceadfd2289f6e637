/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading an image: from segments in a domain's memory to pages in the heap.
 */
#ifndef HYPERVISOR_KEXEC_IMAGE_H
#define HYPERVISOR_KEXEC_IMAGE_H

#include "hypervisor/kexec.h"

/**
 * Load what @load describes; its @segments are read already, and are sorted. Returns an image in
 * @image, or the error of the load command with a sentence in @kexec->message.
 */
int hv_kexec_image_load(struct hv_kexec *kexec, const struct hv_kexec_load *load,
			struct hv_kexec_segment *segments, const struct hv_guest_memory *memory,
			struct hv_kexec_image **image);

/** Free it; with the last one, @kexec->image, go regions that were reserved. NULL is allowed. */
void hv_kexec_image_free(struct hv_kexec *kexec, struct hv_kexec_image *image);

#endif
