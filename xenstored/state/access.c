/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Evaluation of permission lists. */
#include "state/access.h"

/* Whether @entry speaks of the domain (or its target), and is not a dead domain's. */
static bool applies(const struct domains *domains, const struct domain *domain,
		    const struct perm *entry)
{
	if (entry->record == PERM_RECORD_ANY)
		return true;
	if (entry->record == PERM_RECORD_STALE || !domain)
		return false;
	if (entry->record == domain->record)
		return true;
	return domain->target == entry->record &&
	       domain_with_record(domains, domain->target_domid, domain->target);
}

unsigned int access_rights(const struct domains *domains, const struct identity *who,
			   const struct perms *perms)
{
	const struct perm *entry = perms->entry;

	if (who->privileged || applies(domains, who->domain, &entry[0]))
		return PERM_READ | PERM_WRITE | PERM_OWNER;
	for (uint32_t i = 1; i < perms->count; i++)
		if (applies(domains, who->domain, &entry[i]))
			return entry[i].letter;
	return entry[0].letter;
}
