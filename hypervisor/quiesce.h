/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stopping all domains for an update, each at a restartable boundary.
 *
 * Only an emulation makes one domain wait for another (vcpu.h, ioreq.h), and only
 * HVM guests have emulated devices. So:
 *
 *   1. HVM guests are stopped one after another, each as soon as its last request
 *      is answered. One that emulates for other HVM guests comes after them.
 *   2. Where that gives no order, because guests emulate for each other in a
 *      circle, the members of the circle stop together: none of them starts a new
 *      request, all of them run until the last one is answered.
 *   3. Everybody else, PV guests above all, runs until then and is stopped at once;
 *      the hardware domain, which asked for the update, as the very last.
 *
 * A vCPU that is asked to stop leaves a hypercall in its middle, and does not begin
 * an emulation: it stays on the instruction. If in a circle the one that would have
 * to answer first makes an access of its own, both wait for ever. That, and a
 * device model that does not answer, is what the deadline is for: then all
 * domains go on, and the update is refused.
 *
 * Stopping is not pausing: a domain's pause count does not change.
 */
#ifndef HYPERVISOR_QUIESCE_H
#define HYPERVISOR_QUIESCE_H

#include <stdbool.h>
#include <stdint.h>

struct hypervisor;
struct hv_domain;

/* How a domain stands towards an update. */
enum hv_stop {
	HV_STOP_NOT,
	HV_STOP_ASKED, /* its vCPUs stop at the next boundary, and start no emulation */
	HV_STOPPED,
};

/* Domains of one level are stopped at the same time, one level after the other. */
struct hv_quiesce_entry {
	uint16_t domid;
	uint16_t level;
};

struct hv_quiesce {
	struct hv_quiesce_entry *order; /* HVM guests, by level */
	uint32_t count;
	uint32_t next;	   /* those before are stopped */
	uint16_t circle;   /* the level whose members stop together, or HV_NO_LEVEL */
	uint16_t awaited;  /* whom the last step waited for */
	uint64_t deadline; /* in the caller's unit of time */
};

#define HV_NO_LEVEL UINT16_MAX

/**
 * Begin to stop all domains, which must be done when @deadline is reached, in the caller's unit of
 * time. -ENOMEM, with nothing begun.
 */
int hv_quiesce_begin(struct hypervisor *hv, struct hv_quiesce *quiesce, uint64_t deadline);

/**
 * Stop who can be stopped @now. Returns 0: all are stopped, and hv_save() may follow; -EAGAIN: call
 * again when domains have run for a while; -ETIMEDOUT: the deadline has been reached, all domains
 * go on as if nothing had been, @quiesce->awaited says who did not stop, and the update is off.
 */
int hv_quiesce_step(struct hypervisor *hv, struct hv_quiesce *quiesce, uint64_t now);

/** Let all domains go on, whatever was reached. Ends @quiesce; does nothing if it has ended. */
void hv_quiesce_undo(struct hypervisor *hv, struct hv_quiesce *quiesce);

/** Does the domain run? It is alive, and neither paused nor stopped nor shut down. */
bool hv_domain_runs(const struct hv_domain *domain);

#endif
