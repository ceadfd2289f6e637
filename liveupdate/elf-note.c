/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program headers lead to segments of notes, and these are walked.
 */
#include "liveupdate/elf-note.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

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

enum elf_note elf_note_parse(const void *file, uint64_t size, const struct elf_note_name *name,
			     void *contents, size_t contents_size)
{
	const char *bytes = file;
	Elf64_Ehdr header;

	if (size < sizeof(header))
		return ELF_NOTE_INVALID;
	memcpy(&header, bytes, sizeof(header));
	if (!for_this_machine(&header) || header.e_phoff > size ||
	    header.e_phnum > (size - header.e_phoff) / sizeof(Elf64_Phdr))
		return ELF_NOTE_INVALID;
	for (unsigned int i = 0; i < header.e_phnum && i < HEADERS_MAX; i++) {
		Elf64_Phdr segment;

		memcpy(&segment, bytes + header.e_phoff + i * sizeof(segment), sizeof(segment));
		if (segment.p_type != PT_NOTE || segment.p_offset > size ||
		    segment.p_filesz > size - segment.p_offset || segment.p_filesz > NOTES_MAX)
			continue;
		if (find(bytes + segment.p_offset, segment.p_filesz, name, contents, contents_size))
			return ELF_NOTE_FOUND;
	}
	return ELF_NOTE_NONE;
}

int elf_note_read(int fd, const struct elf_note_name *name, void *contents, size_t contents_size)
{
	struct stat stat;
	void *file;
	int found;

	if (fstat(fd, &stat))
		return -errno;
	if (!S_ISREG(stat.st_mode) || stat.st_size <= 0)
		return ELF_NOTE_INVALID;
	file = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file == MAP_FAILED)
		return -errno;
	found = (int)elf_note_parse(file, (uint64_t)stat.st_size, name, contents, contents_size);
	munmap(file, (size_t)stat.st_size);
	return found;
}
