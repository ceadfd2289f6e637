/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program headers lead to segments of notes, and these are walked.
 */
#include "liveupdate/elf-note.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "liveupdate/read-at.h"

/* Program headers and notes beyond these bounds are not looked at. */
#define HEADERS_MAX 64u
#define NOTES_MAX   65536u

/* Looks for the note in one segment. */
static bool find(const char *at, uint64_t size, const struct elf_note_name *wanted, void *contents,
		 size_t contents_size)
{
	while (size >= sizeof(Elf64_Nhdr)) {
		uint64_t name_size, size_of_contents;
		Elf64_Nhdr header;

		memcpy(&header, at, sizeof(header));
		name_size = ((uint64_t)header.n_namesz + 3) & ~(uint64_t)3;
		size_of_contents = ((uint64_t)header.n_descsz + 3) & ~(uint64_t)3;
		at += sizeof(header);
		size -= sizeof(header);
		if (name_size > size || size_of_contents > size - name_size)
			return false;
		if (header.n_type == wanted->type && header.n_namesz == wanted->name_size &&
		    header.n_descsz >= contents_size &&
		    !memcmp(at, wanted->name, wanted->name_size)) {
			memcpy(contents, at + name_size, contents_size);
			return true;
		}
		at += name_size + size_of_contents;
		size -= name_size + size_of_contents;
	}
	return false;
}

static bool for_this_machine(const Elf64_Ehdr *header)
{
#if defined(__x86_64__)
	const Elf64_Half machine = EM_X86_64;
#elif defined(__aarch64__)
	const Elf64_Half machine = EM_AARCH64;
#else
	const Elf64_Half machine = header->e_machine;
#endif
	return !memcmp(header->e_ident, ELFMAG, SELFMAG) &&
	       header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_machine == machine &&
	       (header->e_type == ET_EXEC || header->e_type == ET_DYN) &&
	       header->e_phentsize == sizeof(Elf64_Phdr) && header->e_phnum;
}

/* A file, in memory or open, of so many bytes. */
struct source {
	const char *bytes; /* NULL: open */
	int fd;
	uint64_t size;
	char *room; /* of an open one: for a segment of notes, NOTES_MAX bytes */
};

/* Part of a file, in memory or brought to @room. NULL: it is not there. */
static const char *part(const struct source *source, uint64_t offset, uint64_t len, void *room)
{
	if (offset > source->size || len > source->size - offset)
		return NULL;
	if (source->bytes)
		return source->bytes + offset;
	return read_at(source->fd, room, len, offset) == (ssize_t)len ? room : NULL;
}

static enum elf_note look(const struct source *source, const struct elf_note_name *name,
			  void *contents, size_t contents_size)
{
	Elf64_Phdr headers[HEADERS_MAX];
	const char *at;
	Elf64_Ehdr header;
	unsigned int count;

	at = part(source, 0, sizeof(header), &header);
	if (!at)
		return ELF_NOTE_INVALID;
	memmove(&header, at, sizeof(header));
	if (!for_this_machine(&header) || header.e_phoff > source->size ||
	    header.e_phnum > (source->size - header.e_phoff) / sizeof(*headers))
		return ELF_NOTE_INVALID;
	count = header.e_phnum < HEADERS_MAX ? header.e_phnum : HEADERS_MAX;
	at = part(source, header.e_phoff, count * sizeof(*headers), headers);
	if (!at)
		return ELF_NOTE_INVALID;
	for (unsigned int i = 0; i < count; i++) {
		Elf64_Phdr segment;
		const char *notes;

		memcpy(&segment, at + i * sizeof(segment), sizeof(segment));
		if (segment.p_type != PT_NOTE || segment.p_filesz > NOTES_MAX)
			continue;
		notes = part(source, segment.p_offset, segment.p_filesz, source->room);
		if (notes && find(notes, segment.p_filesz, name, contents, contents_size))
			return ELF_NOTE_FOUND;
	}
	return ELF_NOTE_NONE;
}

enum elf_note elf_note_parse(const void *file, uint64_t size, const struct elf_note_name *name,
			     void *contents, size_t contents_size)
{
	const struct source source = {.bytes = file, .size = size};

	return look(&source, name, contents, contents_size);
}

int elf_note_read(int fd, const struct elf_note_name *name, void *contents, size_t contents_size)
{
	struct source source = {.fd = fd};
	struct stat stat;
	int found;

	if (fstat(fd, &stat))
		return -errno;
	if (!S_ISREG(stat.st_mode) || stat.st_size <= 0)
		return ELF_NOTE_INVALID;
	source.size = (uint64_t)stat.st_size;
	source.room = malloc(NOTES_MAX);
	if (!source.room)
		return -ENOMEM;
	found = (int)look(&source, name, contents, contents_size);
	free(source.room);
	return found;
}
