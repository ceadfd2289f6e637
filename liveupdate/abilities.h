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

/* A must-understand record type, and the layout of it that is understood. */
struct abilities_record {
	uint32_t type, version;
};

/* More are not looked at. */
#define ABILITIES_DECLARED_MAX 64u

/*
 * The contents of the note, in host byte order; as many entries of record[] as are declared. A note
 * without any means those of revision 1 of docs/migration-stream.md.
 */
struct abilities {
	uint32_t stream_versions; /* bit v: reads version v */
	uint32_t flags;
	uint32_t records; /* revision of our own record types that it knows, 0 = none */
	uint32_t declared;
	struct abilities_record record[ABILITIES_DECLARED_MAX];
};

/* Up to here without record[]. */
#define ABILITIES_FIXED 16u

/* The revision of our own record types that this build writes and reads. */
#define ABILITIES_RECORDS 1u

enum abilities_kind {
	ABILITIES_OWN,	   /* the note was found, and says enough for an update as among equals */
	ABILITIES_FOREIGN, /* a program for this machine without such a note */
	ABILITIES_INVALID, /* no program that this machine could execute */
};

/**
 * Read the abilities of the file at @path.
 * @abilities: filled for ABILITIES_OWN
 * Returns a kind, or a negative errno when the file could not be read.
 */
int abilities_read(const char *path, struct abilities *abilities);

/** Whether a must-understand record of @type, readable from layout @oldest on, is understood. */
bool abilities_understand(const struct abilities *abilities, uint32_t type, uint32_t oldest);

/** The same from a buffer that holds the whole file or at least its headers and notes. */
enum abilities_kind abilities_parse(const void *file, uint64_t size, struct abilities *abilities);

#endif
