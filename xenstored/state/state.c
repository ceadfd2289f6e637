/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making and dropping the whole state. */
#include "state/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The five nodes that exist from the start (spec: protocol.md section 6). */
static int make_initial_nodes(struct state *state, struct domain *priv)
{
	static const char deepest[] = "/tool/xenstored";
	static const char *const all[] = {"/", "/tool", "/tool/xenstored", "@introduceDomain",
					  "@releaseDomain"};
	struct perm readable[2] = {domain_perm(priv, PERM_NONE),
				   perm_make(DOMID_ANY, PERM_READ, PERM_RECORD_ANY)};
	struct perms *perms = perms_get(&state->store.perms, readable, 1);
	struct perms *release = perms_get(&state->store.perms, readable, 2);
	struct tree_edit edit;
	struct lookup lookup;
	int error = ENOMEM;

	if (perms && release && !tree_init(&state->live, &state->store, perms, release)) {
		tree_lookup(&state->live, deepest, strlen(deepest), &lookup);
		error = tree_prepare_create(&state->live, &edit, &lookup, deepest, strlen(deepest),
					    NULL, 0, perms);
		if (!error)
			tree_apply(&state->live, &edit);
		else
			tree_drop(&state->live);
	}
	perms_unref(&state->store.perms, perms);
	perms_unref(&state->store.perms, release);
	for (size_t i = 0; !error && i < sizeof(all) / sizeof(all[0]); i++) {
		size_t len = strlen(all[i]);
		struct node *node = tree_find(&state->live, all[i], len);

		account_add(&priv->account, QUOTA_NODES, 1);
		account_add(&priv->account, QUOTA_MEMORY, (int64_t)(node_size(node) + len));
	}
	return error;
}

int state_init(struct state *state, const struct hash_secret *secret, uint64_t generation,
	       unsigned int own_domid, unsigned int priv_domid)
{
	struct domain *own, *priv;

	memset(state, 0, sizeof(*state));
	state->secret = *secret;
	TAILQ_INIT(&state->releases);
	store_init(&state->store, &state->secret, generation);
	ownership_init(&state->ownership, &state->secret);
	domains_init(&state->domains, own_domid, priv_domid);
	own = domain_new(&state->domains, own_domid);
	priv = own_domid == priv_domid ? own : domain_new(&state->domains, priv_domid);
	if (!own || !priv || make_initial_nodes(state, priv)) {
		state_deinit(state);
		return ENOMEM;
	}
	return 0;
}

void state_deinit(struct state *state)
{
	struct domain *domain;
	struct release_job *job;

	while ((job = TAILQ_FIRST(&state->releases))) {
		TAILQ_REMOVE(&state->releases, job, link);
		walk_deinit(&job->walk);
		free(job);
	}
	if (state->live.root)
		tree_drop(&state->live);
	TAILQ_FOREACH(domain, &state->domains.list, link)
		while (!LIST_EMPTY(&domain->roots))
			ownership_remove(&state->ownership, LIST_FIRST(&domain->roots));
	domains_deinit(&state->domains);
	ownership_deinit(&state->ownership);
	store_deinit(&state->store);
}
