/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The note of this build, and the reading of others'.
 */
#include "release.h"

#include <elf.h>
#include <errno.h>

#include "hand-over.h"
#include "liveupdate/elf-note.h"

#ifndef RELEASE_NAME
#define RELEASE_NAME "simxen"
#endif

/*
 * What a hypervisor of this kind would take. A process has its memory from elsewhere, but the image
 * must have room for the file.
 */
#ifndef RELEASE_MEMORY
#define RELEASE_MEMORY                                                                             \
	{                                                                                          \
		.image_size = 8U << 20, .init_offset = 7U << 20, .init_size = 1U << 20,            \
		.boot_size = 1U << 20, .frame_info_size = 32                                       \
	}
#endif

static const struct {
	Elf64_Nhdr header;
	char name[12]; /* with the header a multiple of 8 bytes, whatever readers align to */
	struct release release;
} note __attribute__((section(".note.simxen"), used, aligned(8))) = {
	.header = {sizeof(RELEASE_NOTE_NAME), sizeof(struct release), RELEASE_NOTE_TYPE},
	.name = RELEASE_NOTE_NAME,
	.release = {.image = {.magic = HV_IMAGE_NOTE_MAGIC,
			      .memory = RELEASE_MEMORY,
			      .stream = HV_STREAM_ABILITIES},
		    .name = RELEASE_NAME,
		    .hand_over = HAND_OVER_VERSION,
		    .protocol = SIMXEN_PROTOCOL},
};

const struct release *release_own(void)
{
	return &note.release;
}

int release_read(int fd, struct release *release)
{
	static const struct elf_note_name name = {RELEASE_NOTE_NAME, sizeof(RELEASE_NOTE_NAME),
						  RELEASE_NOTE_TYPE};
	int found = elf_note_read(fd, &name, release, sizeof(*release));

	if (found < 0)
		return found;
	if (found != ELF_NOTE_FOUND)
		return -ENOEXEC;
	release->name[sizeof(release->name) - 1] = '\0';
	return 0;
}
