/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel for the stub domain, as the file that a client has sent: is it one that this domain can
 * become?
 *
 * The question is answered completely before anything is changed, from the bytes alone: an ELF
 * file for this machine with Xen's PVH entry, all of its segments in memory that a kernel may
 * occupy, and our own note, which says that it understands what is handed over. A kernel without
 * the note might be a fine one and still forget the whole store: whether it can be told the state
 * in another way is a question of its own (update-exchange.c).
 */
#ifndef STUBDOM_UPDATE_KERNEL_IMAGE_H
#define STUBDOM_UPDATE_KERNEL_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The note of a kernel that can take over (Elf64_Nhdr, name, struct kernel_note). */
#define KERNEL_NOTE_NAME "xenstored"
#define KERNEL_NOTE_TYPE 2u

/* Ways in which a state can be handed over. */
#define KERNEL_TAKES_MEMORY 1u
#define KERNEL_TAKES_FILE   2u

/* What a kernel understands, in host byte order. */
struct kernel_note {
	uint32_t layout;  /* version of the fixed places in memory and of the hand-over page */
	uint32_t records; /* version of our own record types in a stream, as in its abilities */
	uint32_t takes;	  /* KERNEL_TAKES_* */
	uint32_t reserved;
};

/* What a segment is loaded from and to; bytes behind @file_size are zero. */
struct kernel_segment {
	uint64_t offset, file_size; /* in the file */
	uint64_t address, size;	    /* physical, in bytes */
	bool writable;
};

#define KERNEL_SEGMENTS_MAX 16u

/* What was found in a good file. */
struct kernel_image {
	bool own;	/* it has our note */
	uint32_t entry; /* of the PVH note */
	unsigned int count;
	struct kernel_segment segment[KERNEL_SEGMENTS_MAX]; /* ascending, without overlap */
	uint64_t end;					    /* first page behind all of them */
	struct kernel_note note;
};

/*
 * Where a kernel may be loaded: the addresses from @low up to @high, which is not included; one
 * without our note, which has no use for what is at our fixed places, from 0 on.
 */
struct kernel_room {
	uint64_t low, high;
};

/* Room for the text of a refusal. */
#define KERNEL_WHY_MAX 160u

/**
 * Check a file and describe it.
 * @size: of @file in bytes; nothing behind it is read, and @file needs no alignment
 * @layout: the version of the fixed places that this domain uses
 * @image: filled when the file is good
 * @why: KERNEL_WHY_MAX bytes, for a text for the administrator
 * Returns whether it is good; if not, @why says what is wrong.
 * (spec: stubdom.md sections 1 and 6)
 */
bool kernel_image_check(const void *file, uint64_t size, const struct kernel_room *room,
			uint32_t layout, struct kernel_image *image, char *why);

#endif
