/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The system calls of Linux, as far as a single-threaded program with the C
 * library makes them: memory, time, random numbers, words on the console, the
 * end. Files are whatever the program itself offers as such.
 */
#ifndef XENSTORED_STUBDOM_RING0_SYSTEM_CALL_H
#define XENSTORED_STUBDOM_RING0_SYSTEM_CALL_H

#include <stddef.h>
#include <stdint.h>

/* Descriptors below this are the console. */
#define SYSTEM_FIRST_FILE 3

/* Files, offered by the program. Each function returns what the system call is to return. */
struct system_files {
	/* A descriptor of at least SYSTEM_FIRST_FILE, or -errno. @flags: O_... */
	long (*open)(const char *path, int flags);
	long (*write)(int fd, const void *data, size_t len);
	long (*close)(int fd);
};

/** Offer files from now on. NULL: there are none, which is so at the start. */
void system_set_files(const struct system_files *files);

/* Called by entry.S. */
long system_call(uint64_t number, const uint64_t *argument);

#endif
