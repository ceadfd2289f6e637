/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Domains coming and going, as the core sees them.
 */
#ifndef XENSTORED_CORE_DOMAINS_H
#define XENSTORED_CORE_DOMAINS_H

#include "core/core.h"

/**
 * The record of a domain that a request names, made if there is none yet and the domain exists.
 * The back-end is asked each time, so that a reused domid is noticed here at the latest.
 * @asking: whose request it is, or NULL. Its own domain is not doubted in the middle of its
 * request.
 *
 * Returns 0; ENOENT: there is no such domain; REQUEST_LATER: its predecessor is still being
 * cleaned away; ENOMEM.
 */
int core_know_domain(struct core *core, const struct client *asking, unsigned int domid,
		     struct domain **domain);

/* How a domain came to be introduced. */
enum introduction {
	INTRODUCE_REQUEST, /* by a toolstack: what is in the ring is thrown away */
	INTRODUCE_START,   /* found at the start: what is in the ring is waiting for us */
};

/**
 * Connect a domain, or connect it anew.
 * @port: event channel of the domain, 0 = the one in its ring page
 * Returns 0, REQUEST_LATER, or an errno value: of the connection, ENOENT, ENOMEM.
 */
int core_introduce(struct core *core, unsigned int domid, unsigned int port, enum introduction how);

/**
 * At the start: connect @first by its event channel @port, then all other domains that the back-end
 * knows and that can be reached; the rest waits for a toolstack. Our own domain needs no
 * connection unless it is @first.
 * Returns 0 or an errno value: of @first, or ENOMEM.
 */
int core_introduce_existing(struct core *core, unsigned int first, unsigned int port);

/** Forget a domain: close its client, remove its nodes, tell @releaseDomain. Done in slices. */
void core_forget_domain(struct core *core, struct domain *domain);

/** Go on with what domains' deaths left to do, for about @work units. */
void core_bury_some(struct core *core, long work);

/**
 * Tell about shutdowns that could not be told for lack of memory, and what core_recheck_domains()
 * has come upon. core->owed says whether something is left.
 */
void core_tell_owed(struct core *core);

/** Go on with core_recheck_domains(). */
void core_recheck_some(struct core *core);

#endif
