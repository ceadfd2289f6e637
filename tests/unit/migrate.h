/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Live updates of a harness' core: an image is written, in slices between other things that happen,
 * and a fresh core that is restored from it takes the place of the old one.
 */
#ifndef TESTS_UNIT_MIGRATE_H
#define TESTS_UNIT_MIGRATE_H

#include "harness.h"
#include "liveupdate/image.h"

struct migration {
	struct harness *harness;
	struct stream_buffer image;
	struct stream_writer writer;
	struct image_process process;
	struct image_base base;
	bool begun;
};

/** Take the snapshot, unless that has been done. */
void migration_begin(struct migration *migration, struct harness *harness);

/** Write up to @nodes of it; nothing to do when none was taken. */
void migration_some(struct migration *migration, unsigned int nodes);

/**
 * Complete the image and put a core that is restored from it in the place of the harness'. The
 * image must pass the check, nothing may be dropped, and the new core's image must be what the old
 * one's would have been. Returns false with the reason in @why.
 */
bool migration_finish(struct migration *migration, char *why, size_t size);

/** Give up what was begun. */
void migration_abandon(struct migration *migration);

#endif
