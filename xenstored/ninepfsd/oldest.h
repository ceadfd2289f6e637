/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The oldest files of a share, which are found in the one scan that counts everything, and then
 * taken one after another to be removed. There is room for a limited number, so a domain with a
 * million files costs no more memory than one with some thousand; but for twice as many as a domain
 * can have open, so each full list has enough that may be removed to be worth its scan.
 */
#ifndef XENSTORED_NINEPFSD_OLDEST_H
#define XENSTORED_NINEPFSD_OLDEST_H

#include <stddef.h>
#include <sys/stat.h>
#include <time.h>

#define OLDEST_MAX 2048U

struct oldest_file {
	struct timespec changed;
	ino_t inode;
	char *path; /* relative to the share */
};

/* All zero is an empty list. */
struct oldest {
	struct oldest_file *files; /* room for OLDEST_MAX, once there was one */
	size_t count;
	size_t next; /* the first that was not taken yet, once they are in order */
};

/**
 * A file that the scan has met: keep it if it is among the oldest. @path, of @length bytes, is
 * copied. Without memory the file is forgotten, and found by a later scan.
 */
void oldest_note(struct oldest *oldest, const char *path, size_t length, const struct stat *file);

/** The scan is over: put them in order. oldest_note() may only follow after oldest_clear(). */
void oldest_sort(struct oldest *oldest);

/** The oldest that was not taken yet, valid until the list is cleared, or NULL. */
const struct oldest_file *oldest_take(struct oldest *oldest);

/** Forget all, keep the room. */
void oldest_clear(struct oldest *oldest);
void oldest_deinit(struct oldest *oldest);

#endif
