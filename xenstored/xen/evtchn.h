/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event channels of the daemon: one device, many ports, each with its listener.
 *
 * The device delivers port numbers; a port stays masked until it is given back.
 * Ports are read and given back many at once (Linux: /dev/xen/evtchn reads and
 * writes arrays of 4-byte ports).
 */
#ifndef XENSTORED_XEN_EVTCHN_H
#define XENSTORED_XEN_EVTCHN_H

#include <stdint.h>

#include "daemon/loop.h"

struct xenevtchn_handle;

/* Who is told when a port fires. */
struct evtchn_listener {
	void (*fired)(struct evtchn_listener *listener);
};

struct evtchn {
	struct xenevtchn_handle *handle;
	struct loop_source source;
	struct evtchn_listener **by_port; /* NULL: nobody */
	uint32_t ports;			  /* size of by_port */
};

/**
 * Open the device, or take it over from an earlier process image as @fd (-1: open it).
 * Returns 0 or a negative errno.
 */
int evtchn_open(struct evtchn *evtchn, int fd);
void evtchn_close(struct evtchn *evtchn);

/** Let the loop deliver events. Returns 0 or a negative errno. */
int evtchn_start(struct evtchn *evtchn, struct loop *loop);

/** Bind to a domain's port. Returns the local port or a negative errno. */
int evtchn_bind(struct evtchn *evtchn, unsigned int domid, uint32_t remote_port,
		struct evtchn_listener *listener);

/** Listen on a port that is bound already. Returns 0 or a negative errno. */
int evtchn_adopt_port(struct evtchn *evtchn, uint32_t port, struct evtchn_listener *listener);

/** Bind a virq. Returns the local port or a negative errno. */
int evtchn_bind_virq(struct evtchn *evtchn, unsigned int virq, struct evtchn_listener *listener);

/** Close a local port; 0 is none. */
void evtchn_unbind(struct evtchn *evtchn, uint32_t port);

/** Signal the other end. */
void evtchn_notify(struct evtchn *evtchn, uint32_t port);

/**
 * Another program has used the device: let every port that is listened to fire again, whether it
 * had taken its last event or not. Returns 0 or a negative errno.
 */
int evtchn_give_all_back(struct evtchn *evtchn);

/** Close @port if it was left open by another program. Returns whether it was. */
bool evtchn_close_stray(struct evtchn *evtchn, uint32_t port);

/** The number that no port reaches. */
#define EVTCHN_PORTS_MAX (1u << 17)

#endif
