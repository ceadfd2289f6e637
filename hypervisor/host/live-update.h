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

/* Before anything else, when the machine is there. */
void live_update_init(struct host *host);
void live_update_deinit(struct host *host);

/*
 * The kexec hypercall of @caller, whose memory is the file @memory (-1: none). An exec that begins
 * makes the caller the requester, who is answered when it is over; @patience is how many
 * milliseconds domains have to stop (0: some seconds). After a failure
 * update.kexec.message says why, if there is more to say than the error does.
 */
int live_update_kexec(struct host *host, struct control *caller, unsigned int command,
		      uint64_t address, int memory, uint64_t flags, uint64_t patience);

/* Tells how it ended, to whoever asked for it (NULL: nobody). */
void live_update_answer(struct host *host, struct control *requester, int error,
			const struct simxen_update *report);

/* A step of it, if it has begun. Does not return when it succeeds. */
void live_update_step(struct host *host);

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t live_update_now(void);

#endif
