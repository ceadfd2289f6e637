/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Becoming another image; and the way back, for as long as the new one does not serve.
 *
 * The way back is prepared by the image that is left, since the one that fails may be in any state:
 * a complete page for the trampoline, and the command line, in a fixed place. Taking it needs
 * neither memory nor the C library. It is taken once: when that fails too, the domain ends.
 */
#ifndef XENSTORED_STUBDOM_RING0_KEXEC_H
#define XENSTORED_STUBDOM_RING0_KEXEC_H

#include <stdbool.h>
#include <stdint.h>

#include "stubdom/layout.h"
#include "stubdom/ring0/trampoline.h"

/* The page of the way back is LAYOUT_RESERVED; what belongs to it is in the one behind. */
#define KEXEC_BACK_PAGE LAYOUT_RESERVED
#define KEXEC_BACK	(LAYOUT_RESERVED + LAYOUT_PAGE)

#define KEXEC_BACK_READY 0x79646165726b6361ull /* it can be taken */
#define KEXEC_BACK_TAKEN 0x6e656b61746b6361ull /* the image that runs has come by it */

#define KEXEC_WHY_MAX  512u
#define KEXEC_LINE_MAX 3072u

struct kexec_back {
	uint64_t state;
	char why[KEXEC_WHY_MAX];	   /* the new image failed */
	char command_line[KEXEC_LINE_MAX]; /* of the old one */
	uint32_t seconds;		   /* that the new image may take to serve */
};

_Static_assert(sizeof(struct kexec_back) <= LAYOUT_RESERVED_END - KEXEC_BACK, "one page");

static inline struct kexec_back *kexec_back(void)
{
	return (struct kexec_back *)(uintptr_t)KEXEC_BACK;
}

/** Become what the page at LAYOUT_TRAMPOLINE says. */
_Noreturn void kexec_jump(void);

/* What kexec_leave() needs of memory, in bytes: page tables, and the page of the trampoline. */
#define KEXEC_LEAVE_TABLES     (6 * LAYOUT_PAGE)
#define KEXEC_LEAVE_TRAMPOLINE KEXEC_LEAVE_TABLES /* offset */
#define KEXEC_LEAVE_SIZE       (7 * LAYOUT_PAGE)

/**
 * Become an image of another kind, which leaves nothing of ours where it is, by the trampoline in
 * the last page of @place: KEXEC_LEAVE_SIZE bytes, at a page, that no move touches. The first pages
 * are filled here. There is no way back.
 */
_Noreturn void kexec_leave(void *place);

/**
 * Take the way back, with the reason for the old image to tell. Returns when there is none: no
 * update is under way, or this is the old image already.
 */
void kexec_go_back(const char *why);

#endif
