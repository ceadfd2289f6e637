/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks like libxenmanage.so.1, on a simulated host: the state of one domain, and
 * which domain has changed. Both are the get-domain-state operation. Debian 12 has
 * no header of this library, so its interface is declared here.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "client.h"

#define DOMCTL_GET_DOMAIN_STATE 90U
#define DOMID_FIRST_RESERVED	0x7FF0U
#define DOMID_INVALID		0x7FF4U

typedef struct xenmanage_handle {
	struct simxen_client *client;
} xenmanage_handle;

struct xentoollog_logger;

/* struct xen_domctl with this one operation's part of its union. */
struct domain_state_domctl {
	uint32_t cmd;
	uint32_t interface_version;
	uint16_t domain;
	uint16_t pad[3];
	uint16_t state;
	uint16_t caps;
	uint32_t pad0;
	uint64_t unique_id;
	uint8_t rest[112];
};
_Static_assert(sizeof(struct domain_state_domctl) == 144, "the size of struct xen_domctl");

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

static int query(xenmanage_handle *hdl, struct domain_state_domctl *domctl, unsigned int *state,
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
	struct domain_state_domctl domctl = {.cmd = DOMCTL_GET_DOMAIN_STATE};

	if (!hdl || domid >= DOMID_FIRST_RESERVED) {
		errno = EINVAL;
		return -1;
	}
	domctl.domain = (uint16_t)domid;
	return query(hdl, &domctl, state, caps, unique_id);
}

int xenmanage_poll_changed_domain(xenmanage_handle *hdl, unsigned int *domid, unsigned int *state,
				  unsigned int *caps, uint64_t *unique_id)
{
	struct domain_state_domctl domctl = {.cmd = DOMCTL_GET_DOMAIN_STATE,
					     .domain = DOMID_INVALID};

	if (!hdl || !domid) {
		errno = EINVAL;
		return -1;
	}
	if (query(hdl, &domctl, state, caps, unique_id) < 0)
		return -1;
	*domid = domctl.domain;
	return 0;
}
