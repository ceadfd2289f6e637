/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which build of simxen is this, and what can it take over? Each build says so in an
 * ELF note, so that whoever runs can look at the next one without executing it: a
 * file that has no such note is no simxen.
 */
#ifndef HYPERVISOR_HOST_RELEASE_H
#define HYPERVISOR_HOST_RELEASE_H

#include <stdint.h>

#include "hypervisor/image-note.h"

#define RELEASE_NOTE_NAME "hypervisor"
#define RELEASE_NOTE_TYPE 1U

struct release {
	struct hv_image_note image; /* what the mechanism looks at */
	char name[32];
	uint32_t hand_over; /* version of the file that crosses the exec */
	uint32_t protocol;  /* that processes speak, who keep their libraries */
};

/* This build. */
const struct release *release_own(void);

/* The build in a file: 0, -ENOEXEC when it is no simxen, or another negative errno. */
int release_read(int fd, struct release *release);

#endif
