/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Domains of the host: what their builder gives them. Since a domid is not reused
 * before the last mapping of its old domain is gone, no process ever sees a new
 * domain's ring page through an old mapping.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hypervisor/host/host.h"

/* Words of the ring page that a domain's builder may fill in. */
#define RING_CONNECTION 2068
#define RING_PORT	2076
#define RING_RECONNECT	1U

static void write_word(struct host *host, uint32_t domid, size_t offset, uint32_t value)
{
	memcpy((char *)memory_frame(host, domid) + offset, &value, sizeof(value));
}

/* One vCPU, and what any domain has for the store: a port and a page. */
static int equip(struct host *host, uint32_t domid)
{
	const uint8_t state[HV_VCPU_STATE] = {0};
	int error = hv_vcpus_create(&host->hv, HV_DOMID_XEN, domid, 1);

	if (error == 0)
		error = hv_vcpu_set(&host->hv, HV_DOMID_XEN, domid, 0, 0, state, HV_VCPU_RUNNABLE);
	if (error == 0)
		error = memory_give_ring(host, domid);
	if (error == 0)
		error = hv_evtchn_alloc_unbound(&host->hv, HV_DOMID_XEN, domid, 0,
						&host->domains[domid].store_port);
	if (error == 0)
		error = hv_grant_access(&host->hv, HV_DOMID_XEN, domid, HV_GRANT_XENSTORE, 0, domid,
					false);
	return error;
}

int domains_boot(struct host *host)
{
	struct hv_domain_config config = {.caps = HV_CAP_CONTROL | HV_CAP_HARDWARE,
					  .evtchn_abi = HV_EVTCHN_FIFO};
	unsigned int domid;
	int error;

	host->domains = calloc(HV_DOMID_FIRST_RESERVED, sizeof(*host->domains));
	if (!host->domains)
		return -ENOMEM;
	error = hv_domain_create(&host->hv, HV_DOMID_XEN, &config, &domid);
	if (error == 0)
		error = hv_domain_unpause(&host->hv, HV_DOMID_XEN, domid);
	if (error == 0)
		error = equip(host, domid);
	if (error == 0)
		strcpy(host->domains[domid].name, "Domain-0");
	return error;
}

void domains_free(struct host *host)
{
	for (uint32_t domid = 0; host->domains && domid < HV_DOMID_FIRST_RESERVED; domid++) {
		free(host->domains[domid].ports);
		free(host->domains[domid].shares);
	}
	free(host->domains);
}

static void describe(struct host *host, const struct hv_domain *domain, struct simxen_domain *out)
{
	const struct host_domain *known = &host->domains[domain->domid];

	memset(out, 0, sizeof(*out));
	out->domid = domain->domid;
	out->unique_id = domain->unique_id;
	out->port = known->store_port;
	memcpy(out->name, known->name, sizeof(out->name));
	if (domain->pause_count)
		out->state |= SIMXEN_STATE_PAUSED;
	if (domain->shut_down) {
		out->state |= SIMXEN_STATE_SHUTDOWN;
		out->reason = domain->shutdown_code;
	}
	if (domain->life == HV_DYING)
		out->state |= SIMXEN_STATE_DYING;
	if (domain->life == HV_DEAD)
		out->state |= SIMXEN_STATE_DEAD;
	if (domain->caps & HV_CAP_XENSTORE)
		out->state |= SIMXEN_STATE_XENSTORE;
	if (known->bare)
		out->state |= SIMXEN_STATE_BARE;
	if (known->introduced)
		out->state |= SIMXEN_STATE_INTRODUCED;
}

int domains_create(struct host *host, uint32_t caller, uint32_t domid, uint32_t flags,
		   uint64_t pages, const char *name, struct simxen_domain *created)
{
	struct hv_domain_config config = {.domid = (uint16_t)domid, .hvm = true};
	struct host_domain *domain;
	unsigned int given;
	int error;

	if (domid != SIMXEN_DOMID_ANY && domid >= HV_DOMID_FIRST_RESERVED)
		return -EINVAL;
	if (domid == SIMXEN_DOMID_ANY)
		config.domid = HV_DOMID_ANY;
	if (flags & SIMXEN_CREATE_XENSTORE)
		config.caps = HV_CAP_XENSTORE;
	error = hv_domain_create(&host->hv, caller, &config, &given);
	if (error < 0)
		return error;
	domain = &host->domains[given];
	domain->introduced = false;
	domain->bare = (flags & SIMXEN_CREATE_BARE) != 0;
	if (*name)
		strncpy(domain->name, name, sizeof(domain->name) - 1);
	else
		snprintf(domain->name, sizeof(domain->name), "guest-%u", given);
	error = equip(host, given);
	if (error == 0)
		error = memory_give_private(host, given, pages);
	if (error == 0 && (flags & SIMXEN_CREATE_BOOT_RING)) {
		write_word(host, given, RING_PORT, domain->store_port);
		write_word(host, given, RING_CONNECTION, RING_RECONNECT);
	}
	if (error < 0) {
		hv_domain_destroy(&host->hv, HV_DOMID_XEN, given);
		return error;
	}
	describe(host, hv_domain_find(&host->hv, given), created);
	return 0;
}

int domains_destroy(struct host *host, uint32_t caller, uint32_t domid)
{
	int error = hv_domain_destroy(&host->hv, caller, domid);

	if (error < 0)
		return error;
	memory_hide_ring(host, domid);
	for (uint32_t port = 0; port < host->domains[domid].port_count; port++)
		host->domains[domid].ports[port] = (struct port_owner){0};
	domains_end_processes(host, domid);
	return 0;
}

void domains_end_processes(struct host *host, uint32_t domid)
{
	for (struct handle *handle = host->handles; handle; handle = handle->next)
		if (handle->greeted && handle->domid == domid)
			shutdown(handle->source.fd, SHUT_RDWR);
	for (struct control *control = host->controls; control; control = control->next)
		if (control->greeted && control->domid == domid)
			shutdown(control->source.fd, SHUT_RDWR);
}

void domains_freed(struct host *host, uint32_t domid)
{
	struct host_domain *domain = &host->domains[domid];

	memory_hide_ring(host, domid);
	free(domain->ports);
	free(domain->shares);
	*domain = (struct host_domain){0};
}

int domains_list(struct host *host, uint32_t caller, uint32_t first, size_t most,
		 struct simxen_domain *list)
{
	struct hv_domain *asking = hv_domain_find(&host->hv, caller);
	struct hv_domain *domain;
	size_t count = 0;

	if (!hv_is_control(&host->hv, caller) && !(asking && (asking->caps & HV_CAP_XENSTORE)))
		return -EPERM;
	if (first >= HV_DOMID_FIRST_RESERVED)
		return 0;
	for (domain = hv_domain_next(&host->hv, first); domain && count < most;
	     domain = hv_domain_next(&host->hv, domain->domid + 1U))
		describe(host, domain, &list[count++]);
	return (int)count;
}
