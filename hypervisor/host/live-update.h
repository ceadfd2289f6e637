/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The update of the hypervisor as xen#1 does it, up to the point where xen#2 begins.
 *
 *	load	 the next hypervisor's program is there, and by what it says of itself it
 *		 could take over: a refusal costs nothing
 *	exec	 domains stop one after another while the loop goes on; the last step of
 *		 it is one turn of the loop: save, breadcrumb, hand-over file, exec
 *
 * Everything that fails before the exec leaves the machine as it was.
 */
#ifndef HYPERVISOR_HOST_LIVE_UPDATE_H
#define HYPERVISOR_HOST_LIVE_UPDATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hypervisor/host/boot.h"
#include "hypervisor/host/protocol.h"
#include "hypervisor/host/release.h"
#include "hypervisor/handover.h"
#include "hypervisor/kexec.h"
#include "hypervisor/quiesce.h"

struct host;
struct control;

struct update {
	struct hv_kexec kexec;
	struct hv_mapper mapper;
	struct release next; /* of what is loaded */
	int program;	     /* the same as a file, -1: nothing is loaded */

	bool stopping; /* domains are being stopped */
	struct hv_quiesce quiesce;
	struct hv_handover handover;
	struct control *requester; /* NULL: nobody, or he has gone */
	bool check_memory;
	int64_t paused_at;
	struct simxen_update report;
};

/*
 * Begins with the program that is loaded. @requester is answered when it is over. @flags:
 * SIMXEN_KEXEC_HASH; @patience: how many milliseconds domains have to stop, 0: some seconds.
 * Returns 0, or an error of the exec command.
 */
int live_update_begin(struct host *host, struct control *requester, uint64_t flags,
		      uint64_t patience);

/* Calls it off, if it has begun; nobody is answered. */
void live_update_cancel(struct host *host);

/* Tells how it ended, to whoever asked for it (NULL: nobody). */
void live_update_answer(struct host *host, struct control *requester, int error,
			const struct simxen_update *report);

/* A step of it, if it has begun. Does not return when it succeeds. */
void live_update_step(struct host *host);

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t live_update_now(void);

#endif
