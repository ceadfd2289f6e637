/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Quotas and accounts: what a domain may hold, and what it holds.
 *
 * An account is part of a domain's record. Everything that is counted is
 * charged in one place and released with the object (spec: quotas.md). Limits
 * allow exactly as many items as they say; 0 means unlimited.
 */
#ifndef XENSTORED_STATE_QUOTA_H
#define XENSTORED_STATE_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum quota {
	QUOTA_NODES,
	QUOTA_WATCHES,
	QUOTA_OUTSTANDING,
	QUOTA_MEMORY,
	QUOTA_TRANSACTIONS,
	QUOTA_TRANSACTION_NODES,
	QUOTA_NODE_PERMISSIONS,
	QUOTA_PATH_MAX,
	QUOTA_NODE_SIZE,
	QUOTA_COUNT,
};

/* A soft quota that does not exist. */
#define QUOTA_OFF UINT32_MAX

struct quota_limits {
	uint32_t hard[QUOTA_COUNT];
	uint32_t soft[QUOTA_COUNT];
};

struct account;

/* Who is told of every change of an account; changed may be NULL. */
struct account_watcher {
	void (*changed)(void *data, const struct account *account, enum quota quota, int64_t delta);
	void *data;
};

struct account {
	struct quota_limits limits;
	uint64_t now[QUOTA_COUNT]; /* current use; 0 for the four that are sizes of one thing */
	uint64_t max[QUOTA_COUNT]; /* the largest value seen */
	uint64_t *global_max;	   /* maxima over unprivileged domains, or NULL */
	const struct account_watcher *watcher; /* or NULL */
	uint64_t reported[QUOTA_COUNT]; /* when reaching a limit was last told, in ms; 0 = never */
	bool over_hard, over_soft;	/* the memory limits' reports: waiting for the all-clear */
	uint64_t memory_reported;	/* when memory was last reported, in ms */
};

/** Name on the wire and the description in CONTROL listings. */
const char *quota_name(enum quota quota);
const char *quota_description(enum quota quota);

/** Find a quota by name; "soft-<name>" finds a soft one. Returns QUOTA_COUNT when there is none. */
enum quota quota_by_name(const char *name, size_t len, bool *soft);

/** The built-in limits. */
void quota_defaults(struct quota_limits *limits);

/** True when @value is more than @account's limit allows. */
static inline bool account_exceeds(const struct account *account, enum quota quota, uint64_t value)
{
	return account->limits.hard[quota] && value > account->limits.hard[quota];
}

/** Record a value for the maxima. */
static inline void account_seen(struct account *account, enum quota quota, uint64_t value)
{
	if (value > account->max[quota])
		account->max[quota] = value;
	if (account->global_max && value > account->global_max[quota])
		account->global_max[quota] = value;
}

/** Change the current use by @delta. It never goes below zero, whatever the accounts' errors. */
static inline void account_add(struct account *account, enum quota quota, int64_t delta)
{
	if (delta < 0 && account->now[quota] < (uint64_t)-delta)
		account->now[quota] = 0;
	else
		account->now[quota] += (uint64_t)delta;
	if (delta > 0)
		account_seen(account, quota, account->now[quota]);
	if (delta && account->watcher && account->watcher->changed)
		account->watcher->changed(account->watcher->data, account, quota, delta);
}

#endif
