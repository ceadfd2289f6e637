/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The back-end on the stable get-domain-state hypercall (Xen 4.21 and later).
 *
 * The hypervisor keeps a bit for each domain whose state changed and a unique
 * id for each domain's life; asking for the next changed domain costs what
 * changed, however many domains there are. The ABI is defined here, since the
 * installed headers may be older than the hypervisor (spec:
 * rings-and-domains.md section 5).
 */
#include "domstate/domctl.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define DOMCTL_GET_DOMAIN_STATE 90
#define DOMID_NONE		0x7ff4u /* ask for any changed domain */

struct get_domain_state {
	uint32_t cmd;
	uint32_t interface_version; /* 0: the operation is stable */
	uint16_t domain;
	uint16_t pad[3];
	uint16_t state;
	uint16_t caps;
	uint32_t pad0;
	uint64_t unique_id;
	uint8_t rest[112]; /* of the union that all operations share */
};

_Static_assert(sizeof(struct get_domain_state) == DOMCTL_SIZE, "size of a domctl");
_Static_assert(offsetof(struct get_domain_state, state) == 16, "domctl layout");
_Static_assert(offsetof(struct get_domain_state, unique_id) == 24, "domctl layout");

struct hypercall {
	struct domstate base;
	struct domctl *domctl;
};

/* Ask about @domid, or DOMID_NONE for the next changed one. Returns 0 or -errno. */
static int ask(struct hypercall *hypercall, unsigned int domid, struct domain_state *out)
{
	struct get_domain_state *op = hypercall->domctl->buffer;
	int error;

	memset(op, 0, sizeof(*op));
	op->cmd = DOMCTL_GET_DOMAIN_STATE;
	op->domain = (uint16_t)domid;
	error = hypercall->domctl->call(hypercall->domctl);
	if (error)
		return error;
	out->domid = op->domain;
	out->state = op->state;
	out->caps = op->caps;
	out->unique_id = op->unique_id;
	return 0;
}

static int hypercall_get(struct domstate *ds, unsigned int domid, struct domain_state *out)
{
	int error = ask((struct hypercall *)ds, domid, out);

	if (!error)
		return 0;
	/*
	 * A domain that is gone is ESRCH for a control domain, but EPERM for a Xenstore domain;
	 * both may ask about all others, so every refusal means that there is none.
	 */
	memset(out, 0, sizeof(*out));
	out->domid = domid;
	return 0;
}

static int hypercall_changed(struct domstate *ds, struct domain_state *out)
{
	return ask((struct hypercall *)ds, DOMID_NONE, out);
}

static void hypercall_close(struct domstate *ds)
{
	struct hypercall *hypercall = (struct hypercall *)ds;

	if (hypercall->domctl->close)
		hypercall->domctl->close(hypercall->domctl);
	free(hypercall);
}

static const struct domstate_ops hypercall_ops = {
	.name = "hypercall",
	.exact = true,
	.get = hypercall_get,
	.changed = hypercall_changed,
	.close = hypercall_close,
};

int domstate_get_domain_state(struct domctl *domctl, unsigned int probe_domid,
			      struct domstate **out)
{
	struct hypercall *hypercall = calloc(1, sizeof(*hypercall));
	struct domain_state state;
	int error;

	if (!hypercall)
		return -ENOMEM;
	hypercall->base.ops = &hypercall_ops;
	hypercall->domctl = domctl;
	/* Older hypervisors know neither the operation nor version 0, and answer EACCES. */
	error = ask(hypercall, probe_domid, &state);
	if (error) {
		free(hypercall);
		return error;
	}
	*out = &hypercall->base;
	return 0;
}
