/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * I/O request servers: one domain emulates devices for another.
 *
 * A guest's access to an emulated device becomes a request to the domain that runs
 * the device model, and the vCPU waits for the answer. This is the one thing for
 * which a domain needs another one to *run*, so it decides in which order domains
 * can be stopped (quiesce.h).
 *
 * A server belongs to the domain it serves and names its emulator by domid. It is
 * gone when either of the two begins to die; what waits for it then is answered by
 * the hypervisor.
 */
#ifndef HYPERVISOR_IOREQ_H
#define HYPERVISOR_IOREQ_H

#include <stdbool.h>
#include <stdint.h>

struct hypervisor;
struct hv_domain;

#define HV_IOREQ_SERVERS 8u /* of one domain */

struct hv_ioreq_server {
	bool used;
	uint16_t emulator; /* a domain that is alive */
	uint64_t frame;	   /* of the requests, a frame of the served domain */
};

/**
 * The caller, a control domain or the device model of @domid (else -EPERM), becomes an emulator of
 * @domid, which must be an HVM guest and not the caller (else -EINVAL), by requests in @frame of it
 * (-EINVAL if it is not). Fills @id. -ESRCH (no such domain, or dying), -ENOSPC, -ENOMEM.
 */
int hv_ioreq_create(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint64_t frame,
		    uint32_t *id);

/** End it; waiting vCPUs go on. For its emulator only (-EPERM). -ESRCH, -EINVAL. */
int hv_ioreq_destroy(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint32_t id);

/**
 * A vCPU of @domid accesses a device of server @id, and waits. -EAGAIN: it does not run at the
 * moment, or the domain is to be stopped: the access is then made after it has gone on. -EINVAL: no
 * such server or vCPU, -EBUSY: it stands on a hypercall.
 */
int hv_ioreq_send(struct hypervisor *hv, unsigned int domid, uint32_t vcpu, uint32_t id);

/**
 * The emulator @caller answers (else -EPERM): the vCPU goes on. -EAGAIN: the emulator is stopped.
 * -EINVAL: nobody waits there.
 */
int hv_ioreq_answer(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint32_t vcpu);

/* For the mechanism's other parts. */

/** @domain begins to die: it emulates no more and is served no more. */
void hv_ioreq_forget(struct hypervisor *hv, struct hv_domain *domain);

/** Free the array. */
void hv_ioreq_deinit(struct hypervisor *hv, struct hv_domain *domain);

#endif
