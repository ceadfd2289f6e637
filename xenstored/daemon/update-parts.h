/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of live update share. Private to update*.c.
 *
 *      update.c           the daemon's part of sessions (liveupdate/update-session.h)
 *      update-own.c       to a program of our own kind: checker, guard, exec
 *      update-foreign.c   to any other xenstored: a plain image in a file, exec
 *      update-exec.c      what both need: arguments, descriptors, the image as a file
 *      update-process.c   what the process adds to an image and makes of one
 *      update-start.c     the other end: a program that starts from an image
 */
#ifndef XENSTORED_DAEMON_UPDATE_PARTS_H
#define XENSTORED_DAEMON_UPDATE_PARTS_H

#include "daemon/update.h"

/**
 * Go on with an update, which is wanted; does not return when the program is replaced.
 * @why: set when the update is refused, or has failed: the text for the requester
 * Returns the most ms until it is to be called again, if @why was not set.
 */
int update_own_run(struct update *update, const char **why);
int update_foreign_run(struct update *update, const char **why);

/** The session is over: end what has been begun for an update to our own kind. */
void update_own_cancel(struct update *update);

/** Between updates: take the status of helpers that were left over. Returns as update_run(). */
int update_reap_helpers(struct update *update);

/**
 * The arguments of the new program: as told, or as ours; -U is among them.
 * @foreign: without those that only our own kind knows
 * Returns an array in one piece of memory, to be freed by the caller, or NULL: no memory.
 */
char **update_arguments(const struct update *update, bool foreign);

/** Let exactly those descriptors cross an exec that the image names, or none of them again. */
void update_let_cross(struct update *update, bool cross);

/**
 * The descriptors that the image names. Returns how many there are, in *@list to be freed, or a
 * negative errno.
 */
ssize_t update_crossing(const struct update *update, int **list);

/* A file that an image goes to, by way of a buffer. */
struct update_sink {
	int fd;
	size_t len;
	char data[1 << 14];
};

/** Write to the sink, as a stream_writer does; have all of it in the file. Both return an errno. */
int update_sink_put(void *sink, const void *bytes, size_t len);
int update_sink_flush(struct update_sink *sink);

/**
 * Write the image to @fd, at once.
 * @version: of the stream, 0 = the dialect's own
 * Returns 0 or an errno value; EBUSY as image_save().
 */
int update_write_image(struct update *update, const char *dialect, uint32_t version, int fd);

/** Before an image: bring what update->process says of the process up to date. */
void update_describe_process(struct update *update);

/** Fill update->process. */
void update_process_init(struct update *update);

/** The file through which images go to and come from other xenstoreds. Returns 0 or ENAMETOOLONG.
 */
int update_state_file(const char *rundir, char *path, size_t size);

#endif
