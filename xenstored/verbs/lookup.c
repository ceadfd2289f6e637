/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all requests on nodes have in common: path, look-up, rights, and the
 * notes of a transaction about what its answers depend on.
 */
#include <errno.h>

#include "verbs/request.h"
#include "verbs/transaction.h"

int request_make_path(const struct request *request, const struct arg *arg, bool special,
		      struct path *path)
{
	const struct client *client = request->client;
	size_t max = 0;
	int error;

	if (client_is_limited(client))
		max = client_account(client)->limits.hard[QUOTA_PATH_MAX];
	error = path_make(path, arg->text, arg->len, client->identity.domid, special, max);
	if (!error && !client->is_socket)
		account_seen(client_account(client), QUOTA_PATH_MAX,
			     path_limited_len(path->text, path->len));
	return error;
}

int request_path(const struct request *request, bool special, struct path *path)
{
	struct arg arg;

	if (!args_one(request->payload, request->len, &arg))
		return EINVAL;
	return request_make_path(request, &arg, special, path);
}

const struct tree *request_view(const struct request *request)
{
	const struct state *state = &request->core->state;

	return request->tx ? transaction_view(state, request->tx) : &state->live;
}

int request_poison(struct request *request, int error)
{
	if (request->tx && error > 0)
		request->tx->poisoned = true;
	return error;
}

int request_touch(struct request *request, const char *path, size_t len, const struct node *node,
		  unsigned int facets)
{
	struct client *client = request->client;
	struct account *account = client_account(client);

	if (!request->tx)
		return 0;
	if (client_is_limited(client) &&
	    account_exceeds(account, QUOTA_TRANSACTION_NODES, request->tx->touch_count + 1u) &&
	    !transaction_find(&request->core->state, request->tx, path, len)) {
		core_quota_hit(request->core, client->identity.domain, QUOTA_TRANSACTION_NODES);
		return request_poison(request, ENOSPC);
	}
	if (client_is_limited(client) &&
	    account_exceeds(account, QUOTA_MEMORY,
			    account->now[QUOTA_MEMORY] + sizeof(struct touch) + len + 1) &&
	    !transaction_find(&request->core->state, request->tx, path, len)) {
		core_quota_hit(request->core, client->identity.domain, QUOTA_MEMORY);
		return request_poison(request, ENOMEM);
	}
	if (transaction_touch(&request->core->state, request->tx, path, len, node, facets))
		return request_poison(request, ENOMEM);
	if (client_is_limited(client))
		transaction_recharge(request->core, client, request->tx);
	account_seen(account, QUOTA_TRANSACTION_NODES, request->tx->touch_count);
	return 0;
}

/*
 * A path was found missing: all that was asked for on the way up to the nearest existing ancestor
 * has been looked at, and the answer may depend on it.
 */
int request_touch_missing(struct request *request, const struct path *path,
			  const struct lookup *lookup, unsigned int missing_facets,
			  unsigned int nearest_facets)
{
	unsigned int facets = FACET_EXISTENCE;
	size_t len = path->len;
	int error = 0;

	while (!error && len > lookup->nearest_len) {
		error = request_touch(request, path->text, len, NULL, facets);
		facets = missing_facets;
		len = path_parent_len(path->text, len);
		if (!len)
			len = 1; /* beside the tree: the root stands for the parent */
	}
	if (error)
		return error;
	/* The root is an ancestor of what stands beside the tree, too. */
	return request_touch(request, lookup->nearest_len == 1 ? "/" : path->text,
			     lookup->nearest_len, lookup->nearest, nearest_facets);
}

int request_lookup(struct request *request, const struct path *path, unsigned int want,
		   unsigned int facets, struct lookup *lookup)
{
	const struct identity *who = &request->client->identity;
	const struct domains *domains = &request->core->state.domains;
	unsigned int perms = who->privileged ? 0 : FACET_PERMS;
	unsigned int rights;
	int error = 0;

	tree_lookup(request_view(request), path->text, path->len, lookup);
	rights = access_rights(domains, who, lookup->nearest->perms);
	/* What is refused depends on nothing but the permissions. */
	if ((rights & want) != want)
		facets = 0;
	if (request->tx) {
		if (lookup->node)
			error = request_touch(request, path->text, path->len, lookup->node,
					      FACET_EXISTENCE | facets | perms);
		else if (who->privileged)
			error = request_touch_missing(request, path, lookup, 0, 0);
		else
			error = request_touch_missing(request, path, lookup, FACET_EXISTENCE,
						      FACET_EXISTENCE | FACET_PERMS);
	}
	if (error)
		return error;
	if (lookup->node && (rights & want) == want)
		core_trace(request->core, LOG_TDB, "read %s size %zu", path->text,
			   node_size(lookup->node));
	if (lookup->node)
		return (rights & want) == want ? 0 : EACCES;
	return rights & want ? ENOENT : EACCES;
}
