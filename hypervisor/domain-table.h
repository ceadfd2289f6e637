/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The domain table: domid -> domain.
 *
 * 512 leaves of 64 domains each hold every real domid (0 to 0x7fef). A leaf is
 * there as long as a domain is in it, so that memory follows what exists. A domain
 * stays in the table, and its domid in use, until it is freed; but once removed
 * it is not found any more.
 */
#ifndef HYPERVISOR_DOMAIN_TABLE_H
#define HYPERVISOR_DOMAIN_TABLE_H

#include <stdint.h>

struct hypervisor;
struct hv_domain;

#define HV_TABLE_LEAF	64u
#define HV_TABLE_LEAVES 512u

struct hv_table_leaf {
	uint32_t count;
	struct hv_domain *domains[HV_TABLE_LEAF];
};

struct hv_table {
	struct hv_table_leaf *leaves[HV_TABLE_LEAVES];
	uint32_t count;		   /* domains that are not freed */
	uint16_t latest;	   /* the domid that was chosen last */
	struct hv_domain *removed; /* to be freed, oldest first */
	struct hv_domain *removed_last;
};

/** The domain of this domid unless it is removed or was never there. No reference is taken. */
struct hv_domain *hv_domain_find(struct hypervisor *hv, unsigned int domid);

/** The first domain with this domid or a higher one that is not removed, or NULL. */
struct hv_domain *hv_domain_next(struct hypervisor *hv, unsigned int domid);

/* For the mechanism's other parts. */

/** Like these, but removed domains that are not freed yet count. */
struct hv_domain *hv_table_get(const struct hv_table *table, unsigned int domid);
struct hv_domain *hv_table_next(const struct hv_table *table, unsigned int domid);

/** The next free domid behind the one chosen last, going round; HV_DOMID_INVALID if there is none.
 */
unsigned int hv_table_choose(const struct hv_table *table);

/** Enter @domain under its domid, which is free. Returns 0 or -ENOMEM. */
int hv_table_enter(struct hypervisor *hv, struct hv_domain *domain);

/**
 * Entering in two steps, of which the second can be done by several CPUs for different domids:
 * hv_table_reserve() counts a domain that is not there yet (0 or -ENOMEM), hv_table_fill() enters
 * it. A reservation that is not filled is given up by hv_table_cancel().
 */
int hv_table_reserve(struct hypervisor *hv, unsigned int domid);
void hv_table_fill(struct hypervisor *hv, struct hv_domain *domain);
void hv_table_cancel(struct hypervisor *hv, unsigned int domid);

/** Take @domain out. */
void hv_table_leave(struct hypervisor *hv, const struct hv_domain *domain);

#endif
