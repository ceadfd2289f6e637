/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Live update: CONTROL live-update, and the act of replacing the program.
 *
 * A session collects what is to be done; its "-s" is carried out between two
 * turns of the core, when no request is half done. The state goes into an
 * image; for a program of our own kind that is a memory file which crosses the
 * exec, with a guard standing by; for any other xenstored it is the file where
 * that one looks (spec: live-update.md, cli-and-control.md section 7).
 */
#ifndef XENSTORED_DAEMON_UPDATE_H
#define XENSTORED_DAEMON_UPDATE_H

#include <limits.h>

#include "daemon/administration.h"
#include "daemon/guard.h"
#include "daemon/host.h"
#include "daemon/listener.h"
#include "daemon/signals.h"
#include "daemon/sockets.h"
#include "daemon/trace.h"
#include "liveupdate/abilities.h"
#include "liveupdate/image.h"
#include "liveupdate/update-session.h"

/* An update to a program of our own kind, on its way. */
struct update_own {
	enum { OWN_NONE, OWN_WRITING, OWN_CHECKING } step;
	int image_fd;
	struct update_sink *sink;
	struct stream_writer writer;
	struct image_base base;
	uint64_t told; /* bytes of the image that the checker knows of */
	struct helper checker, guard;
	bool checked;	/* the store is right */
	bool guarded;	/* the guard stands by */
	uint64_t ready; /* when both were, in ms */
	char why[HELPER_TEXT_MAX + 64];
};

/* Nobody has looked at the file yet. */
#define UPDATE_UNKNOWN (-1)

struct update {
	struct core *core;
	struct host *host;
	struct listener *listener;
	struct sockets *sockets;
	struct signals *signals;
	char **argv;	    /* of this process */
	const char *rundir; /* of the option, or NULL */
	struct trace *trace;
	struct image_process process;

	struct update_session session;
	char file[PATH_MAX];	    /* of the session: the new program */
	struct abilities abilities; /* of that file, if it is of our kind */
	int kind; /* of that file: enum abilities_kind, once it has been looked at */
	struct update_own own;
	bool helpers_left;		 /* that have ended or will, whose status is to be taken */
	struct inheritance *inheritance; /* what the image to be restored came with, or NULL */
	bool succeeds; /* an oxenstored, whose requester will ask for the answer */
};

/** Connect @update with the parts of the daemon, which it needs from now on. */
void update_init(struct update *update, struct core *core, struct host *host,
		 struct listener *listener, struct sockets *sockets, struct signals *signals,
		 struct trace *trace, char **argv, const char *rundir);

/* CONTROL live-update, and the end of sessions with their clients, of a struct update. */
extern const struct administration_update update_administration;

/**
 * Between two turns: do what is due. Does not return when the program is replaced; else the most ms
 * until it is to be called again, -1 = not before the next request.
 */
int update_run(struct update *update);

/* An image to start from. */
struct update_image {
	void *data;
	size_t size;
	bool from_file; /* to be unlinked when it has been restored */
	char path[PATH_MAX];
	struct stream_global global; /* of the image */
};

/** Find the image: an inherited descriptor, or the file. Returns 0 or a negative errno. */
int update_open_image(struct update_image *image, struct inheritance *inheritance,
		      const char *rundir);

/** Restore the core from the image. On failure the process ends (a guard takes over). */
void update_restore(struct update *update, struct update_image *image,
		    struct inheritance *inheritance);

#endif
