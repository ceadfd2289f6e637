/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading: the image's note is asked what it needs, then the segments are compared with
 * the place that there is for it, then they are copied. A frame of the heap that holds a
 * page cannot be where the page runs, because that is boot memory or the running image.
 */
#include "hypervisor/kexec-image.h"

#include <string.h>

#include "hypervisor/hypervisor.h"

/* Add to the message, as far as it fits. */
static void say(struct hv_kexec *kexec, const char *text)
{
	uint32_t at = 0;

	while (kexec->message[at])
		at++;
	while (*text && at < HV_KEXEC_MESSAGE - 1)
		kexec->message[at++] = *text++;
	kexec->message[at] = '\0';
}

static void say_number(struct hv_kexec *kexec, uint64_t number)
{
	char digits[21];
	uint32_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	do
		digits[--at] = (char)('0' + number % 10);
	while (number /= 10);
	say(kexec, digits + at);
}

static int refuse(struct hv_kexec *kexec, int error, const char *text)
{
	say(kexec, text);
	return error;
}

/* Too small: say how large boot memory would have to be, rounded up as the option is. */
static int refuse_size(struct hv_kexec *kexec, const struct hv_bootmem_plan *plan)
{
	const uint64_t unit = (uint64_t)HV_IMAGE_ALIGN << HV_PAGE_SHIFT;

	say(kexec, "boot memory of ");
	say_number(kexec, (kexec->hv->memory->bootmem.regions[0].count << HV_PAGE_SHIFT) >> 10);
	say(kexec, "K is too small for this image: it takes liveupdate=");
	say_number(kexec, (plan->needed + unit - 1) / unit * unit >> 10);
	return refuse(kexec, -XEN_ENOSPC, "K");
}

static uint64_t end_of(const struct hv_kexec_segment *segment)
{
	return segment->dest_maddr + segment->dest_size;
}

/* Sort the segments by destination. */
static void sort_segments(struct hv_kexec_segment *segments, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		const struct hv_kexec_segment segment = segments[i];
		uint32_t at = i;

		for (; at && segments[at - 1].dest_maddr > segment.dest_maddr; at--)
			segments[at] = segments[at - 1];
		segments[at] = segment;
	}
}

/* Are they whole frames, one behind the other? */
static int check_sizes(struct hv_kexec *kexec, const struct hv_kexec_segment *segments,
		       uint32_t count)
{
	const uint64_t most = HV_IMAGE_LIMIT << HV_PAGE_SHIFT;
	uint64_t low = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct hv_kexec_segment *segment = &segments[i];

		if ((segment->dest_maddr | segment->dest_size) & (HV_PAGE_SIZE - 1) ||
		    !segment->dest_size || segment->buf_size > segment->dest_size)
			return refuse(kexec, -XEN_EINVAL, "a segment has no proper size");
		if (segment->dest_maddr >= most || segment->dest_size > most - segment->dest_maddr)
			return refuse(kexec, -XEN_EINVAL, "a segment is not below 4 GiB");
		if (segment->dest_maddr < low)
			return refuse(kexec, -XEN_EINVAL, "a segment is over another one");
		low = end_of(segment);
	}
	return 0;
}

/* Find the note in the segment that is entered. */
static int read_note(struct hv_kexec *kexec, const struct hv_kexec_segment *segments,
		     uint32_t count, uint64_t entry, const struct hv_guest_memory *memory,
		     struct hv_image_note *found)
{
	const struct hv_allocator *allocator = &kexec->hv->allocator;
	const struct hv_kexec_segment *segment = segments, *end = segments + count;
	const struct hv_image_note *note = NULL;
	uint64_t size;
	void *head;
	int error;

	while (segment < end && (entry < segment->dest_maddr || entry >= end_of(segment)))
		segment++;
	if (segment == end)
		return refuse(kexec, -XEN_EINVAL, "the entry point is in no segment");
	size = segment->buf_size < HV_IMAGE_NOTE_WITHIN ? segment->buf_size : HV_IMAGE_NOTE_WITHIN;
	head = hv_allocate(allocator, HV_IMAGE_NOTE_WITHIN);
	if (!head)
		return -XEN_ENOMEM;
	error = memory->read(memory->data, head, segment->buf, size);
	if (!error) {
		note = hv_image_note_find(head, size);
		if (note)
			*found = *note;
		else
			error = refuse(kexec, -XEN_EINVAL,
				       "the image has no note: it cannot take over");
	}
	hv_release(allocator, head, HV_IMAGE_NOTE_WITHIN);
	return error;
}

/*
 * Let the note's sizes make a plan, and the segments fit into it. What is not part of the image is
 * loaded behind the breadcrumb's frame, at the beginning of boot memory.
 */
static int plan_image(struct hv_kexec *kexec, const struct hv_kexec_segment *segments,
		      uint32_t count, struct hv_kexec_image *image)
{
	struct hv_memory *machine = kexec->hv->memory;
	struct hv_image_memory needs = image->note.memory;
	const uint64_t top = machine->bootmem.image.first + machine->bootmem.image.count;
	const uint64_t low = machine->bootmem.regions[0].first + 1;
	const uint64_t frames = hv_image_frames(&needs);
	const uint64_t place = frames < top ? top - frames : 0;
	int error;

	for (uint32_t i = 0; i < count; i++) {
		const uint64_t end = end_of(&segments[i]) >> HV_PAGE_SHIFT;

		if (segments[i].dest_maddr < place << HV_PAGE_SHIFT && end > low)
			image->loaded = end - low;
	}
	if (needs.boot_size <= HV_MAX_FRAMES << HV_PAGE_SHIFT)
		needs.boot_size += image->loaded << HV_PAGE_SHIFT;
	error = hv_bootmem_plan(&machine->bootmem, &machine->table, &needs, &image->plan);
	if (error == -XEN_ENOSPC)
		return refuse_size(kexec, &image->plan);
	if (error)
		return refuse(kexec, error, "the sizes in the image's note make no sense");
	if (segments[0].dest_maddr < low << HV_PAGE_SHIFT ||
	    end_of(&segments[count - 1]) > top << HV_PAGE_SHIFT)
		return refuse(kexec, -XEN_EINVAL,
			      "a segment is outside of boot memory and the image's place");
	if (low + image->loaded > image->plan.image.first)
		return refuse(kexec, -XEN_EINVAL, "a segment reaches into the image's place");
	if (image->entry < image->plan.image.first << HV_PAGE_SHIFT)
		return refuse(kexec, -XEN_EINVAL, "the entry point is not in the image's place");
	return 0;
}

/* Copy one page from the caller to a frame of its own. */
static int load_page(struct hv_kexec *kexec, const struct hv_kexec_segment *segment,
		     uint64_t offset, const struct hv_guest_memory *memory,
		     struct hv_kexec_image *image)
{
	struct hv_heap *heap = &kexec->hv->memory->heap;
	uint64_t size = segment->buf_size > offset ? segment->buf_size - offset : 0, source;
	uint8_t *page;
	int error = 0;

	if (hv_heap_allocate(heap, 1, HV_DOMID_XEN, HV_FRAME_KEXEC, &source) != 1)
		return -XEN_ENOMEM;
	image->dests[image->count] = (segment->dest_maddr + offset) >> HV_PAGE_SHIFT;
	image->sources[image->count++] = source;
	page = kexec->mapper->map_contiguous(kexec->mapper->data, source, 1);
	if (!page)
		return -XEN_ENOMEM;
	if (size > HV_PAGE_SIZE)
		size = HV_PAGE_SIZE;
	if (size)
		error = memory->read(memory->data, page, segment->buf + offset, size);
	memset(page + size, 0, HV_PAGE_SIZE - size);
	kexec->mapper->unmap(kexec->mapper->data, page, 1);
	return error;
}

static int load_pages(struct hv_kexec *kexec, const struct hv_kexec_segment *segments,
		      uint32_t count, const struct hv_guest_memory *memory,
		      struct hv_kexec_image *image)
{
	int error = 0;

	for (uint32_t i = 0; !error && i < count; i++) {
		for (uint64_t offset = 0; !error && offset < segments[i].dest_size;
		     offset += HV_PAGE_SIZE)
			error = load_page(kexec, &segments[i], offset, memory, image);
	}
	return error;
}

/* Make boot memory of the place for the frame table, if it has to be a new one. */
static int reserve_region(struct hv_kexec *kexec, const struct hv_bootmem_plan *plan)
{
	struct hv_bootmem *bootmem = &kexec->hv->memory->bootmem;
	int error;

	if (!plan->frame_table_is_new)
		return 0;
	error = hv_frames_change(&kexec->hv->memory->table, plan->frame_table.first,
				 plan->frame_table.count, HV_DOMID_XEN, HV_FRAME_FREE,
				 HV_FRAME_BOOTMEM);
	if (!error)
		bootmem->regions[bootmem->region_count++] = plan->frame_table;
	return error;
}

/* Give back regions but for the first @keep, unless the hypervisor has begun to use them itself. */
static void release_regions(struct hv_kexec *kexec, uint32_t keep)
{
	struct hv_bootmem *bootmem = &kexec->hv->memory->bootmem;

	while (bootmem->region_count > keep) {
		const struct hv_frame_span *region = &bootmem->regions[bootmem->region_count - 1];

		if (hv_frames_change(&kexec->hv->memory->table, region->first, region->count,
				     HV_DOMID_XEN, HV_FRAME_BOOTMEM, HV_FRAME_FREE))
			break;
		bootmem->region_count--;
	}
}

static int dry_run(struct hv_kexec *kexec, struct hv_kexec_image *image)
{
	const char *reason;
	int version = hv_stream_agree(&kexec->self.stream, &image->note.stream, &reason);

	if (version < 0)
		return refuse(kexec, version, reason);
	image->stream_version = (uint32_t)version;
	return 0;
}

static void free_image(struct hv_kexec *kexec, struct hv_kexec_image *image)
{
	const struct hv_allocator *allocator = &kexec->hv->allocator;

	/* A frame that cannot be freed for want of memory is free after the update. */
	while (image->count)
		(void)hv_heap_free(&kexec->hv->memory->heap, image->sources[--image->count], 1,
				   HV_DOMID_XEN, HV_FRAME_KEXEC);
	hv_release(allocator, image->dests, image->capacity * sizeof(*image->dests));
	hv_release(allocator, image->sources, image->capacity * sizeof(*image->sources));
	hv_release(allocator, image, sizeof(*image));
}

/* An image without pages, but with room for so many. */
static struct hv_kexec_image *new_image(struct hv_kexec *kexec, uint32_t capacity)
{
	const struct hv_allocator *allocator = &kexec->hv->allocator;
	struct hv_kexec_image *image = hv_allocate(allocator, sizeof(*image));

	if (!image)
		return NULL;
	image->capacity = capacity;
	image->dests = hv_allocate(allocator, capacity * sizeof(*image->dests));
	image->sources = hv_allocate(allocator, capacity * sizeof(*image->sources));
	if (image->dests && image->sources)
		return image;
	free_image(kexec, image);
	return NULL;
}

int hv_kexec_image_load(struct hv_kexec *kexec, const struct hv_kexec_load *load,
			struct hv_kexec_segment *segments, const struct hv_guest_memory *memory,
			struct hv_kexec_image **loaded)
{
	const uint32_t regions = kexec->hv->memory->bootmem.region_count;
	const uint32_t count = load->nr_segments;
	struct hv_kexec_image *image;
	uint64_t pages = 0;
	int error;

	sort_segments(segments, count);
	error = check_sizes(kexec, segments, count);
	if (error)
		return error;
	for (uint32_t i = 0; i < count; i++)
		pages += segments[i].dest_size >> HV_PAGE_SHIFT;
	image = new_image(kexec, (uint32_t)pages);
	if (!image)
		return -XEN_ENOMEM;
	image->entry = load->entry_maddr;
	error = read_note(kexec, segments, count, image->entry, memory, &image->note);
	if (!error)
		error = plan_image(kexec, segments, count, image);
	if (!error)
		error = dry_run(kexec, image);
	if (!error)
		error = reserve_region(kexec, &image->plan);
	if (!error)
		error = load_pages(kexec, segments, count, memory, image);
	if (!error && kexec->accept)
		error = kexec->accept(kexec->accept_data, image);
	*loaded = image;
	if (error) {
		release_regions(kexec, regions);
		free_image(kexec, image);
	}
	return error;
}

void hv_kexec_image_free(struct hv_kexec *kexec, struct hv_kexec_image *image)
{
	if (!image)
		return;
	if (image == kexec->image)
		release_regions(kexec, kexec->own_regions);
	free_image(kexec, image);
}
