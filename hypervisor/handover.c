/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The steps of handing over. Frames of the stream are taken many at a time, and before
 * domains are stopped, because each mapping costs time. Those that it does not fill are
 * free for the next hypervisor, which is not told of them.
 */
#include "hypervisor/handover.h"

#include <stddef.h>
#include <string.h>

#include "hypervisor/breadcrumb.h"
#include "hypervisor/hypervisor.h"

#define PIECE_FRAMES 256u
#define MAX_PIECES   (1u << 22)

static struct hv_memory *memory_of(const struct hv_handover *handover)
{
	return handover->kexec->hv->memory;
}

static void *map(const struct hv_handover *handover, uint64_t first, uint64_t count)
{
	const struct hv_mapper *mapper = handover->kexec->mapper;

	return mapper->map_contiguous(mapper->data, first, count);
}

static void unmap(const struct hv_handover *handover, void *address, uint64_t count)
{
	const struct hv_mapper *mapper = handover->kexec->mapper;

	mapper->unmap(mapper->data, address, count);
}

static void free_stream_frames(struct hv_handover *handover, uint64_t first, uint64_t count)
{
	/* Without memory for the frame table they are not free before the next update; nobody is
	 * harmed. */
	(void)hv_heap_free(&memory_of(handover)->heap, first, count, HV_DOMID_XEN, HV_FRAME_STREAM);
}

/* A large piece, or whatever there is. */
static uint32_t allocate(struct hv_handover *handover, uint64_t *first)
{
	struct hv_heap *heap = &memory_of(handover)->heap;
	int64_t got;

	if (!hv_heap_allocate_contiguous(heap, PIECE_FRAMES, 1, HV_DOMID_XEN, HV_FRAME_STREAM,
					 first))
		return PIECE_FRAMES;
	got = hv_heap_allocate(heap, PIECE_FRAMES, HV_DOMID_XEN, HV_FRAME_STREAM, first);
	return got > 0 ? (uint32_t)got : 0;
}

static int add_piece(struct hv_handover *handover)
{
	void *pieces = handover->pieces;
	struct hv_stream_piece piece = {.used = 0};
	int error;

	error = hv_grow(&handover->kexec->hv->allocator, &pieces, sizeof(piece),
			&handover->capacity, handover->count + 1, MAX_PIECES);
	handover->pieces = pieces;
	if (error || handover->count == MAX_PIECES)
		return -XEN_ENOMEM;
	piece.count = allocate(handover, &piece.first);
	if (!piece.count)
		return -XEN_ENOMEM;
	piece.mapped = map(handover, piece.first, piece.count);
	if (!piece.mapped) {
		free_stream_frames(handover, piece.first, piece.count);
		return -XEN_ENOMEM;
	}
	handover->pieces[handover->count++] = piece;
	return 0;
}

void *hv_handover_page(void *data)
{
	struct hv_handover *handover = data;
	struct hv_stream_piece *piece;

	if (handover->array.count || handover->pages == HV_STREAM_MAX_PAGES)
		return NULL;
	if (handover->current < handover->count &&
	    handover->pieces[handover->current].used == handover->pieces[handover->current].count)
		handover->current++;
	if (handover->current == handover->count && add_piece(handover))
		return NULL;
	piece = &handover->pieces[handover->current];
	handover->pages++;
	return piece->mapped + (size_t)piece->used++ * HV_PAGE_SIZE;
}

/* Map the image's pages and their places, which is then not to be done while domains are stopped.
 */
static int map_image(struct hv_handover *handover)
{
	const struct hv_mapper *mapper = handover->kexec->mapper;
	const struct hv_kexec_image *image = handover->kexec->image;

	handover->words = map(handover, memory_of(handover)->bootmem.regions[0].first, 1);
	handover->dests = mapper->map(mapper->data, image->dests, image->count);
	handover->sources = mapper->map(mapper->data, image->sources, image->count);
	return handover->words && handover->dests && handover->sources ? 0 : -XEN_ENOMEM;
}

static void unmap_image(struct hv_handover *handover)
{
	const struct hv_kexec_image *image = handover->kexec->image;

	if (handover->words)
		unmap(handover, handover->words, 1);
	if (handover->dests)
		unmap(handover, handover->dests, image->count);
	if (handover->sources)
		unmap(handover, handover->sources, image->count);
	handover->words = NULL;
	handover->dests = handover->sources = NULL;
}

/* About so many bytes will be written about a domain. Rather too many. */
static uint64_t estimate(const struct hv_domain *domain)
{
	return 1024 + domain->vcpus.count * sizeof(struct hv_stream_vcpu) +
	       (domain->p2m.count + (uint64_t)domain->iommu.count) *
		       sizeof(struct hv_stream_extent) +
	       domain->special.count * sizeof(struct hv_stream_pages) +
	       domain->grants.capacity * sizeof(struct hv_stream_grant) +
	       domain->evtchns.capacity * sizeof(struct hv_stream_port) +
	       domain->mappings.count * sizeof(struct hv_stream_mapping);
}

int hv_handover_begin(struct hv_handover *handover, struct hv_kexec *kexec)
{
	const struct hv_domain *domain = hv_table_next(&kexec->hv->domains, 0);
	uint64_t bytes = HV_PAGE_SIZE + kexec->hv->m2p.count * sizeof(struct hv_stream_m2p);
	uint64_t got = 0;
	int error = 0;

	*handover = (struct hv_handover){.kexec = kexec};
	if (!kexec->image)
		return -XEN_ENOENT;
	for (; domain; domain = hv_table_next(&kexec->hv->domains, domain->domid + 1u))
		bytes += estimate(domain);
	while (!error && got < hv_frames_of_bytes(bytes)) {
		error = add_piece(handover);
		if (!error)
			got += handover->pieces[handover->count - 1].count;
	}
	if (!error)
		error = map_image(handover);
	if (error)
		hv_handover_undo(handover);
	return error;
}

/* Write the numbers of the stream's frames into the array. */
static int write_array(struct hv_handover *handover)
{
	uint64_t *array = map(handover, handover->array.first, handover->array.count);
	uint64_t at = 0;

	if (!array)
		return -XEN_ENOMEM;
	memset(array, 0, handover->array.count * HV_PAGE_SIZE);
	for (uint32_t i = 0; i < handover->count; i++) {
		for (uint32_t j = 0; j < handover->pieces[i].used; j++)
			array[at++] = handover->pieces[i].first + j;
	}
	unmap(handover, array, handover->array.count);
	return 0;
}

static void drop_array(struct hv_handover *handover)
{
	if (handover->array.count)
		free_stream_frames(handover, handover->array.first, handover->array.count);
	handover->array.count = 0;
}

int hv_handover_seal(struct hv_handover *handover, struct hv_frames *offender)
{
	struct hv_memory *memory = memory_of(handover);
	const uint64_t count = hv_breadcrumb_array_frames(handover->pages);
	uint64_t first;
	int error;

	*offender = (struct hv_frames){.count = 0};
	if (!handover->pages || handover->array.count)
		return -XEN_EINVAL;
	error = hv_heap_allocate_contiguous(&memory->heap, count, 1, HV_DOMID_XEN, HV_FRAME_STREAM,
					    &first);
	if (error)
		return error;
	handover->array = (struct hv_frame_span){first, count};
	error = write_array(handover);
	if (!error && !hv_bootmem_check(&memory->bootmem, &memory->table, offender))
		error = -XEN_EINVAL;
	else
		offender->count = 0;
	if (error)
		drop_array(handover);
	return error;
}

/* Exchange page number @index with what is in its place. */
static void exchange(struct hv_handover *handover, uint32_t index)
{
	uint8_t *dest = handover->dests + (size_t)index * HV_PAGE_SIZE;
	uint8_t *source = handover->sources + (size_t)index * HV_PAGE_SIZE;
	uint8_t some[256];

	for (uint32_t at = 0; at < HV_PAGE_SIZE; at += sizeof(some)) {
		memcpy(some, dest + at, sizeof(some));
		memcpy(dest + at, source + at, sizeof(some));
		memcpy(source + at, some, sizeof(some));
	}
}

bool hv_handover_relocate(struct hv_handover *handover)
{
	if (!handover->array.count || handover->relocated == handover->kexec->image->count)
		return false;
	exchange(handover, handover->relocated++);
	return true;
}

int hv_handover_finish(struct hv_handover *handover)
{
	const struct hv_breadcrumb breadcrumb = {handover->array.first, handover->pages};
	uint64_t words[HV_BREADCRUMB_WORDS];

	if (!handover->array.count || handover->relocated != handover->kexec->image->count)
		return -XEN_EINVAL;
	hv_breadcrumb_encode(&breadcrumb, words);
	/* The magic last: without it the other words mean nothing. */
	for (uint32_t i = HV_BREADCRUMB_WORDS; i-- > 0;)
		__atomic_store_n(&handover->words[i], words[i], __ATOMIC_RELEASE);
	return 0;
}

void hv_handover_undo(struct hv_handover *handover)
{
	while (handover->relocated)
		exchange(handover, --handover->relocated);
	drop_array(handover);
	for (uint32_t i = handover->count; i-- > 0;)
		free_stream_frames(handover, handover->pieces[i].first, handover->pieces[i].count);
	hv_handover_leave(handover);
}

void hv_handover_leave(struct hv_handover *handover)
{
	unmap_image(handover);
	for (uint32_t i = 0; i < handover->count; i++)
		unmap(handover, handover->pieces[i].mapped, handover->pieces[i].count);
	hv_release(&handover->kexec->hv->allocator, handover->pieces,
		   handover->capacity * sizeof(*handover->pieces));
	handover->pieces = NULL;
	handover->count = handover->capacity = handover->current = 0;
	handover->pages = 0;
}
