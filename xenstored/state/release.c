/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walks over removed subtrees, in slices. */
#include "state/release.h"

#include <errno.h>
#include <stdlib.h>

#include "state/state.h"

struct release_job *release_reserve(void)
{
	return malloc(sizeof(struct release_job));
}

void release_start(struct state *state, struct release_job *job, struct node *top, const char *path,
		   size_t len)
{
	walk_init(&job->walk, &state->store, top, path, len);
	TAILQ_INSERT_TAIL(&state->releases, job, link);
}

/* The ownership roots at @path that the live tree does not bear out any more. */
static void forget_roots(struct state *state, const char *path, size_t len)
{
	struct ownership_root *root = NULL, *next;
	struct node *now = tree_find(&state->live, path, len);

	for (root = ownership_find_any(&state->ownership, path, len, NULL); root; root = next) {
		next = ownership_find_any(&state->ownership, path, len, root);
		if (!now || !(now->flags & NODE_OWNERSHIP_ROOT) ||
		    (domain_owner(&state->domains, now->perms) != root->domain && !root->cover))
			ownership_remove(&state->ownership, root);
	}
}

static void release_node(struct state *state, const struct walk *walk, const struct node *node)
{
	struct domain *owner = domain_owner(&state->domains, node->perms);

	state->live.bytes -= node_bytes(node) + children_bytes(node);
	if (owner) {
		account_add(&owner->account, QUOTA_NODES, -1);
		account_add(&owner->account, QUOTA_MEMORY,
			    -(int64_t)(node_size(node) + walk->path_len));
	}
	if (node->flags & NODE_OWNERSHIP_ROOT)
		forget_roots(state, walk->path, walk->path_len);
}

int release_some(struct state *state, long work)
{
	struct release_job *job;

	while (work > 0 && (job = TAILQ_FIRST(&state->releases))) {
		struct node *node;

		if (walk_next(&job->walk, &node))
			return ENOMEM;
		if (node) {
			release_node(state, &job->walk, node);
			work -= 1 + node_child_count(node) / 64;
			continue;
		}
		TAILQ_REMOVE(&state->releases, job, link);
		walk_deinit(&job->walk);
		free(job);
	}
	if (work > 0)
		store_free_some(&state->store, work);
	return 0;
}
