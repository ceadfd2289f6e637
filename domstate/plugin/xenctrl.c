/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The back-end for hypervisors before 4.21, a plug-in because libxenctrl is
 * bound to one release.
 *
 * The old interface neither says what changed nor tells a domain from its
 * successor with the same domid. So all domains are listed, in batches, and
 * compared with what was known; a successor is recognized by evidence: another
 * handle (UUID), cpu time that went back, a shutdown or death that is undone.
 * A domain that is replaced by an equal one between two looks is not noticed:
 * identities are not exact, and the daemon says so.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <xenctrl.h>

#include "domstate/open.h"

#define DOMIDS 0x7ff0u
#define BATCH  1024u

/* What was last known of a domid. */
struct seen {
	bool exists;
	uint8_t state;
	uint32_t life; /* counts the domains that this domid has had, as far as noticed */
	uint64_t cpu_time;
	xen_domain_handle_t handle;
};

struct xenctrl {
	struct domstate base;
	xc_interface *xch;
	xc_domaininfo_t *batch;
	struct seen seen[DOMIDS];
	uint8_t changed[DOMIDS];
	unsigned int next; /* domid to look at next when reporting */
	bool listed;	   /* changed[] is up to date, reporting goes on */
};

static uint8_t state_of(const xc_domaininfo_t *info)
{
	uint8_t state = DOMSTATE_EXIST;

	if (info->flags & XEN_DOMINF_shutdown)
		state |= DOMSTATE_SHUTDOWN;
	if (info->flags & XEN_DOMINF_dying)
		state |= DOMSTATE_DEAD;
	return state;
}

/* Compare what the hypervisor says now with what was known. Returns true when it differs. */
static bool learn(struct seen *seen, const xc_domaininfo_t *info)
{
	uint8_t state = state_of(info);
	bool other = seen->exists &&
		     (memcmp(seen->handle, info->handle, sizeof(info->handle)) != 0 ||
		      info->cpu_time < seen->cpu_time ||
		      ((seen->state & DOMSTATE_DEAD) && !(state & DOMSTATE_DEAD)));
	bool changed = !seen->exists || other || seen->state != state;

	if (!seen->exists || other)
		seen->life++;
	seen->exists = true;
	seen->state = state;
	seen->cpu_time = info->cpu_time;
	memcpy(seen->handle, info->handle, sizeof(seen->handle));
	return changed;
}

static void fill(const struct xenctrl *xc, unsigned int domid, struct domain_state *out)
{
	const struct seen *seen = &xc->seen[domid];

	memset(out, 0, sizeof(*out));
	out->domid = domid;
	if (!seen->exists)
		return;
	out->state = seen->state;
	out->caps = domid ? 0 : DOMSTATE_CAP_CONTROL | DOMSTATE_CAP_HARDWARE;
	/* Not the hypervisor's, but different for each life that was noticed. */
	out->unique_id = ((uint64_t)seen->life << 16) | domid;
}

static void gone(struct xenctrl *xc, unsigned int domid)
{
	if (!xc->seen[domid].exists)
		return;
	xc->seen[domid].exists = false;
	xc->changed[domid] = 1;
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

			if (domid >= DOMIDS || domid < first)
				return -EPROTO;
			while (first < domid)
				gone(xc, first++);
			xc->changed[domid] |= learn(&xc->seen[domid], &xc->batch[i]);
			first = domid + 1;
		}
		if ((unsigned int)count < BATCH)
			break;
	}
	while (first < DOMIDS)
		gone(xc, first++);
	return 0;
}

static int xenctrl_get(struct domstate *ds, unsigned int domid, struct domain_state *out)
{
	struct xenctrl *xc = (struct xenctrl *)ds;
	int count;

	if (domid >= DOMIDS)
		return -EINVAL;
	count = xc_domain_getinfolist(xc->xch, domid, 1, xc->batch);
	if (count < 0)
		return -errno;
	/* The first domain with at least this id is what is returned. */
	if (count == 1 && xc->batch[0].domain == domid)
		xc->changed[domid] |= learn(&xc->seen[domid], &xc->batch[0]);
	else
		gone(xc, domid);
	fill(xc, domid, out);
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
		xc->next = 0;
	}
	for (; xc->next < DOMIDS; xc->next++) {
		if (!xc->changed[xc->next])
			continue;
		xc->changed[xc->next] = 0;
		fill(xc, xc->next++, out);
		return 0;
	}
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
