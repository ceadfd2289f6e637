/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SET_PERMS. */
#include <errno.h>
#include <string.h>

#include "core/domains.h"
#include "verbs/request.h"

/* More entries than a payload can hold. */
#define ENTRIES_MAX (WIRE_PAYLOAD_MAX / 2)

static bool knows_any(const struct client *client)
{
	return client->is_socket || (client->identity.domain->features & XS_FEATURE_ANY);
}

/* Bind one entry to the domain that it speaks of. Returns 0, ENOMEM or REQUEST_LATER. */
static int resolve(struct request *request, unsigned int letter, unsigned int domid,
		   struct perm *entry)
{
	struct domain *domain;
	int error;

	if (domid == DOMID_ANY && knows_any(request->client)) {
		*entry = perm_make(domid, letter, PERM_RECORD_ANY);
		return 0;
	}
	error = core_know_domain(request->core, request->client, domid, &domain);
	if (error == ENOENT) {
		*entry = perm_make(domid, letter, PERM_RECORD_STALE);
		return 0;
	}
	if (!error)
		*entry = domain_perm(domain, letter);
	return error;
}

static int parse_list(struct request *request, const struct arg *args, size_t count,
		      struct perm *entry)
{
	unsigned int letter, domid;
	int error = 0;

	for (size_t i = 0; i < count; i++)
		if (perm_parse(args[i].text, args[i].len, &letter, &domid))
			return EINVAL;
	for (size_t i = 0; i < count && !error; i++) {
		perm_parse(args[i].text, args[i].len, &letter, &domid);
		error = resolve(request, letter, domid, &entry[i]);
	}
	return error;
}

int verb_set_perms(struct request *request)
{
	struct client *client = request->client;
	struct account *account = client_account(client);
	struct arg args[ENTRIES_MAX + 1];
	struct perm entry[ENTRIES_MAX];
	struct perms *perms;
	struct lookup lookup;
	struct path path;
	size_t count = args_split(request->payload, request->len, args, ENTRIES_MAX + 1);
	int error;

	if (count < 2)
		return EINVAL;
	count--;
	if (client_is_limited(client) && account_exceeds(account, QUOTA_NODE_PERMISSIONS, count)) {
		core_quota_hit(request->core, client->identity.domain, QUOTA_NODE_PERMISSIONS);
		return ENOSPC;
	}
	if (!client->is_socket)
		account_seen(account, QUOTA_NODE_PERMISSIONS, count);
	error = parse_list(request, args + 1, count, entry);
	if (error)
		return error;
	if (entry[0].record == PERM_RECORD_STALE)
		return ENOENT;
	error = request_make_path(request, &args[0], true, &path);
	if (!error)
		error = request_lookup(request, &path, PERM_WRITE | PERM_OWNER, 0, &lookup);
	if (error)
		return error;
	if (!client->identity.privileged && entry[0].domid != lookup.node->perms->entry[0].domid)
		return EPERM;
	if (client_is_limited(client)) {
		size_t size = node_size(lookup.node) + 8 * count - 8 * lookup.node->perms->count;

		if (account_exceeds(account, QUOTA_NODE_SIZE, size)) {
			core_quota_hit(request->core, client->identity.domain, QUOTA_NODE_SIZE);
			return request_poison(request, ENOSPC);
		}
		if (count > lookup.node->perms->count)
			error = request_check_memory(request,
						     8 * (count - lookup.node->perms->count));
		if (error)
			return error;
	}
	perms = perms_get(&request->core->state.store.perms, entry, count);
	if (!perms)
		return ENOMEM;
	error = request_change(request, TREE_PERMS, &path, NULL, 0, perms);
	perms_unref(&request->core->state.store.perms, perms);
	return error ? error : request_ack(request);
}
