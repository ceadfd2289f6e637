/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The boot of a hypervisor, as far as its memory is concerned.
 *
 * The first one, hv_boot_first(), finds a machine that is all its own: it looks for a
 * place for itself and for boot memory below it. One that takes over goes through these:
 *
 *	hv_boot_update()	boot memory is where the command line says; allocates in it
 *	hv_boot_find_stream()	breadcrumb -> array of frames -> the stream, mapped; and the
 *				further regions of boot memory that it names
 *	hv_boot_finish()	frame table; what is known to be in use is entered
 *	(the caller)		enters what the stream says is in use
 *	hv_boot_plug()		all that nobody owns now becomes the heap
 *	hv_boot_drop_stream()	when all is restored
 *
 * Whatever fails before hv_boot_finish() has touched nothing but boot memory, so that
 * another hypervisor can try after this one. (spec: hypervisor-live-update.md, "Restore")
 */
#ifndef HYPERVISOR_BOOT_H
#define HYPERVISOR_BOOT_H

#include <stdbool.h>
#include <stdint.h>

#include "hypervisor/boot-allocator.h"
#include "hypervisor/breadcrumb.h"
#include "hypervisor/liveupdate-option.h"
#include "hypervisor/memory.h"

/**
 * The first boot. @memory: its frames say what is RAM (HV_FRAME_FREE). Takes the highest place
 * below HV_IMAGE_LIMIT for the image, and boot memory of the option's size, rounded up to 2 MiB;
 * then a place for the frame table and what else is allocated at boot. Returns 0, or -ENOSPC or
 * -ENOMEM with nothing changed that matters to anybody: without memory there is no machine.
 */
int hv_boot_first(struct hv_memory *memory, const struct hv_image_memory *self,
		  const struct hv_liveupdate_option *option);

/** The boot is over, for both kinds: the image's part for it becomes boot memory. */
void hv_boot_free_init(struct hv_memory *memory, const struct hv_image_memory *self);

struct hv_boot {
	struct hv_boot_allocator allocator;
	struct hv_bootmem bootmem;
	uint32_t frame_info_size;
	uint64_t frames; /* of the machine */
	const struct hv_mapper *mapper;
	struct hv_breadcrumb breadcrumb;
	uint64_t *words;    /* mapped: the breadcrumb */
	uint64_t *array;    /* mapped: the frames of the stream */
	void *stream;	    /* mapped */
	const char *reason; /* why something failed: a constant sentence */
};

/**
 * A hypervisor begins that was put at @image. @option: from its command line. @loaded: frames at
 * the beginning of boot memory, behind the breadcrumb's, that hold what was loaded with it. Boot
 * memory that would reach into the image ends there (kexec-tools rounds its size up to 1 MiB).
 * Returns 0, -EINVAL (no base, or nonsense) or -ENOMEM (too little).
 */
int hv_boot_update(struct hv_boot *boot, const struct hv_image_memory *self,
		   const struct hv_frame_span *image, const struct hv_liveupdate_option *option,
		   uint64_t loaded);

/**
 * Find the stream on a machine of @frames frames and map it: @boot->stream, of
 * @boot->breadcrumb.pages pages. The records about the machine are checked, and boot memory that
 * they name is used from now on. Returns 0; -ENOENT (there is no breadcrumb: not an update);
 * -EINVAL or -EOPNOTSUPP (it cannot be right, or is of another version: @boot->reason); -ENOMEM.
 * After an error nothing is mapped.
 */
int hv_boot_find_stream(struct hv_boot *boot, const struct hv_mapper *mapper, uint64_t frames);

/**
 * Set up @memory on a machine whose RAM is @ram: boot memory, image and stream have owners. Further
 * regions that nothing was allocated from are ordinary memory again. Until hv_boot_plug() the heap
 * is boot memory only. Returns 0; -ENOMEM (of @allocator, or no region has room for the frame
 * table: @boot->reason); -EINVAL (a region or a page of the stream is not RAM, or twice there).
 */
int hv_boot_finish(struct hv_boot *boot, struct hv_memory *memory,
		   const struct hv_allocator *allocator, const struct hv_frame_span *ram,
		   uint32_t ram_count);

/** All that must survive has an owner: what is free now is the heap. */
void hv_boot_plug(struct hv_memory *memory);

/** All is restored: forget the breadcrumb, unmap the stream and free its frames. */
void hv_boot_drop_stream(struct hv_boot *boot, struct hv_memory *memory);

/** Unmap the stream and leave everything to the next attempt. */
void hv_boot_abandon(struct hv_boot *boot);

#endif
