/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts and needed libraries in an ELF file, nothing of which is trusted. */
#include "liveupdate/foreign.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "liveupdate/read-at.h"

/* More is not looked at. */
#define HEADERS_MAX 64u
#define DYNAMIC_MAX 4096u

/* A larger file is no xenstored, and would take long to search. */
#define FILE_MAX (64 << 20)

struct elf {
	const char *bytes;
	uint64_t size;
	Elf64_Ehdr header;
};

static bool segment_at(const struct elf *elf, unsigned int index, Elf64_Phdr *segment)
{
	uint64_t offset = elf->header.e_phoff + (uint64_t)index * sizeof(*segment);

	if (index >= elf->header.e_phnum || index >= HEADERS_MAX || offset > elf->size ||
	    sizeof(*segment) > elf->size - offset)
		return false;
	memcpy(segment, elf->bytes + offset, sizeof(*segment));
	return true;
}

/* The bytes of the file from an address of the running program on; NULL: there are none. */
static const char *at_address(const struct elf *elf, uint64_t address, uint64_t *left)
{
	Elf64_Phdr segment;

	for (unsigned int i = 0; segment_at(elf, i, &segment); i++) {
		uint64_t into = address - segment.p_vaddr;

		if (segment.p_type != PT_LOAD || address < segment.p_vaddr ||
		    into >= segment.p_filesz || segment.p_offset > elf->size ||
		    segment.p_filesz > elf->size - segment.p_offset)
			continue;
		*left = segment.p_filesz - into;
		return elf->bytes + segment.p_offset + into;
	}
	return NULL;
}

/* The first table of entries that the dynamic loader would use. Returns their number. */
static uint64_t dynamic_entries(const struct elf *elf, const char **entries)
{
	Elf64_Phdr segment;

	for (unsigned int i = 0; segment_at(elf, i, &segment); i++) {
		uint64_t count = segment.p_filesz / sizeof(Elf64_Dyn);

		if (segment.p_type != PT_DYNAMIC || segment.p_offset > elf->size ||
		    segment.p_filesz > elf->size - segment.p_offset)
			continue;
		*entries = elf->bytes + segment.p_offset;
		return count < DYNAMIC_MAX ? count : DYNAMIC_MAX;
	}
	return 0;
}

/* n of "libxenctrl.so.4.n", or 0. */
static unsigned int release_of(const char *name, uint64_t left)
{
	static const char prefix[] = "libxenctrl.so.4.";
	size_t len = strnlen(name, left);

	if (len == left || len < sizeof(prefix) || len > sizeof(prefix) + 3 ||
	    memcmp(name, prefix, sizeof(prefix) - 1) != 0)
		return 0;
	return (unsigned int)strtoul(name + sizeof(prefix) - 1, NULL, 10);
}

static unsigned int find_release(const struct elf *elf)
{
	const char *entries = NULL, *strings = NULL;
	uint64_t count = dynamic_entries(elf, &entries), left = 0;
	Elf64_Dyn entry;

	for (uint64_t i = 0; i < count; i++) {
		memcpy(&entry, entries + i * sizeof(entry), sizeof(entry));
		if (entry.d_tag == DT_STRTAB)
			strings = at_address(elf, entry.d_un.d_ptr, &left);
	}
	for (uint64_t i = 0; strings && i < count; i++) {
		unsigned int release;

		memcpy(&entry, entries + i * sizeof(entry), sizeof(entry));
		if (entry.d_tag != DT_NEEDED || entry.d_un.d_val >= left)
			continue;
		release = release_of(strings + entry.d_un.d_val, left - entry.d_un.d_val);
		if (release)
			return release;
	}
	return 0;
}

static bool contains(const struct elf *elf, const char *text)
{
	return memmem(elf->bytes, elf->size, text, strlen(text)) != NULL;
}

/* Releases from 4.21 on do without the versioned library. */
static void choose(struct foreign *foreign, const struct elf *elf)
{
	foreign->release = find_release(elf);
	foreign->version_max = 2;
	if (foreign->release && foreign->release <= 17) {
		foreign->dialect = "4.17";
		foreign->version_max = 1;
	} else if (foreign->release && foreign->release <= 20) {
		foreign->dialect = "4.18";
		foreign->version_max = 1;
	} else {
		/* The name of a request that came with the records of quotas. */
		foreign->dialect = contains(elf, "GET_QUOTA") ? "4.22" : "4.21";
	}
}

void foreign_parse(const void *file, uint64_t size, struct foreign *foreign)
{
	struct elf elf = {.bytes = file, .size = size};

	memset(foreign, 0, sizeof(*foreign));
	if (size < sizeof(elf.header))
		return;
	memcpy(&elf.header, file, sizeof(elf.header));
	if (!contains(&elf, "@releaseDomain"))
		return;
	if (contains(&elf, "$xenstored-dump-format")) {
		foreign->kind = FOREIGN_OXENSTORED;
	} else if (contains(&elf, "state_dump")) {
		foreign->kind = FOREIGN_XENSTORED;
		choose(foreign, &elf);
	}
}

/* Returns 0 or a negative errno. */
static int parse_contents(int fd, size_t size, struct foreign *foreign)
{
	char *file = malloc(size);
	ssize_t got;

	if (!file)
		return -ENOMEM;
	got = read_at(fd, file, size, 0);
	if (got >= 0)
		foreign_parse(file, (uint64_t)got, foreign);
	free(file);
	return got < 0 ? -EIO : 0;
}

int foreign_read(const char *path, struct foreign *foreign)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), error = 0;
	struct stat stat;

	memset(foreign, 0, sizeof(*foreign));
	if (fd < 0)
		return -errno;
	if (fstat(fd, &stat) || !S_ISREG(stat.st_mode) || stat.st_size <= 0)
		error = -ENOEXEC;
	else if (stat.st_size <= FILE_MAX)
		error = parse_contents(fd, (size_t)stat.st_size, foreign);
	close(fd);
	return error;
}
