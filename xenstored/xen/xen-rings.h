/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rings of real domains: the page is mapped by grant (entry 1 is the xenstore
 * ring), the daemon's own domain's through the kernel; events come by event
 * channel (spec: rings-and-domains.md section 3).
 */
#ifndef XENSTORED_XEN_XEN_RINGS_H
#define XENSTORED_XEN_XEN_RINGS_H

#include "client/client.h"
#include "client/ring.h"
#include "xen/evtchn.h"

struct xengntdev_handle;

struct xen_rings {
	struct rings rings; /* first */
	struct evtchn *evtchn;
	struct xengntdev_handle *gnttab;
	struct core *core;
	unsigned int own_domid;
};

/** Open the grant device. Returns 0 or a negative errno. */
int xen_rings_open(struct xen_rings *rings, struct evtchn *evtchn, unsigned int own_domid);
void xen_rings_close(struct xen_rings *rings);

/**
 * The ring of @domid with its local @port, bound by an earlier process image. Indices and words of
 * the page are left as they are. Returns 0 or a negative errno.
 */
int xen_rings_adopt(struct xen_rings *rings, unsigned int domid, uint32_t port,
		    struct transport **out);

/** Port of the daemon's own domain's ring, as the kernel tells it. Returns it or a negative errno.
 */
int xen_rings_own_port(void);

#endif
