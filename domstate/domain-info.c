/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The back-end on getdomaininfo, for hypervisors before 4.21 without their
 * library.
 *
 * Up to 4.17 the operation finds the first domain with at least the given domid,
 * which makes a list; later ones answer for exactly that domid, and then only
 * domains that somebody has asked about before can be looked at again. Nothing
 * else is known about them to the store, so that is enough
 * (spec: rings-and-domains.md section 6, stubdom.md section 3).
 */
#include "domstate/domctl.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "domstate/evidence.h"

#define DOMCTL_GETDOMAININFO 5u

/* Interface versions of releases: the first one lists. */
#define VERSION_LISTS 0x15u /* 4.17 */
#define VERSION_LAST  0x18u /* 4.22 */

struct get_domain_info {
	uint32_t cmd;
	uint32_t interface_version;
	uint16_t domain;
	uint16_t pad[3];
	uint16_t found;
	uint16_t pad1;
	uint32_t flags;
	uint64_t pages[6]; /* counts that are of no interest here */
	uint64_t cpu_time;
	uint32_t vcpus, max_vcpu, ssidref;
	uint8_t handle[EVIDENCE_HANDLE];
	uint8_t rest[36];
};

_Static_assert(sizeof(struct get_domain_info) == DOMCTL_SIZE, "size of a domctl");
_Static_assert(offsetof(struct get_domain_info, flags) == 20, "domctl layout");
_Static_assert(offsetof(struct get_domain_info, cpu_time) == 72, "domctl layout");
_Static_assert(offsetof(struct get_domain_info, handle) == 92, "domctl layout");

struct info {
	struct domstate base;
	struct domctl *domctl;
	uint32_t version;
	bool looked; /* at all domains, reporting goes on */
	struct evidence evidence;
};

/* Returns 0 or a negative errno; @op is the buffer. */
static int ask(struct info *info, unsigned int domid, const struct get_domain_info **out)
{
	struct get_domain_info *op = info->domctl->buffer;

	memset(op, 0, sizeof(*op));
	op->cmd = DOMCTL_GETDOMAININFO;
	op->interface_version = info->version;
	op->domain = (uint16_t)domid;
	*out = op;
	return info->domctl->call(info->domctl);
}

/* Look at @domid. Returns the domid that was found, or EVIDENCE_DOMIDS: none from @domid on. */
static unsigned int look(struct info *info, unsigned int domid)
{
	const struct get_domain_info *op;
	struct evidence_look look;

	/* Whatever the refusal is (ESRCH, or EPERM for a Xenstore domain): there is no such one. */
	if (ask(info, domid, &op) || op->found < domid || op->found >= EVIDENCE_DOMIDS)
		return EVIDENCE_DOMIDS;
	look.flags = op->flags;
	look.cpu_time = op->cpu_time;
	look.handle = op->handle;
	evidence_learn(&info->evidence, op->found, &look);
	return op->found;
}

static void look_at_all(struct info *info)
{
	bool lists = info->version == VERSION_LISTS;
	unsigned int domid = 0;

	while (domid < EVIDENCE_DOMIDS) {
		unsigned int found;

		if (!lists && !info->evidence.seen[domid].state) {
			domid++;
			continue;
		}
		found = look(info, domid);
		if (!lists && found != domid)
			found = domid + 1;
		/* What was passed over is not there; nor is, without a list, what was not found. */
		while (domid < found && domid < EVIDENCE_DOMIDS)
			evidence_gone(&info->evidence, domid++);
		if (found == domid)
			domid++;
	}
}

static int info_get(struct domstate *ds, unsigned int domid, struct domain_state *out)
{
	struct info *info = (struct info *)ds;

	if (domid >= EVIDENCE_DOMIDS)
		return -EINVAL;
	if (look(info, domid) != domid)
		evidence_gone(&info->evidence, domid);
	evidence_state(&info->evidence, domid, out);
	return 0;
}

static int info_changed(struct domstate *ds, struct domain_state *out)
{
	struct info *info = (struct info *)ds;

	if (!info->looked) {
		look_at_all(info);
		info->looked = true;
	}
	if (evidence_changed(&info->evidence, out))
		return 0;
	info->looked = false;
	return -ENOENT;
}

static void info_close(struct domstate *ds)
{
	struct info *info = (struct info *)ds;

	if (info->domctl->close)
		info->domctl->close(info->domctl);
	free(info);
}

static const struct domstate_ops info_ops = {
	.name = "getdomaininfo",
	.exact = false,
	.get = info_get,
	.changed = info_changed,
	.close = info_close,
};

int domstate_domain_info(struct domctl *domctl, unsigned int probe_domid, struct domstate **out)
{
	struct info *info = calloc(1, sizeof(*info));
	const struct get_domain_info *op;
	int error = -EACCES;

	if (!info)
		return -ENOMEM;
	info->base.ops = &info_ops;
	info->domctl = domctl;
	for (info->version = VERSION_LISTS; info->version <= VERSION_LAST; info->version++) {
		error = ask(info, probe_domid, &op);
		if (error != -EACCES)
			break;
	}
	if (error) {
		free(info);
		return error;
	}
	*out = &info->base;
	return 0;
}
