/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host as the daemon uses it: domain state, event channels, rings, and the
 * introduction of those domains that are there when it starts.
 */
#ifndef XENSTORED_DAEMON_HOST_H
#define XENSTORED_DAEMON_HOST_H

#include "core/core.h"
#include "daemon/loop.h"
#include "daemon/options.h"
#include "xen/evtchn-device.h"
#include "xen/grant-device.h"
#include "xen/xen-rings.h"

struct host {
	struct domstate *domstate;
	bool has_rings;
	struct evtchn_device device;
	struct grant_device grants;
	struct xen_rings rings;
	struct evtchn_listener virq;
	uint32_t virq_port;
	struct core *core;
};

/**
 * Open what there is, and say in the log what it is. Fills the domain ids of @config, as far as
 * the options leave them open. A failure is fatal for the process.
 * @evtchn_fd: the event channel device of an earlier process image, -1 = none
 * @virq_port: its port for VIRQ_DOM_EXC, 0 = to be bound
 * @reclaim: another program has used that device meanwhile: host_reclaim() will bind the virq
 */
void host_open(struct host *host, const struct options *options, int evtchn_fd, uint32_t virq_port,
	       bool reclaim, struct core_config *config);

/**
 * When the restored rings have their ports: close what the other program has left open, bind
 * VIRQ_DOM_EXC, and let all ports fire again. A failure is fatal for the process.
 */
void host_reclaim(struct host *host);

/** Before another program takes over: it binds the virq itself. And if it does not come to that. */
void host_release_virq(struct host *host);
void host_bind_virq(struct host *host);

/** Complete @world with what the host offers. */
void host_fill_world(struct host *host, struct world *world);

/**
 * The core is there: deliver events to it.
 * @introduce: introduce the domains that exist (not when their state is restored)
 */
void host_start(struct host *host, struct core *core, struct loop *loop, bool introduce);

#endif
