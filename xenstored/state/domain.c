/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Table of domain records. */
#include "state/domain.h"

#include <stdlib.h>
#include <string.h>

void domains_init(struct domains *domains, unsigned int own_domid, unsigned int priv_domid)
{
	memset(domains, 0, sizeof(*domains));
	TAILQ_INIT(&domains->list);
	domains->last_record = DOMAIN_RECORD_FIRST;
	domains->own_domid = own_domid;
	domains->priv_domid = priv_domid;
	quota_defaults(&domains->quota);
	ratelimit_init(&domains->ratelimit);
}

void domains_deinit(struct domains *domains)
{
	while (!TAILQ_EMPTY(&domains->list))
		domain_free(domains, TAILQ_FIRST(&domains->list));
}

struct domain *domain_new(struct domains *domains, unsigned int domid)
{
	struct domain *domain = calloc(1, sizeof(*domain));

	if (!domain)
		return NULL;
	domain->domid = (uint16_t)domid;
	domain->record = ++domains->last_record;
	domain->features = XS_FEATURES_DEFAULT;
	domain->account.limits = domains->quota;
	domain->account.watcher = &domains->watcher;
	if (!domain_is_special(domains, domain))
		domain->account.global_max = domains->global_max;
	LIST_INIT(&domain->roots);
	TAILQ_INSERT_TAIL(&domains->list, domain, link);
	domains->by_id[domid] = domain;
	domains->count++;
	return domain;
}

void domain_free(struct domains *domains, struct domain *domain)
{
	ratelimit_leave(&domains->ratelimit, &domain->credit);
	domains->by_id[domain->domid] = NULL;
	domains->count--;
	TAILQ_REMOVE(&domains->list, domain, link);
	free(domain);
}

struct perm domain_perm(const struct domain *domain, unsigned int letter)
{
	return perm_make(domain->domid, letter, domain->record);
}
