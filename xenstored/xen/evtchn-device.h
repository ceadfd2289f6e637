/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event channels by the device of Linux.
 *
 * The device delivers port numbers; a port stays masked until it is given back.
 * Ports are read and given back many at once (Linux: /dev/xen/evtchn reads and
 * writes arrays of 4-byte ports).
 */
#ifndef XENSTORED_XEN_EVTCHN_DEVICE_H
#define XENSTORED_XEN_EVTCHN_DEVICE_H

#include "daemon/loop.h"
#include "xen/evtchn.h"

struct xenevtchn_handle;

struct evtchn_device {
	struct evtchn evtchn; /* first */
	struct xenevtchn_handle *handle;
	struct loop_source source;
};

/**
 * Open the device, or take it over from an earlier process image as @fd (-1: open it).
 * Returns 0 or a negative errno.
 */
int evtchn_device_open(struct evtchn_device *device, int fd);

/** Let the loop deliver events. Returns 0 or a negative errno. */
int evtchn_device_start(struct evtchn_device *device, struct loop *loop);

/**
 * Another program has used the device: let every port that is listened to fire again, whether it
 * had taken its last event or not. Returns 0 or a negative errno.
 */
int evtchn_device_give_all_back(struct evtchn_device *device);

/** Close @port if it was left open by another program. Returns whether it was. */
bool evtchn_device_close_stray(struct evtchn_device *device, uint32_t port);

#endif
