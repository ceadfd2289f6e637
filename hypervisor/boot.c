/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boot of the first hypervisor, and of one that takes over.
 */
#include "hypervisor/boot.h"

#include <stddef.h>

#include "hypervisor/domain.h"
#include "hypervisor/stream-machine.h"
#include "hypervisor/xen-errno.h"

static uint64_t align_up(uint64_t frames)
{
	return (frames + HV_IMAGE_ALIGN - 1) & ~(uint64_t)(HV_IMAGE_ALIGN - 1);
}

/* Are all frames of this type? */
static bool all_are(struct hv_frame_table *table, const struct hv_frame_span *span,
		    enum hv_frame_type type)
{
	uint64_t position = span->first;
	struct hv_frames frames;

	while (position < span->first + span->count) {
		if (!hv_frames_walk(table, &position, &frames) || frames.type != type)
			return false;
	}
	return true;
}

/* The highest free place for @count frames that ends at a multiple of 2 MiB. */
static bool place_high(struct hv_frame_table *table, uint64_t count, struct hv_frame_span *span)
{
	uint64_t end = table->frames < HV_IMAGE_LIMIT ? table->frames : HV_IMAGE_LIMIT;

	span->count = count;
	for (end -= end % HV_IMAGE_ALIGN; end >= count; end -= HV_IMAGE_ALIGN) {
		span->first = end - count;
		if (all_are(table, span, HV_FRAME_FREE))
			return true;
		if (end < HV_IMAGE_ALIGN)
			break;
	}
	return false;
}

int hv_boot_first(struct hv_memory *memory, const struct hv_image_memory *self,
		  const struct hv_liveupdate_option *option)
{
	struct hv_frame_table *table = &memory->table;
	struct hv_bootmem *bootmem = &memory->bootmem;
	const uint64_t image = hv_image_frames(self);
	const uint64_t region = align_up(hv_frames_of_bytes(option->size));
	const uint64_t frame_table = hv_frames_of_bytes(table->frames * self->frame_info_size);
	struct hv_frame_span span, table_span;
	uint64_t boot = hv_frames_of_bytes(self->boot_size), first;
	int error;

	if (region > HV_IMAGE_LIMIT || !place_high(table, region + image, &span))
		return -XEN_ENOSPC;
	error = hv_frames_set(table, span.first + region, image, HV_DOMID_XEN, HV_FRAME_IMAGE);
	if (!error && region)
		error = hv_frames_set(table, span.first, region, HV_DOMID_INVALID,
				      HV_FRAME_BOOTMEM);
	/* The breadcrumb's place is not given away. */
	if (!error && region)
		error = hv_frames_set(table, span.first, 1, HV_DOMID_XEN, HV_FRAME_XEN);
	/* Boot memory is not known to the heap yet, so this is not taken from it. */
	if (!error)
		error = hv_heap_allocate_contiguous(&memory->heap, frame_table, 1, HV_DOMID_XEN,
						    HV_FRAME_XEN, &table_span.first);
	if (error)
		return error;
	table_span.count = frame_table;
	bootmem->image = (struct hv_frame_span){span.first + region, image};
	bootmem->regions[0] = (struct hv_frame_span){span.first, region};
	bootmem->regions[1] = table_span;
	bootmem->region_count = 2;
	while (boot) {
		int64_t got = hv_heap_allocate(&memory->heap, boot, HV_DOMID_XEN, HV_FRAME_XEN,
					       &first);

		if (got <= 0)
			return -XEN_ENOMEM;
		boot -= (uint64_t)got;
	}
	return 0;
}

void hv_boot_free_init(struct hv_memory *memory, const struct hv_image_memory *self)
{
	/* Whole frames only, from the first that has nothing else in it. */
	const uint64_t first = hv_frames_of_bytes(self->init_offset);
	const uint64_t end = (self->init_offset + self->init_size) >> HV_PAGE_SHIFT;

	/* Without memory for the frame table's sake they stay part of the image. */
	if (end > first)
		(void)hv_frames_change(&memory->table, memory->bootmem.image.first + first,
				       end - first, HV_DOMID_XEN, HV_FRAME_IMAGE, HV_FRAME_BOOTMEM);
}

static int wrong(struct hv_boot *boot, int error, const char *reason)
{
	boot->reason = reason;
	return error;
}

int hv_boot_update(struct hv_boot *boot, const struct hv_image_memory *self,
		   const struct hv_frame_span *image, const struct hv_liveupdate_option *option,
		   uint64_t loaded)
{
	const uint64_t low = option->base >> HV_PAGE_SHIFT;
	uint64_t end = low + (option->size >> HV_PAGE_SHIFT);
	struct hv_frame_span region, allocated;
	int error;

	*boot = (struct hv_boot){.frame_info_size = self->frame_info_size};
	if (!option->size || !option->has_base)
		return wrong(boot, -XEN_EINVAL,
			     "the command line does not say where boot memory is");
	if (option->base & (HV_PAGE_SIZE - 1) || low >= image->first)
		return wrong(boot, -XEN_EINVAL, "boot memory is not below the image");
	if (end > image->first)
		end = image->first;
	region = (struct hv_frame_span){low, end - low};
	/* The breadcrumb's frame and what was loaded are not given away. */
	if (loaded >= region.count || region.count - loaded < 2)
		return wrong(boot, -XEN_ENOMEM, "boot memory is too small");
	error = hv_boot_add_region(&boot->allocator, &region);
	if (!error)
		error = hv_boot_allocate(&boot->allocator, loaded + 1, &allocated);
	if (!error && self->boot_size)
		error = hv_boot_allocate(&boot->allocator, hv_frames_of_bytes(self->boot_size),
					 &allocated);
	if (error)
		return wrong(boot, error, "boot memory is too small");
	boot->bootmem.image = *image;
	boot->bootmem.regions[0] = region;
	boot->bootmem.region_count = 1;
	return 0;
}

/* The breadcrumb, and the array that it leads to, mapped. */
static int find_array(struct hv_boot *boot)
{
	const struct hv_mapper *mapper = boot->mapper;
	int error;

	boot->words = mapper->map_contiguous(mapper->data, boot->bootmem.regions[0].first, 1);
	if (!boot->words)
		return wrong(boot, -XEN_ENOMEM, "the breadcrumb cannot be mapped");
	error = hv_breadcrumb_decode(boot->words, boot->frames, &boot->bootmem, &boot->breadcrumb,
				     &boot->reason);
	if (error)
		return error;
	boot->array = mapper->map_contiguous(mapper->data, boot->breadcrumb.array,
					     hv_breadcrumb_array_frames(boot->breadcrumb.pages));
	if (!boot->array)
		return wrong(boot, -XEN_ENOMEM, "the array of the stream's pages cannot be mapped");
	return hv_breadcrumb_check_array(boot->array, &boot->breadcrumb, boot->frames,
					 &boot->bootmem, &boot->reason);
}

void hv_boot_abandon(struct hv_boot *boot)
{
	const struct hv_mapper *mapper = boot->mapper;

	if (boot->stream)
		mapper->unmap(mapper->data, boot->stream, boot->breadcrumb.pages);
	if (boot->array)
		mapper->unmap(mapper->data, boot->array,
			      hv_breadcrumb_array_frames(boot->breadcrumb.pages));
	if (boot->words)
		mapper->unmap(mapper->data, boot->words, 1);
	boot->stream = NULL;
	boot->array = boot->words = NULL;
}

static struct hv_frame_span array_span(const struct hv_boot *boot)
{
	return (struct hv_frame_span){boot->breadcrumb.array,
				      hv_breadcrumb_array_frames(boot->breadcrumb.pages)};
}

/* A further region of boot memory that the stream names. */
static int add_region(struct hv_boot *boot, const struct hv_frame_span *region)
{
	const struct hv_frame_span array = array_span(boot);
	int error;

	if (region->first >= boot->frames || region->count > boot->frames - region->first ||
	    hv_spans_overlap(region, &boot->bootmem.image) || hv_spans_overlap(region, &array))
		return wrong(boot, -XEN_EINVAL, "a region of boot memory is where it cannot be");
	for (uint64_t i = 0; i < boot->breadcrumb.pages; i++) {
		if (boot->array[i] - region->first < region->count)
			return wrong(boot, -XEN_EINVAL, "a page of the stream is in boot memory");
	}
	error = hv_boot_add_region(&boot->allocator, region);
	if (error)
		return wrong(boot, -XEN_EINVAL, "a region of boot memory is where it cannot be");
	boot->bootmem.regions[boot->bootmem.region_count++] = *region;
	return 0;
}

/* Before any of it is used, the records that name regions are known to be as they were written. */
static int add_regions(struct hv_boot *boot)
{
	struct hv_machine_records machine;
	const struct hv_stream_region *regions;
	bool unsupported;
	int error = 0;

	boot->reason = hv_read_machine(boot->stream, boot->breadcrumb.pages * HV_PAGE_SIZE,
				       &machine, &unsupported);
	if (boot->reason)
		return unsupported ? -XEN_EOPNOTSUPP : -XEN_EINVAL;
	regions = machine.records[HV_RECORD_REGIONS].data;
	for (uint64_t i = 0; !error && i < machine.records[HV_RECORD_REGIONS].count; i++) {
		const struct hv_frame_span region = {regions[i].first, regions[i].count};

		error = add_region(boot, &region);
	}
	return error;
}

int hv_boot_find_stream(struct hv_boot *boot, const struct hv_mapper *mapper, uint64_t frames)
{
	const struct hv_frame_span *image = &boot->bootmem.image;
	int error;

	if (!frames || frames > HV_MAX_FRAMES || image->first >= frames ||
	    image->count > frames - image->first)
		return wrong(boot, -XEN_EINVAL, "the image is not in memory");
	boot->frames = frames;
	boot->mapper = mapper;
	error = find_array(boot);
	if (!error) {
		boot->stream = mapper->map(mapper->data, boot->array, boot->breadcrumb.pages);
		error = boot->stream ? add_regions(boot)
				     : wrong(boot, -XEN_ENOMEM, "the stream cannot be mapped");
	}
	if (error)
		hv_boot_abandon(boot);
	return error;
}

/* What a page of the stream is entered as; neighbours together. */
static int enter_stream(struct hv_boot *boot, struct hv_frame_table *table)
{
	const struct hv_frame_span array = array_span(boot);
	const uint64_t pages = boot->breadcrumb.pages;
	uint64_t count;
	int error = hv_frames_change(table, array.first, array.count, HV_DOMID_XEN, HV_FRAME_FREE,
				     HV_FRAME_STREAM);

	for (uint64_t i = 0; !error && i < pages; i += count) {
		for (count = 1;
		     i + count < pages && boot->array[i + count] == boot->array[i] + count;)
			count++;
		error = hv_frames_change(table, boot->array[i], count, HV_DOMID_XEN, HV_FRAME_FREE,
					 HV_FRAME_STREAM);
	}
	return error;
}

/* What was allocated from a region is the hypervisor's; the rest is still boot memory. */
static int enter_region(struct hv_frame_table *table, const struct hv_boot_region *region)
{
	const uint64_t first = region->span.first, rest = region->span.count - region->used;
	int error = 0;

	if (!all_are(table, &region->span, HV_FRAME_FREE))
		return -XEN_EINVAL;
	if (region->used)
		error = hv_frames_set(table, first, region->used, HV_DOMID_XEN, HV_FRAME_XEN);
	if (!error && rest)
		error = hv_frames_set(table, first + region->used, rest, HV_DOMID_INVALID,
				      HV_FRAME_BOOTMEM);
	return error;
}

static int enter_known(struct hv_boot *boot, struct hv_memory *memory,
		       const struct hv_frame_span *ram, uint32_t ram_count)
{
	struct hv_frame_table *table = &memory->table;
	struct hv_bootmem *bootmem = &memory->bootmem;
	int error = 0;

	for (uint32_t i = 0; !error && i < ram_count; i++)
		error = hv_frames_set(table, ram[i].first, ram[i].count, HV_DOMID_INVALID,
				      HV_FRAME_FREE);
	if (!error)
		error = hv_frames_change(table, boot->bootmem.image.first,
					 boot->bootmem.image.count, HV_DOMID_XEN, HV_FRAME_FREE,
					 HV_FRAME_IMAGE);
	bootmem->image = boot->bootmem.image;
	for (uint32_t i = 0; !error && i < boot->allocator.count; i++) {
		const struct hv_boot_region *region = &boot->allocator.regions[i];

		if (i && !region->used)
			continue; /* not needed any more */
		error = enter_region(table, region);
		bootmem->regions[bootmem->region_count++] = region->span;
	}
	return error ? error : enter_stream(boot, table);
}

int hv_boot_finish(struct hv_boot *boot, struct hv_memory *memory,
		   const struct hv_allocator *allocator, const struct hv_frame_span *ram,
		   uint32_t ram_count)
{
	struct hv_frame_span allocated;
	int error = hv_boot_allocate(&boot->allocator,
				     hv_frames_of_bytes(boot->frames * boot->frame_info_size),
				     &allocated);

	if (error)
		return wrong(boot, error, "no boot memory has room for the frame table");
	error = hv_memory_init(memory, allocator, boot->frames);
	if (error)
		return wrong(boot, error, "no memory for the frame table");
	memory->heap.bootmem_only = true;
	error = enter_known(boot, memory, ram, ram_count);
	if (error) {
		hv_memory_deinit(memory);
		wrong(boot, error,
		      error == -XEN_ENOMEM ? "no memory for the frame table"
					   : "what is to be in use is not memory, or used twice");
	}
	return error == -XEN_EBUSY ? -XEN_EINVAL : error;
}

void hv_boot_plug(struct hv_memory *memory)
{
	memory->heap.bootmem_only = false;
}

void hv_boot_drop_stream(struct hv_boot *boot, struct hv_memory *memory)
{
	const struct hv_frame_span array = array_span(boot);

	boot->words[0] = 0;
	/* A frame that cannot be freed for want of memory stays the hypervisor's until the next
	 * update. */
	for (uint64_t i = 0; i < boot->breadcrumb.pages; i++)
		(void)hv_frames_change(&memory->table, boot->array[i], 1, HV_DOMID_XEN,
				       HV_FRAME_STREAM, HV_FRAME_FREE);
	(void)hv_frames_change(&memory->table, array.first, array.count, HV_DOMID_XEN,
			       HV_FRAME_STREAM, HV_FRAME_FREE);
	hv_boot_abandon(boot);
}
