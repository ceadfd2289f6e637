/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Domain records: what the store knows about a domain.
 *
 * A record comes into being when a domain is introduced, or earlier, when a
 * privileged request names its domid (as an owner, in a permission list, with a
 * feature or a quota). It ends with the domain. Each record has a serial number
 * that is never used again; permission entries, ownership roots and everything
 * else that belongs to "this domain" is bound to the serial, so that a new
 * domain with the same domid inherits nothing (spec: rings-and-domains.md
 * section 4).
 */
#ifndef XENSTORED_STATE_DOMAIN_H
#define XENSTORED_STATE_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "bytes/wire.h"
#include "state/quota.h"
#include "state/ratelimit.h"
#include "store/perms.h"

struct client;
struct ownership_root;

struct domain {
	uint64_t record;    /* serial */
	uint64_t unique_id; /* the hypervisor's, 0 = unknown */
	uint16_t domid;
	bool introduced;
	bool shutdown_reported; /* @releaseDomain has been fired for its shutdown */
	bool shutdown_owed;	/* that could not be done yet, for lack of memory */
	bool dying;		/* its nodes are being removed; nothing new may refer to it */
	TAILQ_ENTRY(domain) death;
	struct walk *search; /* for its nodes below one it gave away, while dying */
	uint32_t features;
	uint64_t target; /* record of the domain whose rights it has as well, 0 = none */
	uint16_t target_domid;
	struct account account;
	struct credit credit;
	struct client *client; /* served by its ring */
	LIST_HEAD(, ownership_root) roots;
	TAILQ_ENTRY(domain) link; /* in order of creation */
};

TAILQ_HEAD(domain_list, domain);

/* The first serial of a real record; the smaller ones have meanings (store/perms.h). */
#define DOMAIN_RECORD_FIRST 16u

struct domains {
	struct domain *by_id[DOMID_FIRST_RESERVED];
	struct domain_list list;
	unsigned int count;
	uint64_t last_record;
	unsigned int own_domid;	   /* the domain that xenstored runs in; all sockets belong to it */
	unsigned int priv_domid;   /* the privileged one */
	struct quota_limits quota; /* what new records start with */
	uint64_t global_max[QUOTA_COUNT]; /* over unprivileged domains */
	struct account_watcher watcher;	  /* of all accounts */
	struct ratelimit ratelimit;
};

void domains_init(struct domains *domains, unsigned int own_domid, unsigned int priv_domid);

/** Free all records. */
void domains_deinit(struct domains *domains);

/** The record of @domid or NULL. Any number may be asked for. */
static inline struct domain *domain_find(const struct domains *domains, unsigned int domid)
{
	return domid < DOMID_FIRST_RESERVED ? domains->by_id[domid] : NULL;
}

/** The record with this serial, or NULL when it is no longer the domid's record. */
static inline struct domain *domain_with_record(const struct domains *domains, unsigned int domid,
						uint64_t record)
{
	struct domain *domain = domain_find(domains, domid);

	return domain && domain->record == record ? domain : NULL;
}

/** The owner of something with permissions @perms, or NULL when that domain is gone. */
static inline struct domain *domain_owner(const struct domains *domains, const struct perms *perms)
{
	return domain_with_record(domains, perms->entry[0].domid, perms->entry[0].record);
}

/** True when nodes with permissions @perms may exist: the owner lives, or is everybody. */
static inline bool domain_owner_lives(const struct domains *domains, const struct perms *perms)
{
	return perms->entry[0].record == PERM_RECORD_ANY || domain_owner(domains, perms);
}

/** A new record for @domid, which has none and is below DOMID_FIRST_RESERVED. NULL: no memory. */
struct domain *domain_new(struct domains *domains, unsigned int domid);

/** Forget a record that nothing belongs to any more. */
void domain_free(struct domains *domains, struct domain *domain);

/** The domain whose account this is. */
static inline const struct domain *domain_of_account(const struct account *account)
{
	return (const struct domain *)(const void *)((const char *)account -
						     offsetof(struct domain, account));
}

/** A permission entry for @domain. */
struct perm domain_perm(const struct domain *domain, unsigned int letter);

/** True for the privileged domain and the daemon's own, which are exempt from statistics. */
static inline bool domain_is_special(const struct domains *domains, const struct domain *domain)
{
	return domain->domid == domains->priv_domid || domain->domid == domains->own_domid;
}

#endif
