/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lets clients of the store talk through one guest's ring, as the driver behind
 * /dev/xen/xenbus does in a guest.
 */
#ifndef HYPERVISOR_HOST_BRIDGE_H
#define HYPERVISOR_HOST_BRIDGE_H

#include <stdbool.h>

struct ring;

/*
 * Serves connections to the listening socket until may_end(data) agrees after the
 * last one was closed, or the guest is gone. 0 or a negative errno.
 */
int bridge_run(struct ring *ring, int listener, bool (*may_end)(void *data), void *data);

#endif
