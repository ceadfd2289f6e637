/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All devices that the daemon knows, found by their numbers, and a queue of those that are to be
 * looked at. An event concerns one device and must cost the same however many others there are.
 */
#ifndef XENSTORED_NINEPFSD_DEVICES_H
#define XENSTORED_NINEPFSD_DEVICES_H

#include "ninepfsd/backend.h"

/* Domids and device numbers are less than that. */
#define DEVICES_NUMBER_MAX 0x10000U

struct devices {
	struct backend **by_domid; /* lists of each domain's devices */
	struct backend *first;	   /* of all */
	struct backend *dirty, **dirty_end;
};

/** Room for all domids; 0 or -ENOMEM. */
int devices_init(struct devices *devices);

/** The devices must have been removed. */
void devices_deinit(struct devices *devices);

struct backend *devices_find(const struct devices *devices, unsigned int domid,
			     unsigned int number);

/** Queue a device, which is made if it is not known yet. Without memory it is not. */
void devices_note(struct devices *devices, unsigned int domid, unsigned int number);

/** Queue a device that is known. */
void devices_queue(struct devices *devices, struct backend *device);

/** Queue all that are known: of one domain, or of every one. */
void devices_queue_domain(struct devices *devices, unsigned int domid);
void devices_queue_all(struct devices *devices);

/** The next of the queue, taken off it; NULL: it is empty. */
struct backend *devices_take(struct devices *devices);

/** Forget a device that is not in the queue; it is the caller's then. */
void devices_remove(struct devices *devices, struct backend *device);

#endif
