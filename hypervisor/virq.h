/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virqs: events that come from the hypervisor itself.
 *
 * A global virq belongs to one domain on the host, its handler: the hardware
 * domain unless set_virq_handler named another. Only the handler can bind it.
 */
#ifndef HYPERVISOR_VIRQ_H
#define HYPERVISOR_VIRQ_H

#include <stdbool.h>
#include <stdint.h>

struct hypervisor;
struct hv_domain;

#define HV_VIRQ_COUNT	24u
#define HV_VIRQ_DOM_EXC 3u

struct hv_virq {
	struct hv_domain *handler; /* NULL: the hardware domain */
	uint32_t port;		   /* the handler's port, 0 when it is not bound */
};

/** True for virqs of the host, false for those of each vCPU. */
bool hv_virq_is_global(unsigned int virq);

/**
 * Make @domid the handler of the global @virq. For control domains only (-EPERM); -ESRCH without
 * such a domain, -EINVAL when it is dying or the virq is not global, -EBUSY while the present
 * handler has the virq bound (unless it is the same domain).
 */
int hv_virq_set_handler(struct hypervisor *hv, unsigned int caller, unsigned int domid,
			unsigned int virq);

/** The handler of a global virq; NULL if that would be the hardware domain and there is none. */
struct hv_domain *hv_virq_handler(struct hypervisor *hv, unsigned int virq);

/** Raise a global virq; nothing happens when the handler has not bound it. */
void hv_virq_raise(struct hypervisor *hv, unsigned int virq);

/* For the mechanism's other parts. */

/** @domain, which is dying and has no ports any more, ceases to be the handler of anything. */
void hv_virq_forget_handler(struct hypervisor *hv, const struct hv_domain *domain);

#endif
