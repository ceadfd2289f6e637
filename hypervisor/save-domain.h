/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saving one domain: its section of the stream.
 */
#ifndef HYPERVISOR_SAVE_DOMAIN_H
#define HYPERVISOR_SAVE_DOMAIN_H

#include "hypervisor/stream-writer.h"

struct hv_domain;

/** Write the section of @domain. Errors are in the writer; -EBUSY: it is not stopped. */
void hv_save_domain(const struct hv_domain *domain, struct hv_writer *writer);

#endif
