/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading an ELF file that may lie. */
#include "stubdom/ring0/image-check.h"

#include <elf.h>
#include <string.h>

#include "stubdom/layout.h"

#define NOTE_PHYS32_ENTRY 18u

/* Copy @want bytes at @offset, if the file has them. */
static bool get(const void *file, size_t size, uint64_t offset, void *out, size_t want)
{
	if (offset > size || size - offset < want)
		return false;
	memcpy(out, (const char *)file + offset, want);
	return true;
}

static uint64_t align4(uint64_t value)
{
	return (value + 3) & ~3ull;
}

/* Look for the entry point in a segment of notes. */
static bool find_entry(const void *file, size_t size, const Elf64_Phdr *notes, uint32_t *entry)
{
	uint64_t offset = notes->p_offset, left = notes->p_filesz;
	Elf64_Nhdr note;
	char name[4];

	if (offset > size || left > size - offset)
		return false;
	while (left >= sizeof(note) && get(file, size, offset, &note, sizeof(note))) {
		uint64_t name_size = align4(note.n_namesz), value_size = align4(note.n_descsz);
		uint64_t whole = sizeof(note) + name_size + value_size;

		if (whole > left)
			return false;
		if (note.n_type == NOTE_PHYS32_ENTRY && note.n_namesz == sizeof(name) &&
		    note.n_descsz >= sizeof(*entry) &&
		    get(file, size, offset + sizeof(note), name, sizeof(name)) &&
		    !memcmp(name, "Xen", sizeof(name)))
			return get(file, size, offset + sizeof(note) + name_size, entry,
				   sizeof(*entry));
		offset += whole;
		left -= whole;
	}
	return false;
}

static const char *add_segment(const Elf64_Phdr *header, size_t size, uint64_t limit,
			       struct image_info *info)
{
	struct image_segment *segment = &info->segment[info->segment_count];
	uint64_t start = header->p_paddr, end = start + header->p_memsz;

	if (!header->p_memsz)
		return NULL;
	if (info->segment_count == IMAGE_SEGMENTS_MAX)
		return "Kernel has too many segments.";
	if (header->p_filesz > header->p_memsz || header->p_offset > size ||
	    header->p_filesz > size - header->p_offset)
		return "Kernel file is truncated.";
	if (start < LAYOUT_IMAGE || end < start || end > limit)
		return "Kernel does not fit where it wants to be loaded.";
	for (unsigned int i = 0; i < info->segment_count; i++) {
		const struct image_segment *other = &info->segment[i];

		if (start < other->address + other->memory_size && other->address < end)
			return "Kernel segments overlap.";
	}
	segment->address = start;
	segment->file_offset = header->p_offset;
	segment->file_size = header->p_filesz;
	segment->memory_size = header->p_memsz;
	if (!info->segment_count++ || start < info->start)
		info->start = start;
	if (end > info->end)
		info->end = end;
	return NULL;
}

/* The entry must be inside of what is copied from the file. */
static bool entry_is_loaded(const struct image_info *info)
{
	for (unsigned int i = 0; i < info->segment_count; i++) {
		const struct image_segment *segment = &info->segment[i];

		if (info->entry >= segment->address &&
		    info->entry - segment->address < segment->file_size)
			return true;
	}
	return false;
}

const char *image_check(const void *file, size_t size, uint64_t limit, struct image_info *info)
{
	const char *wrong = NULL;
	bool has_entry = false;
	Elf64_Phdr segment;
	Elf64_Ehdr header;

	memset(info, 0, sizeof(*info));
	if (!get(file, size, 0, &header, sizeof(header)) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return "Kernel is not an ELF file.";
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
	    header.e_machine != EM_X86_64 || header.e_type != ET_EXEC)
		return "Kernel is not a static program for this machine.";
	if (header.e_phentsize != sizeof(segment))
		return "Kernel file is damaged.";
	for (unsigned int i = 0; i < header.e_phnum && !wrong; i++) {
		if (!get(file, size, header.e_phoff + (uint64_t)i * sizeof(segment), &segment,
			 sizeof(segment)))
			return "Kernel file is truncated.";
		if (segment.p_type == PT_LOAD)
			wrong = add_segment(&segment, size, limit, info);
		else if (segment.p_type == PT_NOTE && !has_entry)
			has_entry = find_entry(file, size, &segment, &info->entry);
	}
	if (wrong)
		return wrong;
	if (!has_entry || !entry_is_loaded(info))
		return "Kernel is no PVH image: it has no entry for the hypervisor.";
	return NULL;
}
