/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The quota table (spec: quotas.md section 1). */
#include "state/quota.h"

#include <string.h>

static const struct {
	const char *name;
	uint32_t hard, soft;
	const char *description;
} table[QUOTA_COUNT] = {
	[QUOTA_NODES] = {"nodes", 1000, QUOTA_OFF, "Nodes per domain"},
	[QUOTA_WATCHES] = {"watches", 128, QUOTA_OFF, "Watches per domain"},
	[QUOTA_OUTSTANDING] = {"outstanding", 20, QUOTA_OFF, "Outstanding requests per domain"},
	[QUOTA_MEMORY] = {"memory", 2621440, 2097152, "Total Xenstore memory per domain"},
	[QUOTA_TRANSACTIONS] = {"transactions", 10, QUOTA_OFF, "Active transactions per domain"},
	[QUOTA_TRANSACTION_NODES] = {"transaction-nodes", 1024, QUOTA_OFF,
				     "Max. number of accessed nodes per transaction"},
	[QUOTA_NODE_PERMISSIONS] = {"node-permissions", 5, QUOTA_OFF,
				    "Max. number of permissions per node"},
	[QUOTA_PATH_MAX] = {"path-max", 2048, QUOTA_OFF, "Max. length of a node path"},
	[QUOTA_NODE_SIZE] = {"node-size", 2048, QUOTA_OFF, "Max. size of a node"},
};

const char *quota_name(enum quota quota)
{
	return table[quota].name;
}

const char *quota_description(enum quota quota)
{
	return table[quota].description;
}

enum quota quota_by_name(const char *name, size_t len, bool *soft)
{
	*soft = len > 5 && !memcmp(name, "soft-", 5);
	if (*soft) {
		name += 5;
		len -= 5;
	}
	for (enum quota i = 0; i < QUOTA_COUNT; i++)
		if (strlen(table[i].name) == len && !memcmp(table[i].name, name, len) &&
		    (!*soft || table[i].soft != QUOTA_OFF))
			return i;
	return QUOTA_COUNT;
}

void quota_defaults(struct quota_limits *limits)
{
	for (int i = 0; i < QUOTA_COUNT; i++) {
		limits->hard[i] = table[i].hard;
		limits->soft[i] = table[i].soft;
	}
}
