/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Domain state: which domains live?
 *
 * Three questions to the hypervisor: "what is domain D now?", "what changed?",
 * and "wake me when something does". Back-ends answer them by the stable
 * get-domain-state hypercall, by older interfaces, or not at all.
 */
#ifndef DOMSTATE_DOMSTATE_H
#define DOMSTATE_DOMSTATE_H

#include <stdbool.h>
#include <stdint.h>

/* State bits (spec: rings-and-domains.md section 5). */
#define DOMSTATE_EXIST	  1u
#define DOMSTATE_SHUTDOWN 2u
#define DOMSTATE_DYING	  4u
#define DOMSTATE_DEAD	  8u

/* Capability bits. */
#define DOMSTATE_CAP_CONTROL  1u
#define DOMSTATE_CAP_HARDWARE 2u
#define DOMSTATE_CAP_XENSTORE 4u

struct domain_state {
	unsigned int domid;
	unsigned int state; /* 0: no such domain */
	unsigned int caps;
	uint64_t unique_id; /* 0: the back-end cannot tell */
};

struct domstate;

struct domstate_ops {
	const char *name;
	bool exact; /* unique_id identifies a domain; without it there is only evidence */

	/* What is @domid now? Returns 0 and fills @out (state 0 when it does not exist), or -errno.
	 */
	int (*get)(struct domstate *ds, unsigned int domid, struct domain_state *out);

	/* The next domain that changed since it was last asked for: 0, -ENOENT when there is none.
	 */
	int (*changed)(struct domstate *ds, struct domain_state *out);

	void (*close)(struct domstate *ds);
};

/* A back-end's handle begins with this. */
struct domstate {
	const struct domstate_ops *ops;
};

static inline int domstate_get(struct domstate *ds, unsigned int domid, struct domain_state *out)
{
	return ds->ops->get(ds, domid, out);
}

static inline int domstate_changed(struct domstate *ds, struct domain_state *out)
{
	return ds->ops->changed(ds, out);
}

static inline void domstate_close(struct domstate *ds)
{
	if (ds)
		ds->ops->close(ds);
}

/**
 * The back-end for a machine without a hypervisor: the daemon's own domain exists and nothing ever
 * happens. Returns NULL without memory.
 */
struct domstate *domstate_none(unsigned int own_domid);

#endif
