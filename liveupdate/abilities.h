/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Abilities: what a xenstored binary can take over, read without running it.
 *
 * Our binaries carry an ELF note. A file without it is a foreign xenstored: it
 * is never run to be asked, since it might ignore an unknown option and start
 * as a second daemon; it gets a complete plain image by its version's rules.
 */
#ifndef LIVEUPDATE_ABILITIES_H
#define LIVEUPDATE_ABILITIES_H

#include <stdbool.h>
#include <stdint.h>

#define ABILITIES_NOTE_NAME "xenstored"
#define ABILITIES_NOTE_TYPE 1u

/* Flags. */
#define ABILITY_CHECK	   1u /* can check an image on a descriptor and exit */
#define ABILITY_DESCRIPTOR 2u /* takes the image from an inherited descriptor */
#define ABILITY_GUARD	   4u /* tells a waiting guard when it serves */

/* The contents of the note, in host byte order. */
struct abilities {
	uint32_t stream_versions; /* bit v: reads version v */
	uint32_t flags;
	uint32_t records; /* version of our own record types that it understands, 0 = none */
	uint32_t reserved;
};

/* The version of our own record types that this build writes and reads. */
#define ABILITIES_RECORDS 1u

enum abilities_kind {
	ABILITIES_OWN,	   /* the note was found */
	ABILITIES_FOREIGN, /* a program for this machine without the note */
	ABILITIES_INVALID, /* no program that this machine could execute */
};

/**
 * Read the abilities of the file at @path.
 * @abilities: filled for ABILITIES_OWN
 * Returns a kind, or a negative errno when the file could not be read.
 */
int abilities_read(const char *path, struct abilities *abilities);

/** The same from a buffer that holds the whole file or at least its headers and notes. */
enum abilities_kind abilities_parse(const void *file, uint64_t size, struct abilities *abilities);

#endif
