/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Domain state: which domains changed, and what is domain D now?
 *
 * One client on a host, the handler of HV_VIRQ_DOM_EXC, is told of the life and
 * death of domains. What changed is kept as one bit for each domid: the virq says
 * "look", the bits say where, so that looking costs what changed. The bits exist
 * from the handler's binding of the virq to the closing of that port, and begin
 * with all existing domains in them: a client that starts learns of all.
 *
 *	step of a domain's life        bit    virq
 *	created                        set    -
 *	shut down                      set    raised, unless it suspends and a port is subscribed
 *	resumed, paused, dying         -      -
 *	dead                           set    raised
 *	removed                        set    -
 *	freed                          -      raised
 *
 * So for one that nobody holds, the virq comes twice, and the second time there
 * may be nothing to find. A domain that is removed but not freed when the virq is
 * bound counts as existing.
 */
#ifndef HYPERVISOR_DOMAIN_STATE_H
#define HYPERVISOR_DOMAIN_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hypervisor;
struct hv_domain;

/* State bits. */
#define HV_STATE_EXIST	  1u
#define HV_STATE_SHUTDOWN 2u
#define HV_STATE_DYING	  4u
#define HV_STATE_DEAD	  8u

#define HV_DOMCTL_GET_DOMAIN_STATE 90u

/* The operation as it stands in the caller's memory. Names say who fills a field. */
struct hv_get_domain_state {
	uint32_t cmd;		    /* HV_DOMCTL_GET_DOMAIN_STATE */
	uint32_t interface_version; /* in: 0, since this operation is stable */
	uint16_t domain;	    /* in: domid or HV_DOMID_INVALID, "any changed"; out: which */
	uint16_t pad[3];
	uint16_t state;	    /* out: HV_STATE_* */
	uint16_t caps;	    /* out: HV_CAP_* */
	uint32_t pad0;	    /* in: 0 */
	uint64_t unique_id; /* out */
	uint8_t rest[112];  /* of the union of all operations */
};

_Static_assert(sizeof(struct hv_get_domain_state) == 144, "a domctl has 144 bytes");
_Static_assert(offsetof(struct hv_get_domain_state, domain) == 8, "ABI");
_Static_assert(offsetof(struct hv_get_domain_state, state) == 16, "ABI");
_Static_assert(offsetof(struct hv_get_domain_state, caps) == 18, "ABI");
_Static_assert(offsetof(struct hv_get_domain_state, pad0) == 20, "ABI");
_Static_assert(offsetof(struct hv_get_domain_state, unique_id) == 24, "ABI");

#define HV_CHANGED_BYTES 4096u
#define HV_CHANGED_WORDS (HV_CHANGED_BYTES / sizeof(uint64_t))

struct hv_domain_changes {
	uint64_t *bits;	     /* NULL while the virq is not bound */
	uint32_t first_word; /* no bit is set before this word */
};

/**
 * The operation, on a copy of the caller's memory, which is to be copied back on success. The
 * checks in their order: -EACCES  interface_version is not 0 -ESRCH   there is no such domain
 * (-EPERM if the caller is no control domain) -EPERM   the caller is not the Xenstore domain, a
 * control domain or the device model -EINVAL  pad0 is not 0 and for "any changed": -EACCES  the
 * caller is not the handler of HV_VIRQ_DOM_EXC -ENOENT  nothing changed, or the handler has not
 * bound the virq Otherwise the lowest changed domid is reported, its bit is cleared, and if the
 * domain is no more, all but the domid is 0. (EFAULT, and commands: see hv_domctl().)
 */
int hv_get_domain_state(struct hypervisor *hv, unsigned int caller, struct hv_get_domain_state *op);

/* For the mechanism's other parts. */

/** Start the record, all existing domains being changed. Returns 0 or -ENOMEM. */
int hv_changes_start(struct hypervisor *hv);

/** End it. */
void hv_changes_stop(struct hypervisor *hv);

/** Record that @domain changed, if there is a record. */
void hv_changes_add(struct hypervisor *hv, const struct hv_domain *domain);

#endif
