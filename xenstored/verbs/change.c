/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carrying out a change: at once on the live tree, or kept by a transaction.
 */
#include <errno.h>

#include "verbs/request.h"
#include "verbs/transaction.h"

/* Charge writing, as long as somebody's transaction could suffer from it. */
static void charge_credit(struct request *request, const struct change *change)
{
	struct core *core = request->core;
	struct domain *domain = request->client->identity.domain;
	int units = 1;

	if (!client_is_limited(request->client) || !core->transaction_count)
		return;
	/* The parent is written as well, and with a creation each missing ancestor. */
	if (change->kind == TREE_REMOVE || change->kind == TREE_CREATE)
		units++;
	if (change->kind == TREE_CREATE)
		for (size_t i = change->created_len; i < change->len; i++)
			units += change->path[i] == '/';
	for (int i = 0; i < units; i++)
		ratelimit_charge(&core->state.domains.ratelimit, &domain->credit, core->now);
	core_trace_credit(core, domain, units);
}

static int events_for(struct request *request, const struct change *change)
{
	struct core *core = request->core;
	const struct tree *live = &core->state.live;
	size_t parent_len = path_parent_len(change->path, change->len);
	struct node *node = tree_find(live, change->path, change->len);
	struct node *parent = path_is_root(change->path, change->len) || !parent_len
				      ? NULL
				      : tree_find(live, change->path, parent_len);
	struct event_sight sight = {.parent = parent ? parent->perms : NULL};

	if (!parent && change->path[0] == '@')
		sight.parent = tree_find(live, "/", 1)->perms;
	switch (change->kind) {
	case TREE_REMOVE:
		return event_add_removal(core, &request->events, request->client, change->path,
					 change->len, node, parent);
	case TREE_PERMS:
		sight.before = node->perms;
		sight.now = change->perms;
		break;
	case TREE_WRITE:
		sight.now = node->perms;
		break;
	case TREE_CREATE:
		sight.now = change->perms;
		/* A parent that is created as well has the same permissions. */
		if (!parent)
			sight.parent = change->perms;
		break;
	}
	return event_add(core, &request->events, request->client, change->path, change->len,
			 WATCH_SUBTREE, &sight);
}

static int change_live(struct request *request, struct change *change)
{
	struct core *core = request->core;
	struct state *state = &core->state;
	int error;

	if (core->watches.count) {
		error = events_for(request, change);
		if (error)
			return error;
	}
	error = change_prepare(state, &state->live, change);
	if (error)
		return error;
	change_make(state, &state->live, change);
	change_settle(state, change);
	core_trace_change(core, change);
	charge_credit(request, change);
	for (int i = 0; i < 2; i++)
		if (change->effect[i].domain)
			core_memory_changed(core, change->effect[i].domain);
	return 0;
}

/* Whether the transaction, as it is now, takes its guest above the memory quota. */
static bool takes_too_much(const struct request *request)
{
	const struct account *account = client_account(request->client);
	const struct transaction *tx = request->tx;

	return client_is_limited(request->client) &&
	       account_exceeds(account, QUOTA_MEMORY,
			       account->now[QUOTA_MEMORY] - tx->charged + transaction_bytes(tx));
}

int request_change(struct request *request, enum tree_change kind, const struct path *path,
		   const void *value, size_t value_len, struct perms *perms)
{
	struct change change, *kept;
	int error;

	if (!request->tx) {
		change_init(&change, kind, path->text, path->len, value, value_len, perms);
		error = change_live(request, &change);
		change_deinit(&request->core->state, &change);
		return error == EAGAIN ? EIO : error;
	}
	kept = change_new(kind, path->text, path->len, value, value_len, perms);
	if (!kept)
		return request_poison(request, ENOMEM);
	error = transaction_change(&request->core->state, request->tx, kept) ? ENOMEM : 0;
	if (!error && takes_too_much(request)) {
		/* Above its quota the guest would not be served any more, not even to end this. */
		core_quota_hit(request->core, request->client->identity.domain, QUOTA_MEMORY);
		transaction_lose(&request->core->state, request->tx);
		error = EIO;
	}
	transaction_recharge(request->core, request->client, request->tx);
	return request_poison(request, error);
}
