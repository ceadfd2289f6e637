/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Introduction, change of state, end of life (spec: rings-and-domains.md section 4). */
#include "core/domains.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/event.h"
#include "verbs/request.h"

/* Changes of domains that are looked at in a turn, and how many of them a death counts for. */
#define CHANGES_A_TURN	64
#define CHANGES_A_DEATH 16

static bool same_life(const struct domain *domain, const struct domain_state *state)
{
	return !domain->unique_id || !state->unique_id || domain->unique_id == state->unique_id;
}

static bool is_gone(const struct domain_state *state)
{
	return !(state->state & DOMSTATE_EXIST) || (state->state & DOMSTATE_DEAD);
}

int core_know_domain(struct core *core, const struct client *asking, unsigned int domid,
		     struct domain **domain)
{
	struct domains *domains = &core->state.domains;
	struct domain *known = domain_find(domains, domid);
	struct domain_state state = {0};

	if (domid >= DOMID_FIRST_RESERVED)
		return ENOENT;
	if (known && (domain_is_special(domains, known) || client_is_of(asking, known))) {
		*domain = known;
		return 0;
	}
	if (domstate_get(core->world->domstate, domid, &state))
		state.state = 0;
	if (known && !known->dying && (is_gone(&state) || !same_life(known, &state))) {
		core_forget_domain(core, known);
		known = domain_find(domains, domid);
	}
	if (is_gone(&state))
		return ENOENT;
	if (known && known->dying)
		return REQUEST_LATER;
	if (!known)
		known = domain_new(domains, domid);
	if (!known)
		return ENOMEM;
	if (!known->unique_id)
		known->unique_id = state.unique_id;
	*domain = known;
	return 0;
}

static int reintroduce(struct core *core, struct domain *domain, unsigned int port)
{
	struct client *client = domain->client;
	int error = -core->world->rings->rebind(core->world->rings, client->transport, port);

	if (error)
		return error;
	client_reset(core, client);
	core->world->rings->reset(core->world->rings, client->transport);
	client_wake(core, client);
	return 0;
}

int core_introduce(struct core *core, unsigned int domid, unsigned int port, enum introduction how)
{
	struct rings *rings = core->world->rings;
	struct domains *domains = &core->state.domains;
	struct domain *domain;
	struct transport *transport;
	struct event_batch events;
	struct client *client;
	bool fresh = !domain_find(domains, domid);
	int error;

	if (!rings)
		return EINVAL; /* no hypervisor, no rings */
	error = core_know_domain(core, NULL, domid, &domain);
	if (error)
		return error;
	if (domain->client)
		return reintroduce(core, domain, port);

	event_batch_init(&events);
	if (domid != domains->priv_domid)
		error = event_add_special(core, &events, "@introduceDomain", true, true, domid);
	if (!error)
		error = -rings->connect(rings, domid, port, domain->features, &transport);
	if (error)
		goto fail;
	client = client_new(core, transport, domain, false);
	if (!client) {
		transport->ops->close(transport);
		error = ENOMEM;
		goto fail;
	}
	domain->client = client;
	domain->introduced = true;
	ratelimit_join(&domains->ratelimit, &domain->credit, core->now);
	if (how == INTRODUCE_REQUEST)
		rings->reset(rings, transport);
	else
		rings->connected(rings, transport);
	event_batch_queue(core, &events, NULL);
	client_wake(core, client);
	return 0;

fail:
	event_batch_discard(&events);
	/* A record that only this request made, and to which nothing belongs, goes again. */
	if (fresh && !domain->dying) {
		domain_free(domains, domain);
		core->state.version++;
	}
	return error;
}

void core_forget_domain(struct core *core, struct domain *domain)
{
	if (domain->dying)
		return;
	domain->dying = true;
	if (domain->client)
		client_free(core, domain->client);
	TAILQ_INSERT_TAIL(&core->deaths, domain, death);
	core_bury_some(core, 256);
}

/* Remove a node or give it to the privileged domain. Returns 0, or ENOMEM: try again later. */
static int clear_node(struct core *core, const char *path, size_t len, struct node *node)
{
	struct state *state = &core->state;
	struct domain *priv = domain_find(&state->domains, state->domains.priv_domid);
	bool keep = core->config.keep_orphans || path_is_root(path, len) || path[0] == '@';
	size_t parent_len = path_parent_len(path, len);
	struct perms *perms = NULL;
	struct event_batch events;
	struct change change;
	int error = 0;

	event_batch_init(&events);
	if (keep) {
		struct perm *entry = malloc(node->perms->count * sizeof(*entry));

		if (!entry)
			return ENOMEM;
		memcpy(entry, node->perms->entry, node->perms->count * sizeof(*entry));
		entry[0] = domain_perm(priv, entry[0].letter);
		perms = perms_get(&state->store.perms, entry, node->perms->count);
		free(entry);
		if (!perms)
			return ENOMEM;
		core_trace(core, LOG_CLASS_NONE, "moving orphaned node %s to dom%u", path,
			   priv->domid);
	} else {
		error = event_add_removal(core, &events, NULL, path, len, node,
					  tree_find(&state->live, path, parent_len));
		core_trace(core, LOG_CLASS_NONE, "orphaned node %s deleted", path);
	}
	change_init(&change, keep ? TREE_PERMS : TREE_REMOVE, path, len, NULL, 0, perms);
	if (!error)
		error = change_prepare(state, &state->live, &change);
	if (!error) {
		change_make(state, &state->live, &change);
		change_settle(state, &change);
		event_batch_queue(core, &events, NULL);
	}
	change_deinit(state, &change);
	event_batch_discard(&events);
	perms_unref(&state->store.perms, perms);
	return error;
}

/* Look for the domain's nodes below one that it gave away, or that is to be given away whole. */
static int search_some(struct core *core, struct domain *domain, long *work)
{
	struct state *state = &core->state;
	struct walk *walk = domain->search;
	struct node *seen, *live;
	int error = 0;

	/* The walk goes on only from a node that is dealt with, so that none is passed over. */
	while (!error && *work > 0) {
		live = tree_find(&state->live, walk->path, walk->path_len);
		if (live && domain_owner(&state->domains, live->perms) == domain) {
			error = clear_node(core, walk->path, walk->path_len, live);
			*work -= 4;
		}
		if (!error)
			error = walk_next(walk, &seen);
		(*work)--;
		if (!error && !seen) {
			walk_deinit(walk);
			free(walk);
			domain->search = NULL;
			break;
		}
	}
	return error;
}

static int start_search(struct core *core, struct domain *domain, struct node *node,
			const struct ownership_root *root)
{
	domain->search = malloc(sizeof(*domain->search));
	if (!domain->search)
		return ENOMEM;
	walk_init(domain->search, &core->state.store, node_ref(node), root->path, root->len);
	return 0;
}

/* Length of the path of the highest node above @path, or at it, that the domain owns. */
static size_t highest_owned(const struct state *state, const struct domain *domain,
			    const char *path, size_t len)
{
	const struct node *node = tree_find(&state->live, "/", 1);
	const char *rest = path, *end = path + len, *name;
	size_t name_len;

	while (path[0] == '/' && node && (name = path_next(&rest, end, &name_len))) {
		node = children_find(node, name, name_len);
		if (node && domain_owner(&state->domains, node->perms) == domain)
			return (size_t)(rest - path);
	}
	return len;
}

/*
 * Clear what stands at one of the domain's entries. A node that it owns goes together with all
 * below, also when the domain's ownership begins anew there.
 */
static int clear_root(struct core *core, struct domain *domain, struct ownership_root *root)
{
	struct state *state = &core->state;
	struct node *node = tree_find(&state->live, root->path, root->len);
	char path[PATH_SIZE];
	size_t len;

	if (!node)
		return 0;
	if (root->cover || core->config.keep_orphans)
		return start_search(core, domain, node, root);
	if (domain_owner(&state->domains, node->perms) != domain)
		return 0;
	len = highest_owned(state, domain, root->path, root->len);
	memcpy(path, root->path, len);
	path[len] = 0;
	return clear_node(core, path, len, tree_find(&state->live, path, len));
}

/* Remove nodes of a dead domain. Returns 0 when none is left, EAGAIN when there are more. */
static int clear_some(struct core *core, struct domain *domain, long *work)
{
	struct ownership_root *root;

	while (*work > 0) {
		bool cover;

		if (domain->search) {
			if (search_some(core, domain, work))
				return EAGAIN;
			continue;
		}
		root = LIST_FIRST(&domain->roots);
		if (!root)
			return 0;
		cover = root->cover;
		if (clear_root(core, domain, root))
			return EAGAIN;
		*work -= 4;
		/*
		 * Clearing may have taken the entry away already, or have made it a cover of what
		 * is left below a node that could only be given away.
		 */
		if (root == LIST_FIRST(&domain->roots) && root->cover == cover)
			ownership_remove(&core->state.ownership, root);
	}
	return EAGAIN;
}

void core_bury_some(struct core *core, long work)
{
	struct domain *domain, *next;

	for (domain = TAILQ_FIRST(&core->deaths); domain && work > 0; domain = next) {
		struct event_batch events;

		next = TAILQ_NEXT(domain, death);
		if (clear_some(core, domain, &work)) {
			core->starved |= work > 0;
			continue;
		}
		event_batch_init(&events);
		if (domain->introduced &&
		    event_add_special(core, &events, "@releaseDomain", true, true, domain->domid)) {
			event_batch_discard(&events);
			core->starved = true;
			continue;
		}
		TAILQ_REMOVE(&core->deaths, domain, death);
		domain_free(&core->state.domains, domain);
		core->state.version++;
		core->recheck = true;
		event_batch_queue(core, &events, NULL);
	}
}

/* Returns false when it must be tried again. */
static bool tell_shutdown(struct core *core, struct domain *domain)
{
	struct event_batch events;

	event_batch_init(&events);
	if (event_add_special(core, &events, "@releaseDomain", false, true, domain->domid)) {
		event_batch_discard(&events);
		domain->shutdown_owed = true;
		core->owed = true;
		return false;
	}
	event_batch_queue(core, &events, NULL);
	domain->shutdown_owed = false;
	domain->shutdown_reported = true;
	return true;
}

static void tell_bare(struct core *core)
{
	struct event_batch events;

	event_batch_init(&events);
	core->owed_bare = event_add_special(core, &events, "@releaseDomain", true, false, 0);
	if (core->owed_bare)
		core->owed = true;
	else
		event_batch_queue(core, &events, NULL);
	event_batch_discard(&events);
}

/*
 * Act on the state of one domain. Sets @bare when a bare @releaseDomain is due. Returns true when
 * the domain is to be buried.
 */
static bool evaluate(struct core *core, const struct domain_state *state, bool *bare)
{
	struct domain *domain = domain_find(&core->state.domains, state->domid);
	bool gone;

	if (!domain || domain->dying || domain_is_special(&core->state.domains, domain))
		return false;
	gone = !(state->state & DOMSTATE_EXIST) || !same_life(domain, state);
	if (!gone && !domain->unique_id)
		domain->unique_id = state->unique_id;
	if (!gone && !(state->state & DOMSTATE_DEAD)) {
		if (domain->introduced && (state->state & DOMSTATE_SHUTDOWN) &&
		    !domain->shutdown_reported && tell_shutdown(core, domain))
			*bare = true;
		return false;
	}
	if (!gone && !domain->introduced)
		return false;
	if (domain->introduced)
		*bare = false; /* its own end is told with a bare event as well */
	core_forget_domain(core, domain);
	return true;
}

void core_domains_changed(struct core *core)
{
	int left = CHANGES_A_TURN;
	struct domain_state state;
	bool bare = false;

	/* Every domain that was created since the last time is among them, and may be thousands. */
	core->changes_left = true;
	while (left > 0) {
		if (domstate_changed(core->world->domstate, &state)) {
			core->changes_left = false;
			break;
		}
		left -= evaluate(core, &state, &bare) ? CHANGES_A_DEATH : 1;
	}
	if (bare)
		tell_bare(core);
}

void core_recheck_domains(struct core *core)
{
	core->recheck_next = 0;
	core->rechecking = true;
}

/* Some of the domains; a bare @releaseDomain for all of them comes at the end. */
void core_recheck_some(struct core *core)
{
	int left = CHANGES_A_TURN;

	for (; left > 0 && core->recheck_next < DOMID_FIRST_RESERVED; core->recheck_next++) {
		struct domain_state state = {.domid = core->recheck_next};

		if (!domain_find(&core->state.domains, core->recheck_next))
			continue;
		if (domstate_get(core->world->domstate, core->recheck_next, &state))
			state.state = 0;
		state.domid = core->recheck_next;
		left -= evaluate(core, &state, &core->recheck_bare) ? CHANGES_A_DEATH : 1;
	}
	if (core->recheck_next < DOMID_FIRST_RESERVED)
		return;
	core->rechecking = false;
	if (core->recheck_bare)
		tell_bare(core);
	core->recheck_bare = false;
}

void core_tell_owed(struct core *core)
{
	struct domain *domain;
	bool bare = core->owed_bare || core->recheck_bare;

	core->owed = core->recheck_bare = false;
	TAILQ_FOREACH(domain, &core->state.domains.list, link)
		if (domain->shutdown_owed && !domain->dying && tell_shutdown(core, domain))
			bare = true;
	if (bare)
		tell_bare(core);
}
