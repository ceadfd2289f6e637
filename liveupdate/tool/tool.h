/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenstore-image: what its commands share.
 *
 * Exit status: 0 all right, 1 the image is wrong or the images differ, 2 the
 * command could not be carried out.
 */
#ifndef LIVEUPDATE_TOOL_TOOL_H
#define LIVEUPDATE_TOOL_TOOL_H

#include <stdio.h>

#include "liveupdate/stream-check.h"
#include "liveupdate/stream-writer.h"

enum { EXIT_FINE, EXIT_WRONG, EXIT_TROUBLE };

/* Options of all commands. */
struct tool_options {
	bool json;
	const char *output;  /* NULL = stdout */
	const char *dialect; /* NULL = not said */
	unsigned int version;
	unsigned int port; /* 0 = not said */
	size_t problems;   /* how many to print */
};

/* A file in memory. */
struct tool_file {
	const char *name;
	uint8_t *data;
	size_t size;
};

/** Print a message and exit with EXIT_TROUBLE. */
__attribute__((noreturn, format(printf, 1, 2))) void tool_fail(const char *format, ...);

/** Memory of the whole run, zeroed; exits when there is none. */
void *tool_alloc(size_t size);
char *tool_copy(const char *text, size_t len);
void tool_free_all(void);

/** Read a file; "-" is standard input. */
void tool_read(struct tool_file *file, const char *name);

/** The secret of hashes in this run. */
const struct hash_secret *tool_secret(void);

/** Write an image to options->output, all or nothing. */
void tool_write(const struct tool_options *options, const struct stream_buffer *buffer);

/**
 * Check @file as a whole and print what is wrong to stderr. Exits with EXIT_WRONG if it has errors.
 */
void tool_require(const struct tool_file *file, struct stream_report *report);

int command_check(const struct tool_options *options, char **args);
int command_show(const struct tool_options *options, char **args);
int command_convert(const struct tool_options *options, char **args);
int command_extract(const struct tool_options *options, char **args);
int command_insert(const struct tool_options *options, char **args);
int command_diff(const struct tool_options *options, char **args);

/** The number of a domain; exits when it is none. */
unsigned int tool_domid(const char *text);

/** Cut a domain out of the running daemon's store. Returns the exit status. */
int live_extract(const struct tool_options *options, unsigned int domid);

/** Print a record as one line. Without @offset the place in the image is left out. */
void show_record(FILE *out, bool json, bool offset, const struct stream_record *record);

#endif
