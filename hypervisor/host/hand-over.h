/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an update of the hypervisor leaves alone, in a file that crosses the exec.
 *
 * The host process is three things at once. It is the hypervisor: that part ends
 * with xen#1, and reaches xen#2 through the stream in the machine's memory and
 * through nothing else. It is also the machine, and the kernels of the domains
 * that run on it: which process has opened which device, whose event channel port
 * it is, which numbers wait to be read, what the toolstack called a domain. A real
 * update does not touch these, because they are cables and guests' memory. Here
 * they are descriptors and words of this process, so they are written down before
 * the exec and read behind it; the descriptors themselves stay open.
 *
 * So nothing that the mechanism knows may stand in here: no domain's state, no
 * unique id, no end of an event channel. What is said about ports and mappings is
 * compared with what the stream said, and the stream wins.
 */
#ifndef HYPERVISOR_HOST_HAND_OVER_H
#define HYPERVISOR_HOST_HAND_OVER_H

#include "hypervisor/host/boot.h"
#include "hypervisor/host/host.h"

#define HAND_OVER_MAGIC UINT64_C(0x7265766f646e6148) /* "Handover" */

/* Changes with the layout; builds of different numbers cannot replace one another. */
#define HAND_OVER_VERSION 1U

/* The beginning of the file. Descriptors are numbers that are valid in the new program. */
struct hand_over {
	uint64_t magic;
	uint32_t version;
	uint32_t xen_version; /* the release whose interface the host has */
	uint64_t size;	      /* of the file */
	int32_t memory, lock, epoll, control_listener, evtchn_listener;
	int32_t previous;  /* the program that wrote this: where to go back to */
	int32_t watchdog;  /* where to say that all is well, -1: nowhere */
	int32_t requester; /* the control connection that waits for the end of it, -1: none */
	uint32_t controls, handles, domains;
	uint32_t check_memory;	    /* the hash is wanted */
	int64_t paused_at;	    /* CLOCK_MONOTONIC, nanoseconds */
	struct hv_frame_span image; /* where the next program is, as its processor would know it */
	struct hv_frame_span previous_image;
	uint64_t loaded;	     /* frames of boot memory that were loaded with it */
	struct simxen_update report; /* .refusal: why the program before this one went back */
	char store_rundir[256];
	char directory[4096];
	char previous_command_line[BOOT_COMMAND_LINE_MAX];
};

/*
 * Writes the file for @host; the members of @head that concern the update itself are filled in by
 * the caller, the others here. Returns a descriptor that stays open over an exec, or a negative
 * errno.
 */
int hand_over_write(struct host *host, struct hand_over *head);

/* Reads and checks the beginning. Returns 0, -EPROTO for another version, -EINVAL, or -EIO. */
int hand_over_read_head(int fd, struct hand_over *head);

/*
 * Gives @host, which is empty apart from its mechanism, all connections, ports and mappings of the
 * file. What does not fit to the mechanism's state is left out, and *odd counts it. Returns 0, or a
 * negative errno with @host partly filled: -EINVAL also for a descriptor, port or mapping that two
 * have, since both would close it.
 */
int hand_over_read(int fd, struct host *host, unsigned int *odd);

/* Replaces the beginning. Returns 0 or a negative errno. */
int hand_over_write_head(int fd, const struct hand_over *head);

/* The same for the former program, which is to go on; the report says why. */
int hand_over_turn_back(int fd, struct hand_over *head);

#endif
