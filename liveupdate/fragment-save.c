/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cutting out: the domain's record, its connection, its home, and what it owns elsewhere. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "liveupdate/fragment.h"
#include "liveupdate/image.h"

static int save_header(const struct core *core, const struct domain *domain,
		       struct stream_writer *writer)
{
	struct stream_image image = {
		.format = STREAM_OWN_FORMAT,
		.own_domid = (uint16_t)core->state.domains.own_domid,
		.priv_domid = (uint16_t)core->state.domains.priv_domid,
		.flags = STREAM_IMAGE_FRAGMENT,
		.program = {"xenstored", 9},
	};
	/* Its target, if it has one, is a domain of this host. */
	struct stream_domain_state state = {
		.domid = domain->domid,
		.flags = domain->introduced ? STREAM_DOMAIN_INTRODUCED : 0,
		.features = domain->features,
		.target_domid = STREAM_NO_TARGET,
		.record = domain->record,
		.unique_id = domain->unique_id,
	};
	int error = stream_put_own(writer, STREAM_IMAGE, &image);

	return error ? error : stream_put_own(writer, STREAM_DOMAIN_STATE, &state);
}

/* One of the places where the domain's nodes are. */
struct place {
	const char *path;
	size_t len;
};

static int save_place(struct core *core, const struct domain *domain, const struct place *place,
		      const struct place *home, struct stream_writer *writer)
{
	bool at_home = place == home;
	struct state *state = &core->state;
	struct node *top = tree_find(&state->live, place->path, place->len), *node;
	struct walk *walk = top ? malloc(sizeof(*walk)) : NULL;
	int error;

	if (!top)
		return 0;
	if (!walk)
		return ENOMEM;
	walk_init(walk, &state->store, node_ref(top), place->path, place->len);
	while (!(error = walk_next(walk, &node)) && node) {
		/* Places below have their own turn. */
		if (!at_home && walk->path_len > place->len &&
		    ownership_find(&state->ownership, domain, walk->path, walk->path_len)) {
			walk_skip(walk);
			continue;
		}
		if (!domain_owner_lives(&state->domains, node->perms) ||
		    (!at_home && domain_owner(&state->domains, node->perms) != domain))
			continue;
		error = save_node(core, NULL, writer, walk->path, walk->path_len, node);
		if (error)
			break;
	}
	walk_deinit(walk);
	free(walk);
	return error;
}

/* Shorter paths first: what is above comes before what is below. */
static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->len < y->len ? -1 : x->len > y->len;
}

static int save_nodes_of(struct core *core, const struct domain *domain,
			 struct stream_writer *writer)
{
	const struct ownership_root *root;
	struct place *places, home;
	char path[40];
	size_t count = 0, used = 0;
	int error;

	home.path = path;
	home.len = (size_t)snprintf(path, sizeof(path), "/local/domain/%u", domain->domid);
	LIST_FOREACH(root, &domain->roots, of_domain)
		count++;
	places = calloc(count + 1, sizeof(*places));
	if (!places)
		return ENOMEM;
	LIST_FOREACH(root, &domain->roots, of_domain)
		if (root->path[0] == '/' &&
		    !path_covers(home.path, home.len, root->path, root->len))
			places[used++] = (struct place){root->path, root->len};
	qsort(places, used, sizeof(*places), compare_places);
	error = save_place(core, domain, &home, &home, writer);
	for (size_t i = 0; i < used && !error; i++)
		error = save_place(core, domain, &places[i], &home, writer);
	free(places);
	return error;
}

/* What its transactions have seen stays behind, so that they can only end with EAGAIN. */
static int save_transactions_of(const struct client *client, uint32_t id,
				struct stream_writer *writer)
{
	const struct transaction *tx;
	int error = 0;

	LIST_FOREACH(tx, &client->transactions, of_client) {
		struct stream_tx out = {.conn_id = id, .tx_id = tx->id, .flags = STREAM_TX_LOST};

		error = stream_put_own(writer, STREAM_TX, &out);
		if (error)
			break;
	}
	return error;
}

int fragment_save(struct core *core, unsigned int domid, struct stream_writer *writer)
{
	const struct image_requester nobody = {0};
	const struct domain *domain = domain_find(&core->state.domains, domid);
	int error;

	if (!domain || domain->dying || domain_is_special(&core->state.domains, domain))
		return ENOENT;
	image_number_causes(core);
	error = save_header(core, domain, writer);
	if (!error)
		error = save_domain_quota(domain, writer);
	if (!error && domain->client)
		error = save_client(core, domain->client, 1, &nobody, writer);
	if (!error)
		error = save_nodes_of(core, domain, writer);
	if (!error && domain->client)
		error = save_transactions_of(domain->client, 1, writer);
	return error ? error : stream_put_end(writer);
}
