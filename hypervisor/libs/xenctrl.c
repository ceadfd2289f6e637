/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks like libxenctrl.so.4.17, on a simulated host: what the xenstoreds of that
 * release call. What they need in order to be loaded but never call is in
 * xenctrl-absent.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xenctrl.h>

#include "client.h"
#include "foreign.h"

struct xc_interface_core {
	struct simxen_client *client;
	xc_error error;
};

/* One request of a list brings at most this many domains. */
#define LIST_MAX (SIMXEN_DATA_MAX / (unsigned int)sizeof(struct simxen_domain))

#define SHUTDOWN_CRASH 3U

xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *dombuild_logger,
				unsigned int open_flags)
{
	xc_interface *xch = calloc(1, sizeof(*xch));
	int error = xch ? 0 : -ENOMEM;

	(void)logger;
	(void)dombuild_logger;
	if (xch && !(open_flags & XC_OPENFLAG_DUMMY))
		error = simxen_client_open(&xch->client);
	if (error < 0) {
		free(xch);
		errno = -error;
		return NULL;
	}
	return xch;
}

int xc_interface_close(xc_interface *xch)
{
	if (xch) {
		simxen_foreign_forget(xch->client);
		simxen_client_free(xch->client);
		free(xch);
	}
	return 0;
}

static int answer(int result)
{
	if (result >= 0)
		return result;
	errno = -result;
	return -1;
}

static int ask(xc_interface *xch, uint32_t op, uint64_t arg0, uint64_t arg1)
{
	return answer(simxen_client_ask(xch->client, op, arg0, arg1, 0));
}

/* At most LIST_MAX domains from the given one on; the number or a negative errno. */
static int list(xc_interface *xch, uint32_t first, unsigned int most, struct simxen_domain *domains)
{
	struct simxen_message message = {.op = SIMXEN_DOMAIN_LIST, .arg = {first, most}};
	size_t length = most * sizeof(*domains);

	return simxen_client_call(xch->client, &message, NULL, 0, domains, &length);
}

static void fill_dominfo(xc_dominfo_t *info, const struct simxen_domain *domain)
{
	memset(info, 0, sizeof(*info));
	info->domid = domain->domid;
	info->dying = (domain->state & SIMXEN_STATE_DEAD) != 0;
	info->shutdown = (domain->state & SIMXEN_STATE_SHUTDOWN) != 0;
	info->paused = (domain->state & SIMXEN_STATE_PAUSED) != 0;
	info->running = !info->paused && !info->shutdown;
	info->xenstore = (domain->state & SIMXEN_STATE_XENSTORE) != 0;
	info->shutdown_reason = domain->reason;
	info->nr_pages = 1;
	info->nr_online_vcpus = 1;
	/* A domain that crashed does not count as shut down in this interface. */
	if (info->shutdown && domain->reason == SHUTDOWN_CRASH) {
		info->shutdown = 0;
		info->crashed = 1;
	}
}

static void fill_domaininfo(xc_domaininfo_t *info, const struct simxen_domain *domain)
{
	memset(info, 0, sizeof(*info));
	info->domain = domain->domid;
	if (domain->state & SIMXEN_STATE_DEAD)
		info->flags |= XEN_DOMINF_dying;
	if (domain->state & SIMXEN_STATE_PAUSED)
		info->flags |= XEN_DOMINF_paused;
	else if (!(domain->state & SIMXEN_STATE_SHUTDOWN))
		info->flags |= XEN_DOMINF_running;
	if (domain->state & SIMXEN_STATE_SHUTDOWN)
		info->flags |= XEN_DOMINF_shutdown;
	if (domain->state & SIMXEN_STATE_XENSTORE)
		info->flags |= XEN_DOMINF_xs_domain;
	info->flags |= (uint32_t)domain->reason << XEN_DOMINF_shutdownshift;
	info->tot_pages = 1;
	info->nr_online_vcpus = 1;
}

/*
 * Calls one of the two above for up to max domains; dominfo or domaininfo is NULL.
 * Returns the number of domains or a negative errno.
 */
static int each_domain(xc_interface *xch, uint32_t first, unsigned int max, xc_dominfo_t *dominfo,
		       xc_domaininfo_t *domaininfo)
{
	struct simxen_domain one, *domains = &one;
	unsigned int done = 0;
	int count = 0;

	if (max > 1) {
		domains = malloc(LIST_MAX * sizeof(*domains));
		if (!domains)
			return -ENOMEM;
	}
	while (done < max) {
		unsigned int most = max - done < LIST_MAX ? max - done : LIST_MAX;

		count = list(xch, first, most, domains);
		if (count <= 0)
			break;
		for (int i = 0; i < count; i++, done++) {
			if (dominfo)
				fill_dominfo(&dominfo[done], &domains[i]);
			else
				fill_domaininfo(&domaininfo[done], &domains[i]);
		}
		first = domains[count - 1].domid + 1U;
	}
	if (domains != &one)
		free(domains);
	return count < 0 ? count : (int)done;
}

/* Tells of the first max domains whose id is at least first_domid, which need not exist. */
int xc_domain_getinfo(xc_interface *xch, uint32_t first_domid, unsigned int max_doms,
		      xc_dominfo_t *info)
{
	int count = each_domain(xch, first_domid, max_doms, info, NULL);

	if (count == 0) {
		errno = ESRCH;
		return -1;
	}
	return answer(count);
}

int xc_domain_getinfolist(xc_interface *xch, uint32_t first_domain, unsigned int max_domains,
			  xc_domaininfo_t *info)
{
	return answer(each_domain(xch, first_domain, max_domains, NULL, info));
}

void *xc_map_foreign_range(xc_interface *xch, uint32_t dom, int size, int prot, unsigned long mfn)
{
	if (size <= 0 || (unsigned int)size > SIMXEN_PAGE_SIZE) {
		errno = EINVAL;
		return NULL;
	}
	return simxen_foreign_map(xch->client, dom, mfn, prot);
}

xc_evtchn_port_or_error_t xc_evtchn_alloc_unbound(xc_interface *xch, uint32_t dom,
						  uint32_t remote_dom)
{
	return ask(xch, SIMXEN_EVTCHN_ALLOC, dom, remote_dom);
}

int xc_domain_unpause(xc_interface *xch, uint32_t domid)
{
	return ask(xch, SIMXEN_DOMAIN_UNPAUSE, domid, 0);
}

int xc_domain_pause(xc_interface *xch, uint32_t domid)
{
	return ask(xch, SIMXEN_DOMAIN_PAUSE, domid, 0);
}

int xc_domain_shutdown(xc_interface *xch, uint32_t domid, int reason)
{
	return ask(xch, SIMXEN_DOMAIN_SHUTDOWN, domid, (uint64_t)reason);
}

int xc_domain_destroy(xc_interface *xch, uint32_t domid)
{
	return ask(xch, SIMXEN_DOMAIN_DESTROY, domid, 0);
}

const xc_error *xc_get_last_error(xc_interface *xch)
{
	return &xch->error;
}

const char *xc_error_code_to_desc(int code)
{
	return code == XC_ERROR_NONE ? "No error details" : "Unknown error code";
}
