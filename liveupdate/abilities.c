/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The note of this binary, and the reading of others'. */
#include "liveupdate/abilities.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Program headers and notes beyond these bounds are not looked at. */
#define HEADERS_MAX 64u
#define NOTES_MAX   65536u

static const struct {
	Elf64_Nhdr header;
	char name[12]; /* ABILITIES_NOTE_NAME, padded to words */
	struct abilities abilities;
} note __attribute__((section(".note.xenstored"), used, aligned(4))) = {
	.header = {sizeof(ABILITIES_NOTE_NAME), sizeof(struct abilities), ABILITIES_NOTE_TYPE},
	.name = ABILITIES_NOTE_NAME,
	.abilities = {.stream_versions = 1u << 1 | 1u << 2,
		      .flags = ABILITY_CHECK | ABILITY_DESCRIPTOR | ABILITY_GUARD,
		      .records = ABILITIES_RECORDS},
};

/* Look for the note in one segment of notes. */
static bool find_note(const char *at, uint64_t size, struct abilities *abilities)
{
	while (size >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr header;
		uint64_t name, desc;

		memcpy(&header, at, sizeof(header));
		name = ((uint64_t)header.n_namesz + 3) & ~(uint64_t)3;
		desc = ((uint64_t)header.n_descsz + 3) & ~(uint64_t)3;
		at += sizeof(header);
		size -= sizeof(header);
		if (name > size || desc > size - name)
			return false;
		if (header.n_type == ABILITIES_NOTE_TYPE &&
		    header.n_namesz == sizeof(ABILITIES_NOTE_NAME) &&
		    header.n_descsz >= sizeof(*abilities) &&
		    !memcmp(at, ABILITIES_NOTE_NAME, sizeof(ABILITIES_NOTE_NAME))) {
			memcpy(abilities, at + name, sizeof(*abilities));
			return true;
		}
		at += name + desc;
		size -= name + desc;
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

enum abilities_kind abilities_parse(const void *file, uint64_t size, struct abilities *abilities)
{
	const char *bytes = file;
	Elf64_Ehdr header;

	if (size < sizeof(header))
		return ABILITIES_INVALID;
	memcpy(&header, bytes, sizeof(header));
	if (!for_this_machine(&header) || header.e_phoff > size ||
	    header.e_phnum > (size - header.e_phoff) / sizeof(Elf64_Phdr))
		return ABILITIES_INVALID;
	for (unsigned int i = 0; i < header.e_phnum && i < HEADERS_MAX; i++) {
		Elf64_Phdr segment;

		memcpy(&segment, bytes + header.e_phoff + i * sizeof(segment), sizeof(segment));
		if (segment.p_type != PT_NOTE || segment.p_offset > size ||
		    segment.p_filesz > size - segment.p_offset || segment.p_filesz > NOTES_MAX)
			continue;
		if (find_note(bytes + segment.p_offset, segment.p_filesz, abilities))
			return ABILITIES_OWN;
	}
	return ABILITIES_FOREIGN;
}

int abilities_read(const char *path, struct abilities *abilities)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), kind;
	struct stat stat;
	void *file;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &stat)) {
		kind = -errno;
	} else if (!S_ISREG(stat.st_mode) || stat.st_size <= 0) {
		kind = ABILITIES_INVALID;
	} else {
		file = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (file == MAP_FAILED) {
			kind = -errno;
		} else {
			kind = (int)abilities_parse(file, (uint64_t)stat.st_size, abilities);
			munmap(file, (size_t)stat.st_size);
		}
	}
	close(fd);
	return kind;
}
