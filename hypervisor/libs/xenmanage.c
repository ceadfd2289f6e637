/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks like libxenmanage.so.1, on a simulated host: the state of one domain, and
 * which domain has changed. Both are the get-domain-state operation. Debian 12 has
 * no header of this library, so its interface is declared here.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "client.h"
#include "hypervisor/domain-state.h"
#include "hypervisor/domain.h"

typedef struct xenmanage_handle {
	struct simxen_client *client;
} xenmanage_handle;

struct xentoollog_logger;

xenmanage_handle *xenmanage_open(struct xentoollog_logger *logger, unsigned int open_flags);
int xenmanage_close(xenmanage_handle *hdl);
int xenmanage_get_domain_info(xenmanage_handle *hdl, unsigned int domid, unsigned int *state,
			      unsigned int *caps, uint64_t *unique_id);
int xenmanage_poll_changed_domain(xenmanage_handle *hdl, unsigned int *domid, unsigned int *state,
				  unsigned int *caps, uint64_t *unique_id);

xenmanage_handle *xenmanage_open(struct xentoollog_logger *logger, unsigned int open_flags)
{
	xenmanage_handle *hdl;
	int error;

	(void)logger;
	if (open_flags) {
		errno = EINVAL;
		return NULL;
	}
	hdl = calloc(1, sizeof(*hdl));
	error = hdl ? simxen_client_open(&hdl->client) : -ENOMEM;
	if (error < 0) {
		free(hdl);
		errno = -error;
		return NULL;
	}
	return hdl;
}

int xenmanage_close(xenmanage_handle *hdl)
{
	if (hdl) {
		simxen_client_free(hdl->client);
		free(hdl);
	}
	return 0;
}

static int query(xenmanage_handle *hdl, struct hv_get_domain_state *domctl, unsigned int *state,
		 unsigned int *caps, uint64_t *unique_id)
{
	struct simxen_message message = {.op = SIMXEN_DOMCTL};
	size_t length = sizeof(*domctl);
	int result = simxen_client_call(hdl->client, &message, domctl, sizeof(*domctl), domctl,
					&length);

	if (result < 0) {
		errno = -result;
		return -1;
	}
	if (state)
		*state = domctl->state;
	if (caps)
		*caps = domctl->caps;
	if (unique_id)
		*unique_id = domctl->unique_id;
	return 0;
}

int xenmanage_get_domain_info(xenmanage_handle *hdl, unsigned int domid, unsigned int *state,
			      unsigned int *caps, uint64_t *unique_id)
{
	struct hv_get_domain_state domctl = {.cmd = HV_DOMCTL_GET_DOMAIN_STATE};

	if (!hdl || domid >= HV_DOMID_FIRST_RESERVED) {
		errno = EINVAL;
		return -1;
	}
	domctl.domain = (uint16_t)domid;
	return query(hdl, &domctl, state, caps, unique_id);
}

int xenmanage_poll_changed_domain(xenmanage_handle *hdl, unsigned int *domid, unsigned int *state,
				  unsigned int *caps, uint64_t *unique_id)
{
	struct hv_get_domain_state domctl = {.cmd = HV_DOMCTL_GET_DOMAIN_STATE,
					     .domain = HV_DOMID_INVALID};

	if (!hdl || !domid) {
		errno = EINVAL;
		return -1;
	}
	if (query(hdl, &domctl, state, caps, unique_id) < 0)
		return -1;
	*domid = domctl.domain;
	return 0;
}
