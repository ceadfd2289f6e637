/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The note of this binary, and the reading of others'. */
#include "liveupdate/abilities.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "liveupdate/elf-note.h"

static const struct elf_note_name name = {ABILITIES_NOTE_NAME, sizeof(ABILITIES_NOTE_NAME),
					  ABILITIES_NOTE_TYPE};

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

static enum abilities_kind kind_of(enum elf_note found)
{
	if (found == ELF_NOTE_FOUND)
		return ABILITIES_OWN;
	return found == ELF_NOTE_NONE ? ABILITIES_FOREIGN : ABILITIES_INVALID;
}

enum abilities_kind abilities_parse(const void *file, uint64_t size, struct abilities *abilities)
{
	return kind_of(elf_note_parse(file, size, &name, abilities, sizeof(*abilities)));
}

int abilities_read(const char *path, struct abilities *abilities)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), found;

	if (fd < 0)
		return -errno;
	found = elf_note_read(fd, &name, abilities, sizeof(*abilities));
	close(fd);
	return found < 0 ? found : (int)kind_of((enum elf_note)found);
}
