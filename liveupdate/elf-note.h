/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Notes in ELF files: what a program says about itself to whoever is about to run
 * it, read without running it.
 *
 * A file comes from an administrator, but may be anything: every number in it is
 * checked against the file's size.
 */
#ifndef LIVEUPDATE_ELF_NOTE_H
#define LIVEUPDATE_ELF_NOTE_H

#include <stddef.h>
#include <stdint.h>

enum elf_note {
	ELF_NOTE_FOUND,
	ELF_NOTE_NONE,	  /* a program for this machine without such a note */
	ELF_NOTE_INVALID, /* no program that this machine could execute */
};

struct elf_note_name {
	const char *name;
	uint32_t name_size; /* with its NUL */
	uint32_t type;
};

/**
 * Find a note in a file that is in memory.
 * @contents: gets the first @contents_size bytes of what the note says; a shorter note is not found
 */
enum elf_note elf_note_parse(const void *file, uint64_t size, const struct elf_note_name *name,
			     void *contents, size_t contents_size);

/** The same for an open file. Returns enum elf_note, or a negative errno. */
int elf_note_read(int fd, const struct elf_note_name *name, void *contents, size_t contents_size);

#endif
