/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hypervisor's side: the whole state of one machine.
 *
 * This is a model of what a client of the hypervisor can notice of domains, event
 * channels and grants. It is freestanding: no system calls, no library but
 * memcpy() and its like, no mutable globals, memory from an allocator, so that it
 * runs wherever it is put. Everything is called from one thread at a time. Every
 * operation names the domain that calls and is checked as its hypercall would be.
 *
 * Errors are checked before anything is changed: an operation that fails, for
 * want of memory too, has done nothing.
 */
#ifndef HYPERVISOR_HYPERVISOR_H
#define HYPERVISOR_HYPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "hypervisor/allocator.h"
#include "hypervisor/domain.h"
#include "hypervisor/domain-state.h"
#include "hypervisor/domctl.h"
#include "hypervisor/evtchn.h"
#include "hypervisor/grant.h"
#include "hypervisor/m2p.h"
#include "hypervisor/memory.h"
#include "hypervisor/unique-id.h"
#include "hypervisor/virq.h"
#include "hypervisor/xen-errno.h"

/*
 * What the mechanism tells its host. These are called in the middle of operations: they must not
 * call the mechanism, but note what happened and act later.
 */
struct hv_callbacks {
	/* A port of a domain became pending and is not masked, or was unmasked while pending. */
	void (*upcall)(void *data, unsigned int domid, uint32_t port);

	/* Optional: a domain is freed, its frames and its domid may be used again. */
	void (*freed)(void *data, unsigned int domid);

	/*
	 * Optional: a security policy that hides domain @domid from @caller, who could see it
	 * otherwise, in the get-domain-state operation.
	 */
	bool (*hides)(void *data, unsigned int caller, unsigned int domid);

	void *data;
};

struct hv_config {
	struct hv_allocator allocator;
	struct hv_callbacks callbacks;
	struct hv_memory *memory;     /* stays the host's; NULL: frames are only numbers */
	const struct hv_id_kind *ids; /* of unique ids; NULL: hv_id_random */
	uint64_t seed;		      /* of the ids: differs from boot to boot */
	uint32_t domctl_version;      /* of the unstable domctls, 0: HV_DOMCTL_VERSION */
	bool lacks_domain_state;      /* as releases before 4.21, without get-domain-state */
};

#define HV_DOMCTL_VERSION 0x17u /* as the releases 4.19 to 4.21 */

struct hypervisor {
	struct hv_allocator allocator;
	struct hv_callbacks callbacks;
	struct hv_memory *memory;
	struct hv_m2p m2p;
	struct hv_id_generator ids;
	uint32_t domctl_version;
	bool lacks_domain_state;
	struct hv_table domains;
	struct hv_domain *hardware; /* the hardware domain, NULL before it is created */
	struct hv_virq virqs[HV_VIRQ_COUNT];
	struct hv_domain_changes changes;
	bool stopping; /* all domains are being stopped, or are, for an update */
};

/**
 * A machine without domains. The host creates domain 0 as HV_DOMID_XEN, with the capabilities for
 * control and hardware, before anything else.
 */
void hv_init(struct hypervisor *hv, const struct hv_config *config);

/** Free all memory. No callback is called. */
void hv_deinit(struct hypervisor *hv);

#endif
