/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page from which one image is replaced by another: code, and the list of what it is to move.
 *
 * It lies at LAYOUT_TRAMPOLINE, where no image of our kind is ever loaded, or, for others, at some
 * place that they leave alone. It needs no stack and calls nobody, so it may overwrite everything
 * else. It leaves the processor as the domain's builder would: 32-bit mode without paging.
 * Everything that could fail was done before. (spec: stubdom.md section 6)
 */
#ifndef XENSTORED_STUBDOM_RING0_TRAMPOLINE_H
#define XENSTORED_STUBDOM_RING0_TRAMPOLINE_H

/* Offsets in the page, for the code. */
#define TRAMPOLINE_GDT	      0x200
#define TRAMPOLINE_GDT_SIZE   24
#define TRAMPOLINE_POINTER    0x218
#define TRAMPOLINE_ENTRY      0x224
#define TRAMPOLINE_START_INFO 0x228
#define TRAMPOLINE_FAR	      0x22c
#define TRAMPOLINE_MOVES      0x238

#define TRAMPOLINE_MOVES_MAX 32

#ifndef __ASSEMBLER__

#include <stddef.h>
#include <stdint.h>

#include "stubdom/layout.h"

/* Copy @size bytes, and put @zeros bytes of zeros behind them. Neither: the end of the list. */
struct trampoline_move {
	uint64_t to, from, size, zeros;
};

struct trampoline {
	uint8_t code[TRAMPOLINE_GDT];
	uint64_t gdt[TRAMPOLINE_GDT_SIZE / 8];
	uint16_t gdt_limit;
	uint16_t gdt_address[4]; /* the code's own */
	uint16_t pad;
	uint32_t entry; /* of the new image, for 32-bit mode */
	uint32_t start_info;
	uint32_t far_offset; /* the code's own */
	uint16_t far_segment;
	uint16_t pad2[3];
	struct trampoline_move move[TRAMPOLINE_MOVES_MAX + 1];
};

_Static_assert(offsetof(struct trampoline, gdt) == TRAMPOLINE_GDT, "as the code has it");
_Static_assert(offsetof(struct trampoline, gdt_limit) == TRAMPOLINE_POINTER, "as the code has it");
_Static_assert(offsetof(struct trampoline, entry) == TRAMPOLINE_ENTRY, "as the code has it");
_Static_assert(offsetof(struct trampoline, start_info) == TRAMPOLINE_START_INFO,
	       "as the code has it");
_Static_assert(offsetof(struct trampoline, far_offset) == TRAMPOLINE_FAR, "as the code has it");
_Static_assert(offsetof(struct trampoline, move) == TRAMPOLINE_MOVES, "as the code has it");
_Static_assert(sizeof(struct trampoline) <= LAYOUT_TRAMPOLINE_END - LAYOUT_TRAMPOLINE,
	       "it is one page");

/* The code, which is copied to the page. */
extern const uint8_t trampoline_code[], trampoline_code_end[];

#endif

#endif
