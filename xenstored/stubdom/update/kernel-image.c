/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reading of a file that nobody has reason to trust: every number in it is checked first. */
#include "stubdom/update/kernel-image.h"

#include <elf.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "liveupdate/elf-note.h"

#define PAGE	    4096u
#define HEADERS_MAX 64u /* program headers; more are refused */

#define XEN_NOTE_NAME	 "Xen"
#define XEN_PHYS32_ENTRY 18u

struct file {
	const char *bytes;
	uint64_t size;
	char *why;
};

static bool refuse(const struct file *file, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool refuse(const struct file *file, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(file->why, KERNEL_WHY_MAX, format, args);
	va_end(args);
	return false;
}

static bool inside(const struct file *file, uint64_t offset, uint64_t size)
{
	return offset <= file->size && size <= file->size - offset;
}

/* Put a segment in its place by address. */
static bool add_segment(const struct file *file, const Elf64_Phdr *header,
			const struct kernel_room *room, struct kernel_image *image)
{
	struct kernel_segment *segment = image->segment;
	unsigned int i = image->count;

	if (header->p_filesz > header->p_memsz)
		return refuse(file,
			      "A segment of the kernel is larger in the file than in memory.");
	if (!inside(file, header->p_offset, header->p_filesz))
		return refuse(file, "The kernel is cut off: a segment ends behind the file.");
	if (!header->p_memsz)
		return true;
	if (header->p_paddr < room->low || header->p_paddr >= room->high ||
	    header->p_memsz > room->high - header->p_paddr)
		return refuse(file,
			      "A segment of the kernel (%#" PRIx64 ", %#" PRIx64
			      " bytes) lies outside of %#" PRIx64 " to %#" PRIx64 ".",
			      header->p_paddr, header->p_memsz, room->low, room->high);
	if (i == KERNEL_SEGMENTS_MAX)
		return refuse(file, "The kernel has more than %u segments.", KERNEL_SEGMENTS_MAX);
	for (; i && segment[i - 1].address > header->p_paddr; i--)
		segment[i] = segment[i - 1];
	segment[i] = (struct kernel_segment){.offset = header->p_offset,
					     .file_size = header->p_filesz,
					     .address = header->p_paddr,
					     .size = header->p_memsz,
					     .writable = header->p_flags & PF_W};
	image->count++;
	return true;
}

static bool check_segments(const struct file *file, const struct kernel_room *room,
			   struct kernel_image *image)
{
	const struct kernel_segment *last;
	bool enterable = false;

	if (!image->count)
		return refuse(file, "The kernel has nothing to load.");
	for (unsigned int i = 0; i < image->count; i++) {
		const struct kernel_segment *segment = &image->segment[i];

		if (i && segment[-1].address + segment[-1].size > segment->address)
			return refuse(file, "Two segments of the kernel overlap at %#" PRIx64 ".",
				      segment->address);
		if (image->entry >= segment->address &&
		    image->entry - segment->address < segment->file_size)
			enterable = true;
	}
	if (!enterable)
		return refuse(file, "The kernel's entry %#x is not in the kernel.", image->entry);
	last = &image->segment[image->count - 1];
	image->end = (last->address + last->size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	if (image->end > room->high)
		return refuse(file, "The kernel ends behind %#" PRIx64 ".", room->high);
	return true;
}

static bool read_header(const struct file *file, Elf64_Ehdr *header)
{
	if (file->size < sizeof(*header))
		return refuse(file, "The kernel is no ELF file.");
	memcpy(header, file->bytes, sizeof(*header));
	if (memcmp(header->e_ident, ELFMAG, SELFMAG))
		return refuse(file, "The kernel is no ELF file.");
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
	    header->e_machine != EM_X86_64)
		return refuse(file, "The kernel is no ELF file for this machine (64-bit x86).");
	if (header->e_type != ET_EXEC)
		return refuse(file, "The kernel is not linked to fixed addresses.");
	if (header->e_phentsize != sizeof(Elf64_Phdr) || !header->e_phnum ||
	    header->e_phnum > HEADERS_MAX)
		return refuse(file, "The kernel has a wrong number of program headers.");
	if (!inside(file, header->e_phoff, (uint64_t)header->e_phnum * sizeof(Elf64_Phdr)))
		return refuse(file, "The kernel is cut off: its program headers are missing.");
	return true;
}

static bool read_notes(const struct file *file, uint32_t layout, struct kernel_image *image)
{
	static const struct elf_note_name entry = {XEN_NOTE_NAME, sizeof(XEN_NOTE_NAME),
						   XEN_PHYS32_ENTRY};
	static const struct elf_note_name own = {KERNEL_NOTE_NAME, sizeof(KERNEL_NOTE_NAME),
						 KERNEL_NOTE_TYPE};

	if (elf_note_parse(file->bytes, file->size, &entry, &image->entry, sizeof(image->entry)))
		return refuse(file, "The kernel has no PVH entry: it is not made to be a domain.");
	image->own = elf_note_parse(file->bytes, file->size, &own, &image->note,
				    sizeof(image->note)) == ELF_NOTE_FOUND;
	if (image->own && image->note.layout != layout)
		return refuse(file,
			      "The kernel expects memory layout %u; this domain has layout %u.",
			      image->note.layout, layout);
	return true;
}

bool kernel_image_check(const void *bytes, uint64_t size, const struct kernel_room *room,
			uint32_t layout, struct kernel_image *image, char *why)
{
	struct file file = {.bytes = bytes, .size = size, .why = why};
	struct kernel_room there = *room;
	Elf64_Ehdr header;

	memset(image, 0, sizeof(*image));
	if (!read_header(&file, &header) || !read_notes(&file, layout, image))
		return false;
	if (!image->own)
		there.low = 0;
	for (unsigned int i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr segment;

		memcpy(&segment, file.bytes + header.e_phoff + i * sizeof(segment),
		       sizeof(segment));
		if (segment.p_type == PT_INTERP || segment.p_type == PT_DYNAMIC)
			return refuse(&file, "The kernel is a program for an operating system: it "
					     "is linked dynamically.");
		if (segment.p_type == PT_LOAD && !add_segment(&file, &segment, &there, image))
			return false;
	}
	return check_segments(&file, &there, image);
}
