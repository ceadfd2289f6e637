/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The back-end without a hypervisor: sockets only. */
#include "domstate/domstate.h"

#include <errno.h>
#include <stdlib.h>

struct none {
	struct domstate base;
	unsigned int own_domid;
};

static int none_get(struct domstate *ds, unsigned int domid, struct domain_state *out)
{
	const struct none *none = (const struct none *)ds;

	out->domid = domid;
	out->unique_id = 0;
	out->state = domid == none->own_domid ? DOMSTATE_EXIST : 0;
	out->caps = domid == none->own_domid ? DOMSTATE_CAP_CONTROL | DOMSTATE_CAP_HARDWARE : 0;
	return 0;
}

static int none_changed(struct domstate *ds, struct domain_state *out)
{
	(void)ds;
	(void)out;
	return -ENOENT;
}

static void none_close(struct domstate *ds)
{
	free(ds);
}

static const struct domstate_ops none_ops = {
	.name = "none",
	.exact = false,
	.get = none_get,
	.changed = none_changed,
	.close = none_close,
};

struct domstate *domstate_none(unsigned int own_domid)
{
	struct none *none = calloc(1, sizeof(*none));

	if (!none)
		return NULL;
	none->base.ops = &none_ops;
	none->own_domid = own_domid;
	return &none->base;
}
