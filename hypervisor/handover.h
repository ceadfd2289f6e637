/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Handing the machine over. All but the beginning is done while every domain is stopped.
 *
 *	hv_handover_begin()	there is an image to be handed over to, which can be put into
 *				its place, and memory for a stream of the size that it will
 *				probably have
 *	hv_handover_page()	pages for the stream, while it is written
 *	hv_handover_seal()	the array of their numbers; the rule of boot memory is checked
 *	hv_handover_relocate()	a page of the new image into its place, until all are there
 *	hv_handover_finish()	the breadcrumb
 *
 * Until the last word of the breadcrumb nothing is final. hv_handover_undo() takes back
 * every step, and the running hypervisor goes on. For this relocation does not copy but
 * exchanges: what was in the image's place waits where the new image was.
 * (spec: hypervisor-live-update.md, "Hand-over")
 */
#ifndef HYPERVISOR_HANDOVER_H
#define HYPERVISOR_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "hypervisor/kexec.h"

/* Some contiguous frames of the stream, mapped. */
struct hv_stream_piece {
	uint64_t first;
	uint8_t *mapped;
	uint32_t count; /* frames allocated */
	uint32_t used;	/* of them, in the stream */
};

struct hv_handover {
	struct hv_kexec *kexec;
	struct hv_stream_piece *pieces;
	uint32_t count, capacity;
	uint32_t current;	    /* the piece that is being filled */
	uint64_t pages;		    /* of the stream so far */
	struct hv_frame_span array; /* count 0: not made yet */
	uint64_t *words;	    /* the breadcrumb's place, mapped */
	uint8_t *dests, *sources;   /* the image's pages and their places, mapped */
	uint32_t relocated;	    /* pages that are in their places */
};

/**
 * Begin, while domains run. @kexec stays the caller's. -ENOENT: no image is loaded; -ENOMEM: there
 * are not as many frames as the stream will take, by an estimate, or mapping failed.
 */
int hv_handover_begin(struct hv_handover *handover, struct hv_kexec *kexec);

/**
 * One more page for the stream, mapped until the hand-over ends, or NULL. @handover is a struct
 * hv_handover: this is a function of struct hv_page_source.
 */
void *hv_handover_page(void *handover);

/**
 * The stream is complete. Makes the array of its frames, and looks that nothing that has to survive
 * stands in boot memory. This is the last step that can fail. Returns 0; -EINVAL (there is no
 * stream; or the rule is broken: @offender says by what, else its count is 0); -ENOMEM.
 */
int hv_handover_seal(struct hv_handover *handover, struct hv_frames *offender);

/**
 * Exchange one page of the image with what is in its place. Returns true when it did, false when
 * all are in their places.
 */
bool hv_handover_relocate(struct hv_handover *handover);

/**
 * Write the breadcrumb. Returns 0: from here on the machine belongs to the next hypervisor, nothing
 * may be called but hv_handover_leave(). -EINVAL: not all pages are relocated.
 */
int hv_handover_finish(struct hv_handover *handover);

/** Undo everything, from whatever step, without fail. The image stays loaded. */
void hv_handover_undo(struct hv_handover *handover);

/** Free what the hand-over has in this hypervisor's own memory; frames stay as they are. */
void hv_handover_leave(struct hv_handover *handover);

#endif
