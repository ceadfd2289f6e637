/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing an image.
 *
 * For our own kind the store comes first, from a snapshot, in slices; then, at once, everything
 * else and what has changed since. So most of the work is done while everybody is served.
 *
 *      GLOBAL IMAGE SNAPSHOT NODE NODE ... | settings, domains, DELTAs, connections, transactions
 *
 * For other readers it is the order that they need, and in one go.
 */
#include "liveupdate/image.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/domains.h"
#include "liveupdate/migration.h"

/*
 * Finish what changes of domains left to do: nothing dying is in an image, and nothing that
 * watchers are still to be told.
 */
static int settle(struct core *core)
{
	for (int i = 0; i < 100000 && !TAILQ_EMPTY(&core->deaths); i++)
		core_bury_some(core, 1000);
	core_tell_owed(core);
	return TAILQ_EMPTY(&core->deaths) && !core->owed ? 0 : ENOMEM;
}

static int put_image(const struct core *core, const struct image_process *process,
		     struct stream_writer *writer)
{
	struct stream_image image = {
		.format = STREAM_OWN_FORMAT,
		.own_domid = (uint16_t)core->state.domains.own_domid,
		.priv_domid = (uint16_t)core->state.domains.priv_domid,
		.created = process->created,
		.program = {"xenstored", 9},
	};

	return stream_put_own(writer, STREAM_IMAGE, &image);
}

/* What the domids in NODE records mean. */
static int put_snapshot(const struct image_base *base)
{
	const struct domains *domains = &base->core->state.domains;
	struct stream_owner *owner = malloc(domains->count * sizeof(*owner));
	struct stream_snapshot snapshot = {.owners = {owner, 0}};
	const struct domain *domain;
	int error;

	if (!owner)
		return ENOMEM;
	TAILQ_FOREACH(domain, &domains->list, link) {
		owner[snapshot.owners.count++] = (struct stream_owner){.domid = domain->domid,
								       .record = domain->record};
		base->record[domain->domid] = domain->record;
	}
	error = stream_put_own(base->writer, STREAM_SNAPSHOT, &snapshot);
	free(owner);
	return error;
}

int image_base_start(struct image_base *base, struct core *core,
		     const struct image_process *process, struct stream_writer *writer)
{
	struct stream_global global = {process->listen_fd, process->evtchn_fd};
	int error;

	memset(base, 0, sizeof(*base));
	base->core = core;
	base->writer = writer;
	base->record = calloc(DOMID_FIRST_RESERVED, sizeof(*base->record));
	if (!base->record)
		return ENOMEM;
	tree_branch(&base->tree, &core->state.live);
	core->snapshots++;
	error = stream_put_global(writer, &global);
	if (!error)
		error = put_image(core, process, writer);
	base->snapshot_at = writer->offset;
	if (!error)
		error = put_snapshot(base);
	base->nodes_at = writer->offset;
	return error;
}

void image_base_drop(struct image_base *base)
{
	if (base->walking)
		walk_deinit(&base->walk);
	if (base->tree.root) {
		tree_drop(&base->tree);
		base->core->snapshots--;
	}
	free(base->record);
	memset(base, 0, sizeof(*base));
}

int image_base_some(struct image_base *base, unsigned int nodes)
{
	static const char *const tops[] = {"/", "@releaseDomain", "@introduceDomain"};
	struct node *node;
	int error;

	while (nodes && !base->done) {
		if (!base->walking) {
			const char *name = tops[base->top++];

			walk_init(&base->walk, base->tree.store,
				  node_ref(tree_find(&base->tree, name, strlen(name))), name,
				  strlen(name));
			base->walking = true;
		}
		error = walk_next(&base->walk, &node);
		if (!error && node)
			error = save_node(base->core, base->record, base->writer, base->walk.path,
					  base->walk.path_len, node);
		if (error)
			return error;
		nodes--;
		if (node)
			continue;
		walk_deinit(&base->walk);
		base->walking = false;
		if (base->top == sizeof(tops) / sizeof(*tops)) {
			base->done = true;
			base->size = base->writer->offset - base->nodes_at;
		}
	}
	return 0;
}

static int save_settings(const struct core *core, const struct image_process *process,
			 struct stream_writer *writer)
{
	const struct state *state = &core->state;
	const struct ratelimit *limit = &state->domains.ratelimit;
	struct stream_counters counters = {
		.now = core->now,
		.last_record = state->domains.last_record,
		.generation = state->store.generation,
		.version = state->version,
		.last_client = core->last_client_id,
		.last_watch = core->watches.last_sequence,
	};
	struct stream_ratelimit rate = {
		.flags = limit->quiet_reported ? STREAM_RATELIMIT_QUIET : 0,
		.reserve = limit->reserve,
		.refilled = limit->refilled,
		.last_effect = limit->last_effect,
	};
	struct stream_log log = {.file = {"", 0}};
	int error = 0;

	if (process->get_log) {
		process->get_log(process->data, &log);
		error = stream_put_own(writer, STREAM_LOG, &log);
	}
	if (!error)
		error = stream_put_own(writer, STREAM_COUNTERS, &counters);
	return error ? error : stream_put_own(writer, STREAM_RATELIMIT, &rate);
}

/* What no foreign reader survives: a domain that owns nodes and was not introduced. */
static int check_foreign(const struct core *core)
{
	const struct domain *domain;

	TAILQ_FOREACH(domain, &core->state.domains.list, link)
		if (!domain->client && domain->account.now[QUOTA_NODES] &&
		    !domain_is_special(&core->state.domains, domain))
			return EBUSY;
	return 0;
}

/* The own domain's ring, which has no client: ours talks to itself without one. */
static int save_own_ring(struct core *core, const struct image_process *process,
			 struct stream_writer *writer)
{
	const struct domain *own = domain_find(&core->state.domains, core->state.domains.own_domid);
	struct stream_connection out = {.id = ++core->image_clients,
					.type = STREAM_RING,
					.target = STREAM_NO_TARGET,
					.fd = -1,
					.port = process->own_port};

	if (!own || own->client)
		return 0;
	out.domid = own->domid;
	out.has_unique_id = writer->dialect->unique_ids;
	out.unique_id = own->unique_id;
	return stream_put_connection(writer, &out);
}

static int save_requester(const struct image_requester *requester, struct stream_writer *writer)
{
	struct stream_update update = {.conn_id = requester->client->image_id,
				       .req_id = requester->req_id,
				       .tx_id = requester->tx_id};

	return stream_put_own(writer, STREAM_UPDATE, &update);
}

static void number_clients(struct core *core)
{
	struct client *client;

	TAILQ_FOREACH(client, &core->clients, link)
		client->image_id = 0;
	core->image_clients = 0;
	image_number_causes(core);
}

int image_finish(struct image_base *base, const struct image_process *process,
		 const struct image_requester *requester)
{
	struct core *core = base->core;
	struct stream_writer *writer = base->writer;
	int error = settle(core);

	number_clients(core);
	if (!error)
		error = save_settings(core, process, writer);
	if (!error)
		error = save_global_quota(core, writer);
	if (!error)
		error = save_domains(core, writer);
	if (!error)
		error = save_domain_quotas(core, writer);
	if (!error)
		error = save_delta(core, &base->tree, writer);
	if (!error)
		error = save_clients(core, requester, writer);
	if (!error && process->migration)
		error = migration_save(process->migration, writer);
	if (!error)
		error = save_transactions(core, writer);
	if (!error)
		error = save_statistics(core, writer);
	if (!error && requester->client)
		error = save_requester(requester, writer);
	return error ? error : stream_put_end(writer);
}

static int save_own(struct core *core, const struct image_process *process,
		    const struct image_requester *requester, struct stream_writer *writer)
{
	struct image_base *base = malloc(sizeof(*base));
	int error;

	if (!base)
		return ENOMEM;
	error = image_base_start(base, core, process, writer);
	while (!error && !base->done)
		error = image_base_some(base, UINT_MAX);
	if (!error)
		error = image_finish(base, process, requester);
	image_base_drop(base);
	free(base);
	return error;
}

int image_save(struct core *core, const struct image_process *process,
	       const struct image_requester *requester, struct stream_writer *writer)
{
	struct stream_global global = {process->listen_fd, process->evtchn_fd};
	int error;

	if (writer->dialect->own)
		return save_own(core, process, requester, writer);
	number_clients(core);
	error = settle(core);
	if (!error)
		error = check_foreign(core);
	if (!error)
		error = stream_put_global(writer, &global);
	if (!error)
		error = save_global_quota(core, writer);
	if (!error)
		error = save_clients(core, requester, writer);
	if (!error && process->has_own_ring)
		error = save_own_ring(core, process, writer);
	if (!error)
		error = save_nodes(core, writer);
	if (!error)
		error = save_domain_quotas(core, writer);
	return error ? error : stream_put_end(writer);
}
