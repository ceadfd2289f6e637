/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Back-ends that speak to the hypervisor by the domctl hypercall, and how they
 * make it: through a library on Linux, directly in a domain without an operating
 * system.
 */
#ifndef DOMSTATE_DOMCTL_H
#define DOMSTATE_DOMCTL_H

#include <stdint.h>

#include "domstate/domstate.h"

#define DOMCTL_SIZE 144u /* bytes that the hypervisor reads and writes, whatever the operation */

/* Who makes the hypercall. */
struct domctl {
	void *buffer; /* DOMCTL_SIZE bytes that the hypervisor can reach, aligned for 64 bits */
	/* Make the hypercall on the buffer. Returns 0 or a negative errno. */
	int (*call)(struct domctl *domctl);
	/* Free it; may be NULL. */
	void (*close)(struct domctl *domctl);
};

/**
 * The back-end on the stable get-domain-state operation (Xen 4.21 and later).
 * @domctl: taken over on success
 * @probe_domid: a domain to try it on
 * Returns 0 or a negative errno; -EACCES: the hypervisor is older.
 */
int domstate_get_domain_state(struct domctl *domctl, unsigned int probe_domid,
			      struct domstate **out);

/**
 * The back-end on the older getdomaininfo operation, which belongs to one release; all known ones
 * are tried. Arguments and results as above.
 */
int domstate_domain_info(struct domctl *domctl, unsigned int probe_domid, struct domstate **out);

#endif
