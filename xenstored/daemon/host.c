/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Start-up against a hypervisor (spec: rings-and-domains.md sections 3 and 4). */
#include "daemon/host.h"

#include <string.h>
#include <unistd.h>

#include "core/domains.h"
#include "daemon/log.h"
#include "domstate/open.h"

#define VIRQ_DOM_EXC 3

static void domains_changed(struct evtchn_listener *listener)
{
	struct host *host = (struct host *)(void *)((char *)listener - offsetof(struct host, virq));

	core_domains_changed(host->core);
}

static void open_rings(struct host *host, unsigned int own_domid, int evtchn_fd, uint32_t virq_port,
		       bool reclaim)
{
	int result = evtchn_device_open(&host->device, evtchn_fd);

	if (result)
		fatal_errno(-result, "event channel device");
	result = grant_device_open(&host->grants, own_domid);
	if (result)
		fatal_errno(-result, "grant device");
	xen_rings_init(&host->rings, &host->device.evtchn, &host->grants.pages);
	host->virq.fired = domains_changed;
	/* Kept bound, it has missed nothing; nor would another binding be possible. */
	if (virq_port && !evtchn_adopt_port(&host->device.evtchn, virq_port, &host->virq))
		host->virq_port = virq_port;
	host->has_rings = true;
	if (reclaim)
		return;
	host_bind_virq(host);
	if (!host->virq_port)
		fatal("VIRQ_DOM_EXC could not be bound");
}

void host_reclaim(struct host *host)
{
	int result;

	if (!host->has_rings)
		return;
	result = evtchn_device_give_all_back(&host->device);
	if (result)
		fatal_errno(-result, "event channel device");
	/* The virq can be bound once only, and nobody knows to which port the other has. */
	result = evtchn_bind_virq(&host->device.evtchn, VIRQ_DOM_EXC, &host->virq);
	for (uint32_t port = 1; result < 0 && port < EVTCHN_PORTS_MAX; port++)
		if (evtchn_device_close_stray(&host->device, port))
			result = evtchn_bind_virq(&host->device.evtchn, VIRQ_DOM_EXC, &host->virq);
	if (result < 0)
		fatal_errno(-result, "binding VIRQ_DOM_EXC");
	host->virq_port = (uint32_t)result;
}

void host_release_virq(struct host *host)
{
	if (host->virq_port)
		evtchn_unbind(&host->device.evtchn, host->virq_port);
	host->virq_port = 0;
}

void host_bind_virq(struct host *host)
{
	int result;

	if (host->virq_port || !host->device.handle)
		return;
	result = evtchn_bind_virq(&host->device.evtchn, VIRQ_DOM_EXC, &host->virq);
	if (result < 0)
		log_message(LOG_CRIT, "binding VIRQ_DOM_EXC: %s", strerror(-result));
	else
		host->virq_port = (uint32_t)result;
}

void host_open(struct host *host, const struct options *options, int evtchn_fd, uint32_t virq_port,
	       bool reclaim, struct core_config *config)
{
	const char *name = options_domstate_name(options->domstate);
	char why[512] = "";
	int error;

	memset(host, 0, sizeof(*host));
	config->own_domid = options->master_domid >= 0 ? (unsigned int)options->master_domid : 0;
	config->priv_domid = options->priv_domid >= 0 ? (unsigned int)options->priv_domid
						      : config->own_domid;
	error = domstate_open(name, config->own_domid, &host->domstate, why, sizeof(why));
	if (error)
		fatal("domain state: %s", why);
	log_message(LOG_NOTICE, "domain state: back-end %s", why);
	if (!strcmp(host->domstate->ops->name, "none")) {
		/* A host that runs Xen must not be left with a store that ignores its domains. */
		if (options->domstate == OPTIONS_DOMSTATE_AUTO &&
		    !access("/proc/xen/capabilities", F_OK))
			fatal("no domain state on a Xen host (--domstate=none serves sockets "
			      "only)");
		return;
	}
	if (!host->domstate->ops->exact)
		log_message(LOG_NOTICE,
			    "domain state: a domid that is reused at once may go unnoticed");
	open_rings(host, config->own_domid, evtchn_fd, virq_port, reclaim);
}

void host_fill_world(struct host *host, struct world *world)
{
	world->domstate = host->domstate;
	world->rings = host->has_rings ? &host->rings.rings : NULL;
}

static void introduce_all(struct host *host)
{
	unsigned int own = host->core->config.own_domid;
	int port = grant_device_own_port(), error;

	if (port < 0)
		fatal_errno(-port, "port of the own domain's ring");
	error = core_introduce_existing(host->core, own, (unsigned int)port);
	if (error)
		fatal_errno(error, "could not initialize dom%u", own);
}

void host_start(struct host *host, struct core *core, struct loop *loop, bool introduce)
{
	int error;

	host->core = core;
	if (!host->has_rings)
		return;
	host->rings.core = core;
	error = evtchn_device_start(&host->device, loop);
	if (error)
		fatal_errno(-error, "event channel device");
	if (introduce)
		introduce_all(host);
}
