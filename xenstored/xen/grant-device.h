/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages of rings on Linux: mapped by grant (entry 1 is the Xenstore ring), the
 * daemon's own domain's through the kernel (spec: rings-and-domains.md section 3).
 */
#ifndef XENSTORED_XEN_GRANT_DEVICE_H
#define XENSTORED_XEN_GRANT_DEVICE_H

#include "xen/xen-rings.h"

struct xengntdev_handle;

struct grant_device {
	struct ring_pages pages; /* first */
	struct xengntdev_handle *handle;
	unsigned int own_domid;
};

/** Open the grant device. Returns 0 or a negative errno. */
int grant_device_open(struct grant_device *device, unsigned int own_domid);

/** Port of the daemon's own domain's ring, as the kernel tells it. Returns it or a negative errno.
 */
int grant_device_own_port(void);

#endif
