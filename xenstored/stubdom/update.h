/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Live update inside the domain: one image takes the place of another, and nobody is told.
 *
 * The new image comes in pieces over the ring of whoever asks for it ("-b", "-d"). It is checked
 * completely, the state is written to its final place in memory (or to a file in the domain that
 * has our files), the way back is prepared; up to there everything can be refused and the domain
 * goes on serving. Then the trampoline puts the new image where the old one was and starts it. Of
 * what the hypervisor knows nothing is torn down or made anew: event channels, grants, mappings
 * and the pages of the event words are at fixed places (layout.h).
 *
 *	| fixed places | image | heap ->             | state | file of this image | new file |
 *			  ^                                          |                |
 *			  +------------------------------------------+----- moves ----+
 *
 * The new image reads the state where it lies and serves. If it cannot, it goes back: the file of
 * the old image and the state are still there, and the old image, started anew, answers with the
 * reason. (spec: stubdom.md sections 6 and 7)
 */
#ifndef XENSTORED_STUBDOM_UPDATE_H
#define XENSTORED_STUBDOM_UPDATE_H

#include "daemon/administration.h"
#include "liveupdate/update-session.h"
#include "stubdom/files.h"
#include "stubdom/host.h"
#include "stubdom/update/handover.h"

struct stubdom_update {
	struct core *core;
	struct stubdom_host *host;
	struct files *files;
	struct trace *trace;
	int argc; /* of this image */
	char **argv;
	struct image_process process;

	const char *dialect; /* in which the state is written; NULL: our own */
	struct update_session session;
	char *kernel; /* of the session: the new image's file; NULL: none */
	size_t kernel_size, kernel_received;
};

/** Connect @update with the parts of the program, which it needs from now on. */
void stubdom_update_init(struct stubdom_update *update, struct core *core,
			 struct stubdom_host *host, struct files *files, struct trace *trace,
			 int argc, char **argv);

/* CONTROL live-update, and the end of sessions with their clients, of a struct stubdom_update. */
extern const struct administration_update stubdom_update_administration;

/**
 * Between two turns: do what is due. Does not return when the image is replaced; else the most ms
 * until it is to be called again, -1 = not before the next request.
 */
int stubdom_update_run(struct stubdom_update *update);

/**
 * Whether another image has started this one: what it has left, or NULL for a start by a builder.
 * What is damaged is fatal, which is the way back.
 */
const struct handover *stubdom_update_found(void);

/** What @handover says of the files; NULL: nothing. */
const struct ninep_saved *stubdom_update_files(const struct handover *handover);

/**
 * For a start with -U by a xenstored of another kind: the connection that the files are on. Event
 * channels are as they were from then on. What is missing or damaged is fatal.
 */
const struct ninep_saved *stubdom_update_adopt_files(void);

/** Restore the core from what that xenstored has written. Every failure is fatal. */
void stubdom_update_adopt(struct stubdom_update *update);

/** Restore the core. On failure the program ends, which is the way back. */
void stubdom_update_restore(struct stubdom_update *update, const struct handover *handover);

#endif
