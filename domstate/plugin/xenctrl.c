/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The back-end for hypervisors before 4.21, a plug-in because libxenctrl is
 * bound to one release.
 *
 * The old interface does not say what changed. So all domains are listed, in
 * batches, and compared with what was known (domstate/evidence.h): identities are
 * not exact, and the daemon says so.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <xenctrl.h>

#include "domstate/evidence.h"
#include "domstate/open.h"

#define BATCH 1024u

struct xenctrl {
	struct domstate base;
	xc_interface *xch;
	xc_domaininfo_t *batch;
	bool listed; /* all were looked at, reporting goes on */
	struct evidence evidence;
};

_Static_assert(EVIDENCE_DYING == XEN_DOMINF_dying && EVIDENCE_SHUTDOWN == XEN_DOMINF_shutdown,
	       "flags of the interface");

static void learn(struct xenctrl *xc, const xc_domaininfo_t *info)
{
	struct evidence_look look = {
		.flags = info->flags,
		.cpu_time = info->cpu_time,
		.handle = info->handle,
	};

	evidence_learn(&xc->evidence, info->domain, &look);
}

static int list_all(struct xenctrl *xc)
{
	unsigned int first = 0;

	for (;;) {
		int count = xc_domain_getinfolist(xc->xch, first, BATCH, xc->batch);

		if (count < 0)
			return -errno;
		for (int i = 0; i < count; i++) {
			unsigned int domid = xc->batch[i].domain;

			if (domid >= EVIDENCE_DOMIDS || domid < first)
				return -EPROTO;
			while (first < domid)
				evidence_gone(&xc->evidence, first++);
			learn(xc, &xc->batch[i]);
			first = domid + 1;
		}
		if ((unsigned int)count < BATCH)
			break;
	}
	while (first < EVIDENCE_DOMIDS)
		evidence_gone(&xc->evidence, first++);
	return 0;
}

static int xenctrl_get(struct domstate *ds, unsigned int domid, struct domain_state *out)
{
	struct xenctrl *xc = (struct xenctrl *)ds;
	int count;

	if (domid >= EVIDENCE_DOMIDS)
		return -EINVAL;
	count = xc_domain_getinfolist(xc->xch, domid, 1, xc->batch);
	if (count < 0)
		return -errno;
	/* The first domain with at least this id is what is returned. */
	if (count == 1 && xc->batch[0].domain == domid)
		learn(xc, &xc->batch[0]);
	else
		evidence_gone(&xc->evidence, domid);
	evidence_state(&xc->evidence, domid, out);
	return 0;
}

static int xenctrl_changed(struct domstate *ds, struct domain_state *out)
{
	struct xenctrl *xc = (struct xenctrl *)ds;
	int error;

	if (!xc->listed) {
		error = list_all(xc);
		if (error)
			return error;
		xc->listed = true;
	}
	if (evidence_changed(&xc->evidence, out))
		return 0;
	xc->listed = false;
	return -ENOENT;
}

static void xenctrl_close(struct domstate *ds)
{
	struct xenctrl *xc = (struct xenctrl *)ds;

	if (xc->xch)
		xc_interface_close(xc->xch);
	free(xc->batch);
	free(xc);
}

static const struct domstate_ops xenctrl_ops = {
	.name = "xenctrl",
	.exact = false,
	.get = xenctrl_get,
	.changed = xenctrl_changed,
	.close = xenctrl_close,
};

domstate_plugin domstate_xenctrl_open;

int domstate_xenctrl_open(struct domstate **out)
{
	struct xenctrl *xc = calloc(1, sizeof(*xc));
	int error = 0;

	if (!xc)
		return -ENOMEM;
	xc->base.ops = &xenctrl_ops;
	xc->batch = calloc(BATCH, sizeof(*xc->batch));
	if (!xc->batch)
		error = -ENOMEM;
	if (!error && !(xc->xch = xc_interface_open(NULL, NULL, 0)))
		error = errno ? -errno : -EIO;
	if (!error && xc_domain_getinfolist(xc->xch, 0, 1, xc->batch) < 0)
		error = -errno;
	if (error) {
		xenctrl_close(&xc->base);
		return error;
	}
	*out = &xc->base;
	return 0;
}
