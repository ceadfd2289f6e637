/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access: what a client may do with a node (spec: protocol.md section 5).
 */
#ifndef XENSTORED_STATE_ACCESS_H
#define XENSTORED_STATE_ACCESS_H

#include "state/domain.h"

struct identity {
	unsigned int domid;
	bool privileged;
	struct domain *domain; /* its record; NULL only while it is being closed */
};

/**
 * The rights that @who has by @perms: PERM_READ | PERM_WRITE | PERM_OWNER.
 *
 * Privileged: everything. Owner, or the target's owner: everything. Else the first living entry
 * for the domain, its target or any domain; else the default letter.
 */
unsigned int access_rights(const struct domains *domains, const struct identity *who,
			   const struct perms *perms);

#endif
