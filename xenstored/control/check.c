/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CONTROL check: recount what the accounts should say, and correct them.
 *
 * The tree itself cannot be inconsistent in the ways of a data base (there are
 * no names of children without nodes). What can be checked is what is kept
 * beside it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "control/control.h"

/* Count every node of the live tree on its owner. Returns 0 or ENOMEM. */
static int count_nodes(struct core *core, uint64_t *nodes)
{
	struct state *state = &core->state;
	struct walk *walk = malloc(sizeof(*walk));
	struct node *node;
	int error;

	if (!walk)
		return ENOMEM;
	walk_init(walk, &state->store, node_ref(state->live.root), "", 0);
	while (!(error = walk_next(walk, &node)) && node) {
		unsigned int owner = node_owner(node);

		if (!walk->path_len)
			continue; /* the nameless root is nobody's */
		if (domain_owner(&state->domains, node->perms))
			nodes[owner]++;
		else if (!domain_owner_lives(&state->domains, node->perms))
			core_log(core, LOG_ERR, "Node %s owned by unknown domain %u", walk->path,
				 owner);
	}
	walk_deinit(walk);
	free(walk);
	return error;
}

int control_check(struct request *request, const struct arg *args, size_t count,
		  struct control_text *out)
{
	struct core *core = request->core;
	struct domain *domain;
	uint64_t *nodes;
	int error;

	(void)args;
	(void)out;
	if (count)
		return EINVAL;
	if (core_has_releases(core))
		return REQUEST_LATER;
	nodes = calloc(DOMID_FIRST_RESERVED, sizeof(*nodes));
	if (!nodes)
		return ENOMEM;
	core_log(core, LOG_INFO, "Checking store ...");
	error = count_nodes(core, nodes);
	if (!error)
		TAILQ_FOREACH(domain, &core->state.domains.list, link) {
			int64_t off = (int64_t)domain->account.now[QUOTA_NODES] -
				      (int64_t)nodes[domain->domid];

			if (!off)
				continue;
			core_log(core, LOG_ERR,
				 "Correct accounting data for domain %u: nodes are %" PRId64 " off",
				 domain->domid, off);
			domain->account.now[QUOTA_NODES] = nodes[domain->domid];
		}
	free(nodes);
	if (!error)
		core_log(core, LOG_INFO, "Checking store complete.");
	return error;
}
