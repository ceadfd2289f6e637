/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vCPUs, as far as an update of the hypervisor cares: where can one be stopped?
 *
 * A vCPU that is in the middle of a hypercall, or that waits for a device model's
 * answer, has state inside the hypervisor, which no other hypervisor could take
 * over. Everywhere else it stands at a *restartable boundary*: all there is of it
 * are its registers.
 *
 * A long hypercall works in steps. Between two of them it can be left: what
 * remains to be done is written back into its argument, and the instruction
 * pointer stays on the instruction. Whoever lets the vCPU run again, this
 * hypervisor or the next one, thereby executes the rest of it. So a continuation
 * needs no record of its own. An emulation cannot be left: one has to wait for the
 * answer.
 *
 * The hypercall of the model does units of work, and counts in a register what it
 * did, so that a test sees whether anything was done twice or not at all.
 */
#ifndef HYPERVISOR_VCPU_H
#define HYPERVISOR_VCPU_H

#include <stdbool.h>
#include <stdint.h>

struct hypervisor;
struct hv_domain;

#define HV_MAX_VCPUS   128u
#define HV_VCPU_STATE  64u /* bytes that only the guest understands */
#define HV_VCPU_STEP   4u  /* units of work between two points where a hypercall can be left */
#define HV_INSTRUCTION 3u  /* bytes of the instruction of a hypercall */

#define HV_NO_HYPERCALL 0u

/* Values as in the stream. */
enum hv_vcpu_run { HV_VCPU_DOWN, HV_VCPU_BLOCKED, HV_VCPU_RUNNABLE };

struct hv_vcpu {
	/* Registers. */
	uint64_t ip;
	uint64_t hypercall; /* number of the hypercall at ip, HV_NO_HYPERCALL: something else */
	uint64_t left;	    /* its argument: the units of work that are to be done */
	uint64_t done;	    /* units done by all its hypercalls */
	uint8_t state[HV_VCPU_STATE];
	uint8_t run; /* enum hv_vcpu_run */

	/* The hypervisor's own; both are 0 at a boundary. */
	uint8_t emulation; /* I/O request server that has not answered, plus 1 */
	uint64_t progress; /* units done in a hypercall since it was entered */
};

struct hv_vcpus {
	struct hv_vcpu *vcpus;
	uint32_t count;
};

/*
 * Common errors: -EPERM when the caller is no control domain, -ESRCH without such a domain or if it
 * is dying, -EINVAL for a vCPU that does not exist.
 */

/** Give @domid @count vCPUs, all down. Once in its life (else -EINVAL). -ENOMEM. */
int hv_vcpus_create(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint32_t count);

/** Set instruction pointer, state (HV_VCPU_STATE bytes) and whether it runs; at a boundary only. */
int hv_vcpu_set(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint32_t number,
		uint64_t ip, const uint8_t *state, enum hv_vcpu_run run);

/*
 * What a vCPU of @domid does. -EAGAIN: it does not run at the moment (the domain is paused, or the
 * vCPU is not runnable or waits for an answer); nothing happened.
 */

/** It comes to a hypercall with @units of work. -EBUSY: it stands on one already. */
int hv_vcpu_hypercall(struct hypervisor *hv, unsigned int domid, uint32_t number, uint64_t call,
		      uint64_t units);

/**
 * It runs for a while: a hypercall at the instruction pointer is executed, up to one step of it.
 * Returns 1 while one is unfinished, 0 otherwise, or an error.
 */
int hv_vcpu_run(struct hypervisor *hv, unsigned int domid, uint32_t number);

/* For the mechanism's other parts. */

/** Is nothing of this vCPU inside the hypervisor? */
bool hv_vcpu_at_boundary(const struct hv_vcpu *vcpu);

/**
 * Let the vCPUs of @domain leave the hypercalls they are in the middle of. Returns whether all of
 * them are at a boundary then.
 */
bool hv_vcpus_leave(struct hv_domain *domain);

/** Is none of the domain's vCPUs inside the hypervisor? */
bool hv_vcpus_at_boundary(const struct hv_domain *domain);

/** The vCPU if it can run now, else -EAGAIN or another error. */
int hv_vcpu_running(struct hypervisor *hv, unsigned int domid, uint32_t number,
		    struct hv_vcpu **vcpu);

void hv_vcpus_deinit(struct hypervisor *hv, struct hv_vcpus *vcpus);

#endif
