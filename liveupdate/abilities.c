/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The note of this binary, and the reading of others'. */
#include "liveupdate/abilities.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "liveupdate/elf-note.h"
#include "liveupdate/stream-own.h"

static const struct elf_note_name name = {ABILITIES_NOTE_NAME, sizeof(ABILITIES_NOTE_NAME),
					  ABILITIES_NOTE_TYPE};

/* What an update among equals takes. */
#define FLAGS (ABILITY_CHECK | ABILITY_DESCRIPTOR | ABILITY_GUARD)

/* All of our must-understand types, as test-abilities.c makes sure. */
#define KNOWN(name)                                                                                \
	{                                                                                          \
		STREAM_##name, 1                                                                   \
	}
#define DECLARED(client)                                                                           \
	KNOWN(DOMAIN_STATE), {STREAM_CLIENT, client}, KNOWN(TX), KNOWN(TX_DIFFERENCE),             \
		KNOWN(TX_TOUCH), KNOWN(TX_CHANGE), KNOWN(DELTA), KNOWN(SNAPSHOT)

/* What a note of revision 1 means that declares nothing. */
static const struct abilities_record revision_1[] = {DECLARED(1)};

#define COUNT (sizeof(revision_1) / sizeof(*revision_1))

static const struct {
	Elf64_Nhdr header;
	char name[12]; /* ABILITIES_NOTE_NAME, padded to words */
	uint32_t stream_versions, flags, records, declared;
	struct abilities_record record[COUNT];
} note __attribute__((section(".note.xenstored"), used, aligned(4))) = {
	.header = {sizeof(ABILITIES_NOTE_NAME), ABILITIES_FIXED + sizeof(revision_1),
		   ABILITIES_NOTE_TYPE},
	.name = ABILITIES_NOTE_NAME,
	.stream_versions = 1u << 1 | 1u << 2,
	.flags = FLAGS,
	.records = ABILITIES_RECORDS,
	.declared = COUNT,
	.record = {DECLARED(2)},
};

/* Bytes of a note whose fixed part is in @abilities, or 0: it makes no sense. */
static size_t whole_size(const struct abilities *abilities)
{
	if (abilities->declared > ABILITIES_DECLARED_MAX)
		return 0;
	return ABILITIES_FIXED + abilities->declared * sizeof(*abilities->record);
}

static enum abilities_kind judge(enum elf_note found, struct abilities *abilities)
{
	if (found == ELF_NOTE_INVALID)
		return ABILITIES_INVALID;
	if (found == ELF_NOTE_NONE || (abilities->flags & FLAGS) != FLAGS || !abilities->records ||
	    !(abilities->stream_versions & 1u << STREAM_VERSION_MAX))
		return ABILITIES_FOREIGN;
	if (!abilities->declared) {
		memcpy(abilities->record, revision_1, sizeof(revision_1));
		abilities->declared = COUNT;
	}
	return ABILITIES_OWN;
}

/* First the fixed part, which says how much there is. */
enum abilities_kind abilities_parse(const void *file, uint64_t size, struct abilities *abilities)
{
	enum elf_note found = elf_note_parse(file, size, &name, abilities, ABILITIES_FIXED);
	size_t whole;

	if (found == ELF_NOTE_FOUND) {
		whole = whole_size(abilities);
		found = whole ? elf_note_parse(file, size, &name, abilities, whole) : ELF_NOTE_NONE;
	}
	return judge(found, abilities);
}

int abilities_read(const char *path, struct abilities *abilities)
{
	/* Opening a pipe must not wait for its other end. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), found;
	size_t whole;

	if (fd < 0)
		return -errno;
	found = elf_note_read(fd, &name, abilities, ABILITIES_FIXED);
	if (found == ELF_NOTE_FOUND) {
		whole = whole_size(abilities);
		found = whole ? elf_note_read(fd, &name, abilities, whole) : (int)ELF_NOTE_NONE;
	}
	close(fd);
	return found < 0 ? found : (int)judge((enum elf_note)found, abilities);
}

bool abilities_understand(const struct abilities *abilities, uint32_t type, uint32_t oldest)
{
	for (uint32_t i = 0; i < abilities->declared; i++)
		if (abilities->record[i].type == type)
			return abilities->record[i].version >= oldest;
	return false;
}
