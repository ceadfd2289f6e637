/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kexec hypercall, as far as the update of the hypervisor goes through it.
 *
 * A control domain asks where the image and boot memory are, and loads the next image
 * there: it is copied to frames of the heap and waits. Everything that can be known in
 * advance is found out now, while all domains run: whether the sizes fit, whether the
 * next hypervisor can read what this one writes. What does not fit is refused with a
 * sentence that says why (and, for sizes, how much it would take).
 *
 * Numbers and structures are those of Xen's public kexec.h; types and ranges are those
 * that kexec-tools 2.0.21 uses. (spec: hypervisor-live-update.md, "Trigger")
 */
#ifndef HYPERVISOR_KEXEC_H
#define HYPERVISOR_KEXEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hypervisor/image-note.h"
#include "hypervisor/mapper.h"
#include "hypervisor/memory.h"

#define HV_KEXEC_CMD_EXEC      0u
#define HV_KEXEC_CMD_GET_RANGE 3u
#define HV_KEXEC_CMD_LOAD      4u
#define HV_KEXEC_CMD_UNLOAD    5u
#define HV_KEXEC_CMD_STATUS    6u

#define HV_KEXEC_TYPE_DEFAULT	  0
#define HV_KEXEC_TYPE_CRASH	  1
#define HV_KEXEC_TYPE_LIVE_UPDATE 2

#define HV_KEXEC_RANGE_MA_CRASH	     0
#define HV_KEXEC_RANGE_MA_XEN	     1
#define HV_KEXEC_RANGE_MA_LIVEUPDATE 7

#define HV_KEXEC_ARCH_X86_64 62u /* the ELF machine */
#define HV_KEXEC_SEGMENTS    16u /* at most */

/* Arguments, as they stand in the caller's memory. Addresses of buffers are the caller's. */
struct hv_kexec_exec {
	int32_t type;
};

struct hv_kexec_range {
	int32_t range;
	int32_t nr;
	uint64_t size;	/* out, bytes */
	uint64_t start; /* out, machine address */
};

struct hv_kexec_segment {
	uint64_t buf;
	uint64_t buf_size;
	uint64_t dest_maddr; /* of whole frames; what is not filled from the buffer is zero */
	uint64_t dest_size;
};

struct hv_kexec_load {
	uint8_t type;
	uint8_t pad;
	uint16_t arch;
	uint32_t nr_segments;
	uint64_t segments; /* address of their array */
	uint64_t entry_maddr;
};

struct hv_kexec_type { /* of unload and status */
	uint8_t type;
};

_Static_assert(sizeof(struct hv_kexec_range) == 24, "ABI");
_Static_assert(sizeof(struct hv_kexec_segment) == 32, "ABI");
_Static_assert(sizeof(struct hv_kexec_load) == 24, "ABI");
_Static_assert(offsetof(struct hv_kexec_load, segments) == 8, "ABI");

/* The caller's memory. Both return 0, or -EFAULT. */
struct hv_guest_memory {
	int (*read)(void *data, void *to, uint64_t address, uint64_t size);
	int (*write)(void *data, uint64_t address, const void *from, uint64_t size);
	void *data;
};

struct hv_kexec_image {
	uint64_t *dests;   /* the frames where its pages run, ascending */
	uint64_t *sources; /* those where they wait */
	uint32_t count, capacity;
	uint64_t entry;
	uint64_t loaded; /* frames of the region, behind the first, that it occupies */
	struct hv_image_note note;
	struct hv_bootmem_plan plan;
	uint32_t stream_version; /* to be written */
};

#define HV_KEXEC_MESSAGE 160u

struct hv_kexec {
	struct hypervisor *hv;
	const struct hv_mapper *mapper;
	struct hv_image_note self; /* of the image that runs */
	struct hv_kexec_image *image;
	uint32_t own_regions; /* of boot memory, without those reserved for an image */
	bool requested; /* exec was called: the host stops the domains, saves, and hands over */

	/*
	 * The host's own opinion of an image with which nothing else is wrong: 0, or an error, with
	 * the reason in message. Behind it the image is loaded. NULL: it has none.
	 */
	int (*accept)(void *accept_data, const struct hv_kexec_image *image);
	void *accept_data;
	char message[HV_KEXEC_MESSAGE]; /* why the latest load or exec was refused */
};

/** @mapper stays the caller's. @hv has modelled memory. */
void hv_kexec_init(struct hv_kexec *kexec, struct hypervisor *hv, const struct hv_mapper *mapper,
		   const struct hv_image_note *self);

/** Unload what is loaded. */
void hv_kexec_deinit(struct hv_kexec *kexec);

/**
 * The hypercall: @cmd with its argument at @address of the caller's @memory. For control domains
 * only (-EPERM). Errors: -ENOSYS (no such command), -EFAULT, -EINVAL, -ENOMEM, and
 *
 *	get range   -EINVAL for a range that is not modelled
 *	load	    -EOPNOTSUPP (another type than a live update; or the stream, by its version or
 *		    its records, is not one that the image could read), -ENOSPC (it does not fit),
 *		    -EBUSY (an update has been requested). What was loaded before is replaced on
 *		    success only.
 *	exec	    -ENOENT (nothing is loaded), -EBUSY (requested already). It returns before
 *		    anything is stopped.
 *	status	    1 (an image is loaded) or 0
 */
int hv_kexec_op(struct hv_kexec *kexec, unsigned int caller, unsigned int cmd, uint64_t address,
		const struct hv_guest_memory *memory);

/** The requested update is off: the image is still loaded and can be tried again. */
void hv_kexec_cancel(struct hv_kexec *kexec);

#endif
