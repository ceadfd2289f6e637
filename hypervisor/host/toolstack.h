/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a toolstack does in the store when a domain comes and goes.
 */
#ifndef HYPERVISOR_HOST_TOOLSTACK_H
#define HYPERVISOR_HOST_TOOLSTACK_H

#include <stddef.h>

#include "hypervisor/host/protocol.h"

struct simxen_client;
struct store;

/*
 * The path of the xenstored's socket: what the environment says, else what the
 * running one told, else the place that `simxen exec` gives to one.
 */
const char *toolstack_socket(struct simxen_client *client, char *path, size_t size);

/*
 * Makes the domains' nodes unless they exist, introduces those that are not, and lets the host
 * know. 0, or a negative errno when the store cannot be used; what it refuses about one domain does
 * not stop the others, and is the result in the end.
 */
int toolstack_introduce(struct simxen_client *client, struct store *store,
			const struct simxen_domain *domains, size_t count);

/* Removes the domain's nodes. */
int toolstack_remove(struct store *store, unsigned int domid);

/* Introduces all domains that were not; the number, or a negative errno. */
int toolstack_introduce_all(struct simxen_client *client, struct store *store);

/* Only one toolstack works at a time: a descriptor to be closed afterwards, or -1. */
int toolstack_lock(void);

#endif
