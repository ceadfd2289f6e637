/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Foreign programs: which xenstored is it, and what does it read?
 *
 * It cannot be asked: an older xenstored may ignore an unknown option and start
 * as a second daemon. So its file is read, as far as it says what it is: the
 * texts that it prints or compares with, and the versioned library of the Xen
 * release that it was built with. What is no xenstored at all is found before
 * anything is done that cannot be undone (spec: live-update.md sections 2, 4 and 6).
 */
#ifndef LIVEUPDATE_FOREIGN_H
#define LIVEUPDATE_FOREIGN_H

#include <stdint.h>

enum foreign_kind {
	FOREIGN_NO_XENSTORED, /* another program, or one from before live update */
	FOREIGN_OXENSTORED,   /* reads a format of its own */
	FOREIGN_XENSTORED,    /* reads the migration stream */
};

struct foreign {
	enum foreign_kind kind;
	const char *dialect;  /* of the images that it reads best */
	uint32_t version_max; /* of the stream */
	unsigned int release; /* n of Xen 4.n, 0 = not said */
};

/** Look at a program for this machine (see abilities.h) that does not have our note. */
void foreign_parse(const void *file, uint64_t size, struct foreign *foreign);

/** The same for the file at @path. Returns 0 or a negative errno. */
int foreign_read(const char *path, struct foreign *foreign);

#endif
