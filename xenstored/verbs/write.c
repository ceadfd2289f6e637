/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests that change nodes: WRITE, MKDIR, RM. SET_PERMS is in perms.c. */
#include <errno.h>
#include <string.h>

#include "verbs/request.h"

/* Bytes that the first of the missing names adds to the list of the node that is there. */
static size_t name_in_list(const struct path *path, const struct lookup *lookup)
{
	const char *rest = path->text + lookup->nearest_len;
	size_t len;

	path_next(&rest, path->text + path->len, &len);
	return len + 1;
}

/* What the missing nodes take, @node bytes each besides their names and paths. */
static uint64_t created_bytes(const struct path *path, const struct lookup *lookup, size_t node,
			      size_t *longest_name)
{
	const char *rest = path->text + lookup->nearest_len, *end = path->text + path->len;
	uint64_t bytes = 0;
	size_t len;

	*longest_name = 0;
	for (unsigned int i = 0; i < lookup->missing; i++) {
		path_next(&rest, end, &len);
		bytes += node + (size_t)(rest - path->text);
		if (!i)
			continue;
		bytes += len + 1; /* in the list of the one above */
		if (len > *longest_name)
			*longest_name = len;
	}
	return bytes;
}

static int hit(struct request *request, enum quota quota, int error)
{
	core_quota_hit(request->core, request->client->identity.domain, quota);
	return error;
}

/* A limit that would be exceeded may be met once all that was removed is off the accounts. */
static int over(struct request *request, enum quota quota, int error)
{
	if (core_has_releases(request->core))
		return REQUEST_LATER;
	return hit(request, quota, error);
}

/* May the node at hand be @size large? */
static int check_size(struct request *request, size_t size)
{
	struct account *account = client_account(request->client);

	if (client_is_limited(request->client) && account_exceeds(account, QUOTA_NODE_SIZE, size))
		return request_poison(request, hit(request, QUOTA_NODE_SIZE, ENOSPC));
	if (!request->client->is_socket)
		account_seen(account, QUOTA_NODE_SIZE, size);
	return 0;
}

int request_check_memory(struct request *request, uint64_t bytes)
{
	struct account *account = client_account(request->client);

	if (!client_is_limited(request->client) ||
	    !account_exceeds(account, QUOTA_MEMORY, account->now[QUOTA_MEMORY] + bytes))
		return 0;
	return request_poison(request, over(request, QUOTA_MEMORY, EIO));
}

/* May the client own @more nodes? What its open transaction creates counts as well. */
static int check_nodes(struct request *request, unsigned int more)
{
	struct domain *domain = request->client->identity.domain;
	int64_t total = (int64_t)domain->account.now[QUOTA_NODES] + more, removed;

	if (!client_is_limited(request->client))
		return 0;
	if (request->tx)
		total += transaction_added_nodes(request->tx, domain);
	if (total <= 0 || !account_exceeds(&domain->account, QUOTA_NODES, (uint64_t)total))
		return 0;
	if (request->tx) {
		if (transaction_removed_nodes(&request->core->state, request->tx, domain, &removed))
			return request_poison(request, ENOMEM);
		total -= removed;
		if (total <= 0 || !account_exceeds(&domain->account, QUOTA_NODES, (uint64_t)total))
			return 0;
	}
	return over(request, QUOTA_NODES, ENOSPC);
}

static int write_existing(struct request *request, const struct path *path,
			  const struct lookup *lookup, const char *value, size_t len)
{
	const struct node *node = lookup->node;
	int error = check_size(request, node_size(node) - node->value_len + len);

	if (!error && len > node->value_len)
		error = request_check_memory(request, len - node->value_len);
	if (!error)
		error = request_change(request, TREE_WRITE, path, value, len, NULL);
	return error;
}

/* Permissions of a new node: its parent's, but owned by the creator unless that is privileged. */
static struct perms *inherit(struct request *request, const struct perms *parent)
{
	struct store *store = &request->core->state.store;
	const struct identity *who = &request->client->identity;
	const struct domains *domains = &request->core->state.domains;
	struct perm entry[WIRE_PAYLOAD_MAX / 2];
	uint32_t count = 0;

	for (uint32_t i = 0; i < parent->count; i++) {
		const struct perm *from = &parent->entry[i];

		/* Dead domains' entries end here. */
		if (i && from->record >= DOMAIN_RECORD_FIRST &&
		    !domain_with_record(domains, from->domid, from->record))
			continue;
		entry[count++] = *from;
	}
	if (!who->privileged)
		entry[0] = domain_perm(who->domain, parent->entry[0].letter);
	return perms_get(&store->perms, entry, count);
}

static int create(struct request *request, const struct path *path, const struct lookup *lookup,
		  const char *value, size_t len)
{
	size_t name = name_in_list(path, lookup), node, longest;
	struct perms *perms;
	uint64_t memory;
	int error;

	/* What is inherited is a dependency for everybody. */
	error = request_touch_missing(request, path, lookup, FACET_EXISTENCE,
				      FACET_EXISTENCE | FACET_PERMS);
	if (!error)
		error = check_nodes(request, lookup->missing);
	if (!error)
		error = check_size(request, node_size(lookup->nearest) + name);
	if (error)
		return error;
	perms = inherit(request, lookup->nearest->perms);
	if (!perms)
		return request_poison(request, ENOMEM);
	node = 16 + 8 * (size_t)perms->count;
	memory = created_bytes(path, lookup, node, &longest) + len;
	if (domain_owner(&request->core->state.domains, lookup->nearest->perms) ==
	    request->client->identity.domain)
		memory += name;
	if (lookup->missing > 1)
		error = check_size(request, node + longest + 1);
	if (!error)
		error = check_size(request, node + len);
	if (!error)
		error = request_check_memory(request, memory);
	if (!error)
		error = request_change(request, TREE_CREATE, path, value, len, perms);
	request->work += lookup->missing;
	perms_unref(&request->core->state.store.perms, perms);
	return error;
}

int verb_write(struct request *request)
{
	struct lookup lookup;
	struct path path;
	struct arg arg;
	const char *value, *nul = request->len ? memchr(request->payload, 0, request->len) : NULL;
	size_t len;
	int error;

	if (!nul)
		return EINVAL;
	arg.text = request->payload;
	arg.len = (size_t)(nul - request->payload);
	value = nul + 1;
	len = request->len - arg.len - 1;
	error = request_make_path(request, &arg, false, &path);
	if (!error)
		error = request_lookup(request, &path, PERM_WRITE, 0, &lookup);
	if (error == 0)
		error = write_existing(request, &path, &lookup, value, len);
	else if (error == ENOENT)
		error = create(request, &path, &lookup, value, len);
	return error ? error : request_ack(request);
}

int verb_mkdir(struct request *request)
{
	struct lookup lookup;
	struct path path;
	int error = request_path(request, false, &path);

	if (!error)
		error = request_lookup(request, &path, PERM_WRITE, 0, &lookup);
	if (error == ENOENT)
		error = create(request, &path, &lookup, NULL, 0);
	return error ? error : request_ack(request);
}

int verb_rm(struct request *request)
{
	struct lookup lookup;
	struct path path;
	int error = request_path(request, false, &path);

	if (!error)
		error = request_lookup(request, &path, PERM_WRITE, 0, &lookup);
	if (error == ENOENT) {
		/* What it answers depends on whether there is a parent. */
		error = request_touch_missing(request, &path, &lookup, FACET_EXISTENCE,
					      FACET_EXISTENCE);
		if (!error && lookup.missing == 1)
			return request_ack(request);
		return error ? error : ENOENT;
	}
	if (error)
		return error;
	if (path_is_root(path.text, path.len))
		return EINVAL;
	error = request_touch(request, path.text, path_parent_len(path.text, path.len), NULL, 0);
	if (!error && request->tx && !request->tx->lost &&
	    transaction_touch_below(request->tx, path.text, path.len))
		error = request_poison(request, ENOMEM);
	if (error)
		return error;
	error = request_change(request, TREE_REMOVE, &path, NULL, 0, NULL);
	return error ? error : request_ack(request);
}
