/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program headers, which are in memory as well, say what was loaded from where. */
#include "stubdom/ring0/pristine.h"

#include <elf.h>
#include <stdint.h>
#include <string.h>

#define KEPT_MAX 131072u

extern const Elf64_Ehdr __ehdr_start;

/* Not loaded from the file, so that it is no part of what it keeps. */
static uint8_t kept[KEPT_MAX];
static size_t kept_size;
static bool too_large;

static const Elf64_Phdr *headers(void)
{
	return (const Elf64_Phdr *)((uintptr_t)&__ehdr_start + __ehdr_start.e_phoff);
}

static bool is_writable(const Elf64_Phdr *segment)
{
	return segment->p_type == PT_LOAD && (segment->p_flags & PF_W);
}

void pristine_keep(void)
{
	const Elf64_Phdr *segment = headers();

	for (unsigned int i = 0; i < __ehdr_start.e_phnum; i++, segment++) {
		if (!is_writable(segment))
			continue;
		if (segment->p_filesz > KEPT_MAX - kept_size) {
			too_large = true;
			return;
		}
		memcpy(kept + kept_size, (const void *)segment->p_paddr, segment->p_filesz);
		kept_size += segment->p_filesz;
	}
}

size_t pristine_size(void)
{
	const Elf64_Phdr *segment = headers();
	size_t size = 0;

	for (unsigned int i = 0; i < __ehdr_start.e_phnum; i++, segment++)
		if (segment->p_type == PT_LOAD && segment->p_offset + segment->p_filesz > size)
			size = segment->p_offset + segment->p_filesz;
	return too_large ? 0 : size;
}

void pristine_write(void *file)
{
	const Elf64_Phdr *segment = headers();
	Elf64_Ehdr *header = file;
	const uint8_t *from = kept;

	memset(file, 0, pristine_size());
	for (unsigned int i = 0; i < __ehdr_start.e_phnum; i++, segment++) {
		void *to = (uint8_t *)file + segment->p_offset;

		if (segment->p_type != PT_LOAD)
			continue;
		if (!is_writable(segment)) {
			memcpy(to, (const void *)segment->p_paddr, segment->p_filesz);
			continue;
		}
		memcpy(to, from, segment->p_filesz);
		from += segment->p_filesz;
	}
	/* Sections were not loaded. */
	header->e_shoff = 0;
	header->e_shnum = header->e_shstrndx = 0;
}
