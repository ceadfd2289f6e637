/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fragment's nodes: the domain's own number becomes its new one in paths and
 * permissions. Other numbers mean other domains on this host, and mean nobody
 * here; only the privileged domain is the same everywhere.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "liveupdate/fragment-parts.h"

/* More than a SET_PERMS can bring, and still fit for the stack. */
#define PERMS_MAX (WIRE_PAYLOAD_MAX / 2)

int fragment_path(struct insertion *insertion, const char *path, size_t len, struct path *out)
{
	char text[PATH_SIZE + 8];
	size_t used = len;

	if (len >= PATH_SIZE)
		return fragment_refuse(insertion, "The path %.60s... is too long.", path);
	memcpy(text, path, len);
	if (path_covers(insertion->home, insertion->home_len, path, len)) {
		size_t rest = len - insertion->home_len;

		used = (size_t)snprintf(text, sizeof(text), "/local/domain/%u",
					insertion->domain->domid);
		memcpy(text + used, path + insertion->home_len, rest);
		used += rest;
	}
	if (path_make(out, text, used, insertion->domain->domid, true, 0))
		return fragment_refuse(insertion, "The path %.60s is not possible.", path);
	return 0;
}

static unsigned int letter_of(char c)
{
	return c == 'r'	  ? PERM_READ
	       : c == 'w' ? PERM_WRITE
	       : c == 'b' ? PERM_READ | PERM_WRITE
			  : PERM_NONE;
}

/* What an entry means here. Returns false when it means nobody. */
static bool map_entry(const struct insertion *insertion, const struct stream_perm *in,
		      struct perm *out)
{
	const struct domains *domains = &insertion->core->state.domains;
	unsigned int letter = letter_of(in->letter);

	if (in->flags & STREAM_PERM_STALE)
		return false;
	if (in->domid == insertion->state.domid)
		*out = domain_perm(insertion->domain, letter);
	else if (in->domid == insertion->image.priv_domid)
		*out = domain_perm(domain_find(domains, domains->priv_domid), letter);
	else if (in->domid == DOMID_ANY)
		*out = perm_make(DOMID_ANY, letter, PERM_RECORD_ANY);
	else
		return false;
	return true;
}

static struct perms *map_perms(struct insertion *insertion, const struct stream_node *node)
{
	struct state *state = &insertion->core->state;
	struct perm entry[PERMS_MAX];
	uint32_t count = 1;

	/* The owner may be a domain of the other host that served this one. */
	if (!map_entry(insertion, &node->perms[0], &entry[0]))
		entry[0] = domain_perm(domain_find(&state->domains, state->domains.priv_domid),
				       letter_of(node->perms[0].letter));
	for (uint32_t i = 1; i < node->perm_count && count < PERMS_MAX; i++)
		count += map_entry(insertion, &node->perms[i], &entry[count]);
	return perms_get(&state->store.perms, entry, count);
}

static int create(struct insertion *insertion, const char *path, size_t len, const void *value,
		  size_t value_len, struct perms *perms)
{
	struct state *state = &insertion->core->state;
	struct transaction *tx = insertion->tx;
	struct change *change;

	if (transaction_touch(state, tx, path, len, NULL, 0))
		return ENOMEM;
	change = change_new(TREE_CREATE, path, len, value, value_len, perms);
	if (!change || transaction_change(state, tx, change))
		return ENOMEM;
	if (tx->lost)
		return fragment_refuse(insertion, "%.200s: there is no owner.", path);
	return 0;
}

/* Ancestors that did not come along are as if the privileged domain had made them. */
static int create_ancestors(struct insertion *insertion, const struct path *path)
{
	size_t parent = path_parent_len(path->text, path->len);
	struct lookup lookup;
	struct perms *perms;
	int error;

	tree_lookup(&insertion->tx->branch, path->text, parent, &lookup);
	if (lookup.node)
		return 0;
	perms = perms_ref(lookup.nearest->perms);
	error = create(insertion, path->text, parent, NULL, 0, perms);
	perms_unref(&insertion->core->state.store.perms, perms);
	return error;
}

int fragment_node(struct insertion *insertion, const struct stream_node *node)
{
	struct perms *perms;
	struct path path;
	int error = fragment_path(insertion, node->path, node->path_len, &path);

	if (error)
		return error;
	if (node->perms[0].domid != insertion->state.domid &&
	    !path_covers(insertion->home, insertion->home_len, node->path, node->path_len))
		return fragment_refuse(insertion, "%.200s does not belong to domain %u.",
				       node->path, insertion->state.domid);
	if (path.text[0] == '@' || path_is_root(path.text, path.len))
		return fragment_refuse(insertion, "%.200s belongs to no domain.", path.text);
	if (tree_find(&insertion->tx->branch, path.text, path.len))
		return fragment_refuse(insertion, "%.200s exists already.", path.text);
	error = create_ancestors(insertion, &path);
	if (error)
		return error;
	perms = map_perms(insertion, node);
	if (!perms)
		return ENOMEM;
	error = create(insertion, path.text, path.len, node->value, node->value_len, perms);
	perms_unref(&insertion->core->state.store.perms, perms);
	insertion->report->nodes++;
	return error;
}
