/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connecting the core's interfaces with the ring-0 layer. */
#include "stubdom/host.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/domains.h"
#include "daemon/log.h"
#include "domstate/domctl.h"
#include "stubdom/ring0/console.h"
#include "stubdom/ring0/events.h"
#include "stubdom/ring0/grants.h"
#include "stubdom/ring0/hypercall.h"
#include "stubdom/ring0/ring0.h"

/* ---- event channels ---- */

static int bind_domain(struct evtchn *evtchn, unsigned int domid, uint32_t remote_port)
{
	(void)evtchn;
	return events_bind(domid, remote_port);
}

static int bind_virq(struct evtchn *evtchn, unsigned int virq)
{
	(void)evtchn;
	return events_bind_virq(virq);
}

static void unbind(struct evtchn *evtchn, uint32_t port)
{
	(void)evtchn;
	events_close(port);
}

static void notify(struct evtchn *evtchn, uint32_t port)
{
	(void)evtchn;
	events_notify(port);
}

static const struct evtchn_ops evtchn_ops = {
	.bind = bind_domain,
	.bind_virq = bind_virq,
	.unbind = unbind,
	.notify = notify,
};

static void fired(void *data, uint32_t port)
{
	struct stubdom_host *host = data;

	evtchn_fired(&host->evtchn, port);
}

void stubdom_host_events(struct stubdom_host *host)
{
	events_collect(fired, host);
}

static void domains_changed(struct evtchn_listener *listener)
{
	struct stubdom_host *host = (struct stubdom_host *)(void *)((char *)listener -
								    offsetof(struct stubdom_host,
									     virq));

	host->changed = true;
	if (!host->standing)
		stubdom_host_stand(host, false);
}

void stubdom_host_stand(struct stubdom_host *host, bool still)
{
	host->standing = still;
	if (still || !host->changed)
		return;
	host->changed = false;
	core_domains_changed(host->core);
}

static void console_input(struct evtchn_listener *listener)
{
	(void)listener;
	console_drain();
}

/* ---- rings ---- */

static int map(struct ring_pages *pages, unsigned int domid, void **page)
{
	(void)pages;
	return grants_map_ring(domid, page);
}

static void unmap(struct ring_pages *pages, unsigned int domid, void *page)
{
	(void)pages;
	(void)page;
	grants_unmap_ring(domid);
}

/* ---- domain state ---- */

static int call_domctl(struct domctl *domctl)
{
	return (int)hypercall(__HYPERVISOR_domctl, (uintptr_t)domctl->buffer, 0, 0);
}

static struct domstate *open_domstate(unsigned int own_domid)
{
	static uint64_t buffer[DOMCTL_SIZE / sizeof(uint64_t)];
	static struct domctl domctl = {.buffer = buffer, .call = call_domctl};
	struct domstate *domstate;
	int error = domstate_get_domain_state(&domctl, own_domid, &domstate);

	if (error == -EACCES)
		error = domstate_domain_info(&domctl, own_domid, &domstate);
	if (error)
		fatal_errno(-error, "domain state");
	log_message(LOG_NOTICE, "domain state: by %s%s", domstate->ops->name,
		    domstate->ops->exact ? ""
					 : "; a domid that is reused at once may go unnoticed");
	return domstate;
}

/* The first domain that controls others; without such information it is domain 0. */
static unsigned int find_privileged(struct domstate *domstate)
{
	struct domain_state state;

	for (unsigned int domid = 0; domid < DOMID_FIRST_RESERVED; domid++)
		if (!domstate_get(domstate, domid, &state) && (state.caps & DOMSTATE_CAP_CONTROL))
			return domid;
	return 0;
}

/* ---- all of it ---- */

void stubdom_host_open(struct stubdom_host *host, const struct options *options, uint32_t virq_port,
		       struct core_config *config, struct world *world)
{
	int port;

	memset(host, 0, sizeof(*host));
	config->own_domid = options->master_domid >= 0 ? (unsigned int)options->master_domid
						       : ring0.hypervisor.domid;
	if (config->own_domid >= DOMID_FIRST_RESERVED)
		fatal("the hypervisor does not tell our domid; --master-domid can");
	evtchn_init(&host->evtchn, &evtchn_ops);
	host->virq.fired = domains_changed;
	host->console.fired = console_input;
	/* Before the first look at domains, so that no change comes between the two. */
	if (virq_port && !evtchn_adopt_port(&host->evtchn, virq_port, &host->virq)) {
		host->virq_port = virq_port;
	} else {
		port = evtchn_bind_virq(&host->evtchn, VIRQ_DOM_EXC, &host->virq);
		if (port < 0)
			fatal_errno(-port, "binding VIRQ_DOM_EXC");
		host->virq_port = (uint32_t)port;
	}
	if (ring0.console_port)
		evtchn_adopt_port(&host->evtchn, ring0.console_port, &host->console);
	host->domstate = open_domstate(config->own_domid);
	config->priv_domid = options->priv_domid >= 0 ? (unsigned int)options->priv_domid
						      : find_privileged(host->domstate);
	host->pages.map = map;
	host->pages.unmap = unmap;
	xen_rings_init(&host->rings, &host->evtchn, &host->pages);
	world->domstate = host->domstate;
	world->rings = &host->rings.rings;
}

void stubdom_host_attach(struct stubdom_host *host, struct core *core)
{
	host->core = core;
	host->rings.core = core;
}

void stubdom_host_introduce(struct stubdom_host *host, unsigned int port)
{
	unsigned int priv = host->core->config.priv_domid;
	int error = core_introduce_existing(host->core, priv, port);

	if (error)
		fatal_errno(error < 0 ? EAGAIN : error, "could not initialize dom%u", priv);
}
