/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What can be concluded about domains from repeated looks at them, for
 * hypervisors that neither say what changed nor tell a domain from its successor
 * with the same domid.
 *
 * A successor is recognized by evidence: another handle (UUID), cpu time that
 * went back, a death that is undone. A domain that is replaced by an equal one
 * between two looks is not noticed.
 */
#ifndef DOMSTATE_EVIDENCE_H
#define DOMSTATE_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "domstate/domstate.h"

#define EVIDENCE_DOMIDS 0x7ff0u
#define EVIDENCE_HANDLE 16u

/* Flags of the older interface's answer. */
#define EVIDENCE_DYING	  (1u << 0) /* dead, in fact */
#define EVIDENCE_SHUTDOWN (1u << 2)

/* What the hypervisor says of a domain. */
struct evidence_look {
	uint32_t flags;
	uint64_t cpu_time;
	const uint8_t *handle; /* EVIDENCE_HANDLE bytes */
};

/* What was last known of a domid. There are many, and a small domain keeps them in its memory. */
struct evidence_seen {
	uint64_t cpu_time;
	uint32_t handle;      /* a hash of it */
	uint32_t life : 24;   /* counts the domains that this domid has had, as far as noticed */
	uint32_t state : 4;   /* 0: there was none */
	uint32_t changed : 1; /* since it was reported */
};

_Static_assert(sizeof(struct evidence_seen) == 16, "half a megabyte in all");

struct evidence {
	struct evidence_seen seen[EVIDENCE_DOMIDS];
	unsigned int next; /* domid to look at next when reporting */
};

/** A look at a domain that exists. */
void evidence_learn(struct evidence *evidence, unsigned int domid,
		    const struct evidence_look *look);

/** A look at a domid that no domain has. */
void evidence_gone(struct evidence *evidence, unsigned int domid);

/** Fill @out with what is known of @domid. */
void evidence_state(const struct evidence *evidence, unsigned int domid, struct domain_state *out);

/** The next domain that is to be reported: true and fills @out; false behind the last one, and the
 * next call begins anew. */
bool evidence_changed(struct evidence *evidence, struct domain_state *out);

#endif
