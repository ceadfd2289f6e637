/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rings of real domains: a page that is mapped, and an event channel.
 *
 * What connecting, binding anew and taking over mean is the same everywhere. How
 * a page is mapped is the platform's (spec: rings-and-domains.md section 3).
 */
#ifndef XENSTORED_XEN_XEN_RINGS_H
#define XENSTORED_XEN_XEN_RINGS_H

#include "client/client.h"
#include "client/ring.h"
#include "xen/evtchn.h"

/* The rings' pages, as the platform maps them. */
struct ring_pages {
	/* Map the ring of @domid. Fills @page. Returns 0 or a negative errno. */
	int (*map)(struct ring_pages *pages, unsigned int domid, void **page);
	void (*unmap)(struct ring_pages *pages, unsigned int domid, void *page);
};

struct xen_rings {
	struct rings rings; /* first */
	struct evtchn *evtchn;
	struct ring_pages *pages;
	struct core *core; /* to be set before the first domain is connected */
};

/** Rings on the platform's event channels and pages, which must live as long. */
void xen_rings_init(struct xen_rings *rings, struct evtchn *evtchn, struct ring_pages *pages);

/**
 * The ring of @domid with its local @port, bound by an earlier process image. Indices and words of
 * the page are left as they are. Returns 0 or a negative errno.
 */
int xen_rings_adopt(struct xen_rings *rings, unsigned int domid, uint32_t port,
		    struct transport **out);

#endif
