/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine's state as a whole: its beginning and its end.
 */
#include "hypervisor/hypervisor.h"

#include <string.h>

void hv_init(struct hypervisor *hv, const struct hv_config *config)
{
	memset(hv, 0, sizeof(*hv));
	hv->allocator = config->allocator;
	hv->callbacks = config->callbacks;
	hv->memory = config->memory;
	hv->domctl_version = config->domctl_version ? config->domctl_version : HV_DOMCTL_VERSION;
	hv->lacks_domain_state = config->lacks_domain_state;
	hv_id_init(&hv->ids, config->ids ? config->ids : &hv_id_random, config->seed);
}

void hv_deinit(struct hypervisor *hv)
{
	hv_changes_stop(hv);
	hv_m2p_forget(hv);
	hv_domains_deinit(hv);
}
