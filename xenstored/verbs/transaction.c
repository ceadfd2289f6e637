/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TRANSACTION_START and TRANSACTION_END. */
#include "verbs/transaction.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "verbs/request.h"

void transaction_recharge(struct core *core, struct client *client, struct transaction *tx)
{
	size_t bytes = transaction_bytes(tx);

	account_add(client_account(client), QUOTA_MEMORY, (int64_t)bytes - (int64_t)tx->charged);
	tx->charged = bytes;
	core_memory_changed(core, client->identity.domain);
}

size_t transaction_held_bytes(const struct core *core)
{
	size_t own = core->state.live.bytes;
	const struct transaction *tx;

	TAILQ_FOREACH(tx, &core->transactions, age)
		own += tx->branch.allocated;
	return core->state.store.bytes > own ? core->state.store.bytes - own : 0;
}

void transaction_limit_held(struct core *core)
{
	size_t limit = core->state.live.bytes / 4;
	struct transaction *tx;

	/* What the image of a live update holds for some seconds is not the transactions' doing. */
	if (core->snapshots)
		return;
	if (limit < core->config.snapshot_min)
		limit = core->config.snapshot_min;
	/* A cheap bound first: most of the time nothing is held at all. */
	if (core->state.store.bytes < core->state.live.bytes + limit || core_has_releases(core) ||
	    transaction_held_bytes(core) <= limit)
		return;
	TAILQ_FOREACH(tx, &core->transactions, age) {
		if (tx->lost || !client_is_limited(tx->client))
			continue;
		core_log(core, LOG_WARNING,
			 "Domain %u: transaction %u lost its snapshot, too much memory is held",
			 tx->client->identity.domid, tx->id);
		transaction_lose(&core->state, tx);
		transaction_recharge(core, tx->client, tx);
		return;
	}
}

static uint32_t next_id(struct client *client)
{
	uint32_t id = client->last_transaction;

	do {
		id++;
	} while (!id || client_transaction(client, id));
	client->last_transaction = id;
	return id;
}

/* The record of the domain whose rights the client has besides its own, or 0. */
static uint64_t target_of(const struct core *core, const struct client *client)
{
	const struct domain *domain = client->identity.domain;
	const struct domain *target = domain_with_record(&core->state.domains, domain->target_domid,
							 domain->target);

	return target ? target->record : 0;
}

int verb_transaction_start(struct request *request)
{
	struct core *core = request->core;
	struct client *client = request->client;
	struct account *account = client_account(client);
	struct transaction *tx;
	char text[16];

	if (request->tx)
		return EBUSY;
	if (core->holds_transactions && !client->transaction_count)
		return client_park(core, client, request->header.req_id) ? REQUEST_SILENT
									 : REQUEST_LATER;
	if (client_is_limited(client) &&
	    account_exceeds(account, QUOTA_TRANSACTIONS, client->transaction_count + 1u)) {
		core_quota_hit(core, client->identity.domain, QUOTA_TRANSACTIONS);
		return ENOSPC;
	}
	if (client_is_limited(client) &&
	    account_exceeds(account, QUOTA_MEMORY, account->now[QUOTA_MEMORY] + sizeof(*tx))) {
		core_quota_hit(core, client->identity.domain, QUOTA_MEMORY);
		return ENOMEM;
	}
	tx = transaction_start(&core->state, core->now);
	if (!tx)
		return ENOMEM;
	tx->client = client;
	tx->target = target_of(core, client);
	tx->id = next_id(client);
	if (!client->transaction_count)
		client->transactions_since = core->now;
	LIST_INSERT_HEAD(&client->transactions, tx, of_client);
	TAILQ_INSERT_TAIL(&core->transactions, tx, age);
	client->transaction_count++;
	core->transaction_count++;
	account_add(account, QUOTA_TRANSACTIONS, 1);
	transaction_recharge(core, client, tx);
	core_trace(core, LOG_OBJ, "CREATE transaction %u", tx->id);
	snprintf(text, sizeof(text), "%u", tx->id);
	return request_answer(request, text);
}

/* The node quota of everybody whose count does not go down (spec: protocol.md section 8). */
static int check_nodes(struct request *request)
{
	const struct transaction *tx = request->tx;
	const struct change *change;

	if (!client_is_limited(request->client) || !tx->created)
		return 0;
	TAILQ_FOREACH(change, &tx->changes, link)
		for (int i = 0; i < 2; i++) {
			struct domain *domain = change->effect[i].domain;
			int64_t more, total, removed;

			if (!domain || change->effect[i].nodes <= 0 ||
			    domain_is_special(&request->core->state.domains, domain))
				continue;
			more = transaction_added_nodes(tx, domain);
			total = (int64_t)domain->account.now[QUOTA_NODES] + more;
			if (total <= 0 ||
			    !account_exceeds(&domain->account, QUOTA_NODES, (uint64_t)total))
				continue;
			if (transaction_removed_nodes(&request->core->state, tx, domain, &removed))
				return ENOMEM;
			more -= removed;
			total = (int64_t)domain->account.now[QUOTA_NODES] + more;
			if (more < 0 || total <= 0 ||
			    !account_exceeds(&domain->account, QUOTA_NODES, (uint64_t)total))
				continue;
			if (core_has_releases(request->core))
				return REQUEST_LATER;
			core_quota_hit(request->core, domain, QUOTA_NODES);
			return ENOSPC;
		}
	return 0;
}

static const struct perms *perms_at(const struct tree *tree, const char *path, size_t len)
{
	const struct node *node = len ? tree_find(tree, path, len) : NULL;

	return node ? node->perms : NULL;
}

/* The event of one node that was touched. What is live still is what the commit replaces. */
static int event_of(struct request *request, const struct touch *touch, const struct tree *result)
{
	size_t parent = path_parent_len(touch->path, touch->len);
	struct event_sight sight = {
		.before = perms_at(&request->core->state.live, touch->path, touch->len),
		.now = perms_at(result, touch->path, touch->len),
	};

	if (!sight.before && !sight.now)
		return 0; /* created and removed again: nobody ever saw it */
	if (!touch->event) {
		bool made_again = touch->own & FACET_EXISTENCE;

		/* Only looked at, unless it went with an ancestor; it may be there again, empty. */
		if (!request->tx->removed || !sight.before || (sight.now && !made_again))
			return 0;
	}
	if (sight.now && !path_is_root(touch->path, touch->len))
		sight.parent = perms_at(result, parent ? touch->path : "/", parent ? parent : 1);
	return event_add(request->core, &request->events, request->client, touch->path, touch->len,
			 touch->event ? WATCH_SUBTREE : WATCH_EXACT, &sight);
}

/* Nodes below a removed one that the transaction did not touch: whoever watched them is told. */
static int events_below(struct request *request, const struct touch *removal,
			const struct tree *result)
{
	struct node *top = tree_find(&request->core->state.live, removal->path, removal->len);
	struct watched_node *found;
	struct path path;
	size_t count;
	int error = 0;

	if (!top)
		return 0;
	error = event_watched_below(request->core, top, removal->path, removal->len, true, &found,
				    &count);
	for (size_t i = 0; !error && i < count; i++) {
		struct event_sight sight = {.before = found[i].node->perms};

		if (TAILQ_EMPTY(&found[i].watched->watches))
			continue;
		event_watched_path(&found[i], &path);
		/* What was touched itself is told in its own place, whoever else watches. */
		if (transaction_find(&request->core->state, request->tx, path.text, path.len) ||
		    tree_find(result, path.text, path.len))
			continue;
		error = event_add(request->core, &request->events, request->client, path.text,
				  path.len, WATCH_EXACT, &sight);
	}
	free(found);
	return error;
}

/* Events of a commit, in the order in which the nodes were first touched. */
static int commit_events(struct request *request, const struct tree *result)
{
	const struct touch *touch;
	int error = 0;

	TAILQ_FOREACH(touch, &request->tx->touches, order) {
		if (touch->below)
			error = events_below(request, touch, result);
		else if (touch->event || request->tx->removed)
			error = event_of(request, touch, result);
		if (error)
			return error;
	}
	return 0;
}

int request_commit(struct request *request)
{
	struct core *core = request->core;
	struct state *state = &core->state;
	struct transaction *tx = request->tx;
	struct change *change;
	struct tree result;
	int error;

	if (tx->lost)
		return EAGAIN;
	if (TAILQ_EMPTY(&tx->changes))
		return 0; /* it took effect when it started */
	/* Rights that were lent are a dependency as well. */
	if (tx->target != target_of(core, request->client))
		return EAGAIN;
	error = transaction_check(state, tx);
	if (!error)
		error = transaction_build(state, tx, &result);
	if (error)
		return error;
	/* Only now is it sure that the domains whose accounts change are still there. */
	error = check_nodes(request);
	if (!error && core->watches.count)
		error = commit_events(request, &result);
	if (error) {
		tree_drop(&result);
		return error;
	}
	request->work += tx->touch_count / 2;
	tree_drop(&state->live);
	state->live = result;
	TAILQ_FOREACH(change, &tx->changes, link) {
		change_settle(state, change);
		core_trace_change(core, change);
		for (int i = 0; i < 2; i++)
			if (change->effect[i].domain)
				core_memory_changed(core, change->effect[i].domain);
	}
	return 0;
}

int verb_transaction_end(struct request *request)
{
	struct core *core = request->core;
	struct client *client = request->client;
	struct arg arg;
	int error = 0;

	if (!args_one(request->payload, request->len, &arg) || arg.len != 1 ||
	    (arg.text[0] != 'T' && arg.text[0] != 'F'))
		return EINVAL;
	if (!request->tx)
		return ENOENT;
	if (arg.text[0] == 'T') {
		if (request->tx->poisoned)
			error = ENOMEM;
		else
			error = request_commit(request);
		if (error == REQUEST_LATER)
			return error;
		if (!error && client_is_limited(client) && core->transaction_count > 1) {
			ratelimit_charge(&core->state.domains.ratelimit,
					 &client->identity.domain->credit, core->now);
			core_trace_credit(core, client->identity.domain, 1);
		}
	}
	client_end_transaction(core, client, request->tx);
	request->tx = NULL;
	return error ? error : request_ack(request);
}
