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
#include "domstate/domstate.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <xencall.h>

#define HYPERVISOR_DOMCTL	36
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

_Static_assert(sizeof(struct get_domain_state) == 144, "size of a domctl");
_Static_assert(offsetof(struct get_domain_state, state) == 16, "domctl layout");
_Static_assert(offsetof(struct get_domain_state, unique_id) == 24, "domctl layout");

struct hypercall {
	struct domstate base;
	xencall_handle *call;
	struct get_domain_state *buffer; /* memory that the hypervisor can reach */
};

/* Ask about @domid, or DOMID_NONE for the next changed one. Returns 0 or -errno. */
static int ask(struct hypercall *hypercall, unsigned int domid, struct domain_state *out)
{
	struct get_domain_state *op = hypercall->buffer;

	memset(op, 0, sizeof(*op));
	op->cmd = DOMCTL_GET_DOMAIN_STATE;
	op->domain = (uint16_t)domid;
	if (xencall1(hypercall->call, HYPERVISOR_DOMCTL, (uint64_t)(uintptr_t)op) < 0)
		return -errno;
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

	if (hypercall->buffer)
		xencall_free_buffer(hypercall->call, hypercall->buffer);
	if (hypercall->call)
		xencall_close(hypercall->call);
	free(hypercall);
}

static const struct domstate_ops hypercall_ops = {
	.name = "hypercall",
	.exact = true,
	.get = hypercall_get,
	.changed = hypercall_changed,
	.close = hypercall_close,
};

int domstate_hypercall(unsigned int probe_domid, struct domstate **out)
{
	struct hypercall *hypercall = calloc(1, sizeof(*hypercall));
	struct domain_state state;
	int error;

	if (!hypercall)
		return -ENOMEM;
	hypercall->base.ops = &hypercall_ops;
	hypercall->call = xencall_open(NULL, 0);
	error = hypercall->call ? 0 : -errno;
	if (!error) {
		hypercall->buffer = xencall_alloc_buffer(hypercall->call,
							 sizeof(*hypercall->buffer));
		error = hypercall->buffer ? 0 : -ENOMEM;
	}
	/* Older hypervisors know neither the operation nor version 0, and answer EACCES. */
	if (!error)
		error = ask(hypercall, probe_domid, &state);
	if (error) {
		hypercall_close(&hypercall->base);
		return error;
	}
	*out = &hypercall->base;
	return 0;
}
