/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hypervisor as the core uses it, in a domain without an operating system:
 * rings, event channels and domain state by hypercalls of our own.
 *
 * There is no file of the kernel and no device here. Domain 0 is a guest like
 * others, whose event channel stands on the command line; our own domain is one
 * that nobody connects, since nobody lives in it but us.
 * (spec: stubdom.md section 3)
 */
#ifndef XENSTORED_STUBDOM_HOST_H
#define XENSTORED_STUBDOM_HOST_H

#include "core/core.h"
#include "daemon/options.h"
#include "xen/evtchn.h"
#include "xen/xen-rings.h"

struct stubdom_host {
	struct domstate *domstate;
	struct evtchn evtchn;
	struct ring_pages pages;
	struct xen_rings rings;
	struct evtchn_listener virq, console;
	uint32_t virq_port; /* of VIRQ_DOM_EXC; 0 = not bound */
	bool standing;	    /* the core is not to be changed now, whatever happens to domains */
	bool changed;	    /* something has happened meanwhile */
	struct core *core;
};

/**
 * Find out whose domains there are and how to learn of them. Fills the domids of @config and the
 * interfaces of @world. @virq_port: the port of an earlier image for VIRQ_DOM_EXC, 0 = it is bound
 * now. A failure is fatal.
 */
void stubdom_host_open(struct stubdom_host *host, const struct options *options, uint32_t virq_port,
		       struct core_config *config, struct world *world);

/** The core is there. */
void stubdom_host_attach(struct stubdom_host *host, struct core *core);

/**
 * Connect domain 0 by its event channel @port, and whoever else can be reached. Failing with
 * domain 0 is fatal.
 */
void stubdom_host_introduce(struct stubdom_host *host, unsigned int port);

/**
 * While @still, the core stands still: changes of domains are noted, and told when it may go on.
 */
void stubdom_host_stand(struct stubdom_host *host, bool still);

/** Tell the listeners of all events that have come in. */
void stubdom_host_events(struct stubdom_host *host);

#endif
