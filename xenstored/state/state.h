/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state: everything a xenstored remembers, apart from who is connected.
 *
 * The live tree, the records of domains with their accounts, who owns what and
 * where, and the removed subtrees whose nodes are still on somebody's account.
 */
#ifndef XENSTORED_STATE_STATE_H
#define XENSTORED_STATE_STATE_H

#include "bytes/hash.h"
#include "state/domain.h"
#include "state/ownership.h"
#include "state/release.h"
#include "store/tree.h"

struct state {
	struct hash_secret secret;
	struct store store;
	struct tree live;
	uint64_t version; /* number of changes of the live tree, to see whether there was any */
	struct domains domains;
	struct ownership ownership;
	struct release_list releases;
};

/**
 * An empty state: the initial tree is made, owned by the privileged domain.
 * @generation: where generation numbers start
 * Returns 0 or ENOMEM.
 */
int state_init(struct state *state, const struct hash_secret *secret, uint64_t generation,
	       unsigned int own_domid, unsigned int priv_domid);

void state_deinit(struct state *state);

#endif
