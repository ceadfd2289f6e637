/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of the stub domain: in the domain that has a 9pfs back-end for us.
 *
 * Nobody waits for that domain. Log and trace are queued and written when the
 * back-end takes them; a report is kept until it is written; what finds no room
 * is counted and a line says how much was lost. A back-end may come late, go,
 * and come back. The program sees ordinary descriptors with open(), write() and
 * close(), so trace and reports are the daemon's own code.
 * (spec: stubdom.md sections 4 and 5)
 */
#ifndef XENSTORED_STUBDOM_FILES_H
#define XENSTORED_STUBDOM_FILES_H

#include "daemon/trace.h"
#include "ninep/frontend.h"
#include "stubdom/own-client.h"
#include "xen/evtchn.h"

#define FILES_REPORT_MAX 65536u /* bytes of a report */

struct files {
	struct ninep_platform platform; /* first */
	struct ninep *ninep;
	struct evtchn *evtchn;
	struct own_client own;
	const struct trace *trace; /* whose file is written line by line */
	struct evtchn_listener listener;
	void (*events)(void *data); /* take events while waiting for the back-end */
	void *events_data;
	bool changed;	   /* nodes of the device, or of its back-end */
	bool event;	   /* of the back-end */
	char backend[256]; /* whose state is watched; "" = none */

	/* A report being written: first into memory, then as a file. */
	struct ninep_job report_job;
	bool report_open, report_queued;
	char report_name[NINEP_NAME_MAX + 1];
	size_t report_len;
	char *report;
};

/**
 * Offer files to the program from now on. They are queued until files_start().
 * @trace: the program's
 * @saved: of an earlier image, or NULL
 * Returns 0 or -ENOMEM.
 */
int files_init(struct files *files, const struct trace *trace, const struct ninep_saved *saved);

/**
 * Event channels are there: a connection of an earlier image can be used from now on.
 * @events: called with @events_data whenever events should be taken in the middle of waiting
 */
void files_listen(struct files *files, struct evtchn *evtchn, void (*events)(void *data),
		  void *events_data);

/**
 * The store is there: look for the device, and for changes of it. Returns 0 or a negative errno;
 * then there are no files.
 */
int files_start(struct files *files, struct core *core);

/** Between two turns: do what is due. Returns the most ms until it must be called again; -1: no
 * limit. */
int files_turn(struct files *files);

/** ninep_leave() was called, and we stay: log and trace go to their files again. */
void files_go_on(struct files *files);

/** Queue a line, without newline, for the log file. */
void files_log(struct files *files, const char *text);

#endif
