/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Restoring an image: who is there, then everything else. */
#include "liveupdate/image.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/domains.h"
#include "liveupdate/migration.h"

/* What is dropped is told one by one up to here, and counted beyond. */
#define DROPPED_LINES 100u

/* The initial tree once more, since the privileged domain's record may have another serial now. */
static int empty_tree(struct restore *restore)
{
	struct state *state = &restore->core->state;
	struct domain *priv = domain_find(&state->domains, state->domains.priv_domid);
	struct perm entry = domain_perm(priv, PERM_NONE);
	struct perms *perms;
	struct domain *domain;
	int error;

	TAILQ_FOREACH(domain, &state->domains.list, link) {
		domain->account.now[QUOTA_NODES] = 0;
		domain->account.now[QUOTA_MEMORY] = 0;
	}
	perms = perms_get(&state->store.perms, &entry, 1);
	if (!perms)
		return ENOMEM;
	tree_drop(&state->live);
	error = tree_init(&state->live, &state->store, perms, perms);
	perms_unref(&state->store.perms, perms);
	/* "/" and the two special nodes. */
	account_add(&priv->account, QUOTA_NODES, 3);
	account_add(&priv->account, QUOTA_MEMORY, 3 * 24 + 1 + 16 + 14);
	return error;
}

static void restore_counters(struct restore *restore, const struct stream_counters *in)
{
	struct core *core = restore->core;

	if (in->last_record > core->state.domains.last_record)
		core->state.domains.last_record = in->last_record;
	if (in->generation > core->state.store.generation)
		core->state.store.generation = in->generation;
	core->state.version = in->version;
	if (in->last_client > restore->max_client)
		restore->max_client = in->last_client;
	core->last_client_id = restore->max_client;
	if (in->last_watch > core->watches.last_sequence)
		core->watches.last_sequence = in->last_watch;
}

/* The command line may have changed; rights and records are bound to these two. */
static int check_store_domains(struct core *core, const struct stream_image *image)
{
	const struct domains *domains = &core->state.domains;

	if (image->own_domid == domains->own_domid && image->priv_domid == domains->priv_domid)
		return 0;
	core_log(core, LOG_ERR,
		 "live-update: the state is of a store in domain %u for domain %u, which an update "
		 "cannot change",
		 image->own_domid, image->priv_domid);
	return EINVAL;
}

/*
 * First pass: who is there. Only images of our own kind say that; the nodes, which are most of an
 * image, are passed over.
 */
static int restore_who(struct restore *restore, const struct stream_record *record)
{
	struct ratelimit *limit = &restore->core->state.domains.ratelimit;

	switch (record->type) {
	case STREAM_IMAGE:
		restore->own = true;
		return check_store_domains(restore->core, &record->own.image);
	case STREAM_DOMAIN_STATE:
		return restore_domain_state(restore, &record->own.domain_state);
	case STREAM_CREDIT:
		return restore_credit(restore, &record->own.credit);
	case STREAM_LOG:
		if (restore->process->set_log)
			restore->process->set_log(restore->process->data, &record->own.log);
		return 0;
	case STREAM_COUNTERS:
		restore->counters = record->own.counters;
		return 0;
	case STREAM_SNAPSHOT:
		return restore_snapshot(restore, &record->own.snapshot);
	case STREAM_RATELIMIT:
		limit->reserve = record->own.ratelimit.reserve;
		limit->refilled = record->own.ratelimit.refilled;
		limit->last_effect = record->own.ratelimit.last_effect;
		return 0;
	default:
		return 0;
	}
}

void restore_dropped(struct restore *restore, unsigned int *count, const char *format, ...)
{
	char text[512];
	va_list args;

	if (++*count > DROPPED_LINES)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	core_log(restore->core, LOG_WARNING, "live-update: not restored: %s%s", text,
		 *count == DROPPED_LINES ? " (and perhaps more)" : "");
}

/* The update failed: its requester gets the reason instead of the "OK" in its output. */
static int restore_update(struct restore *restore, const struct stream_update *in)
{
	struct client *client = image_client(restore, in->conn_id);
	const char *failure = restore->process->failure;
	struct message *message;

	if (!client || !failure)
		return 0;
	message = message_new(XS_CONTROL, in->req_id, in->tx_id, strlen(failure) + 1);
	if (!message)
		return ENOMEM;
	message_set(message, failure, strlen(failure) + 1);
	if (!TAILQ_EMPTY(&client->output))
		client_unqueue(restore->core, TAILQ_LAST(&client->output, message_list));
	client_queue(restore->core, client, message);
	return 0;
}

static int restore_migration(struct restore *restore, const struct stream_migration *in)
{
	const struct client *client = image_client(restore, in->conn_id);

	if (!client || !restore->process->migration)
		return 0;
	return migration_restore(restore->process->migration, client, in);
}

/* Second pass: everything else. */
static int restore_what(struct restore *restore, const struct stream_record *record)
{
	int error = record->type == STREAM_NODE ? 0 : restore_nodes_end(restore);

	if (error)
		return error;
	switch (record->type) {
	case STREAM_CONNECTION:
		return restore_connection(restore, &record->connection);
	case STREAM_WATCH:
	case STREAM_WATCH_EXTENDED:
		return restore_watch(restore, &record->watch);
	case STREAM_NODE:
		return restore_node(restore, &record->node);
	case STREAM_GLOBAL_QUOTA:
		return restore_global_quota(restore, &record->quotas);
	case STREAM_DOMAIN:
		return restore_domain(restore, &record->domain);
	case STREAM_CLIENT:
		return restore_client(restore, &record->own.client);
	case STREAM_WATCH_ORDER:
		return restore_watch_order(restore, &record->own.watch_order);
	case STREAM_STATISTICS:
		return restore_statistics(restore, &record->own.statistics);
	case STREAM_EVENTS:
		return restore_events(restore, &record->own.events);
	case STREAM_MIGRATION:
		return restore_migration(restore, &record->own.migration);
	case STREAM_UPDATE:
		return restore_update(restore, &record->own.update);
	case STREAM_DELTA:
		return restore_delta(restore, &record->own.delta);
	case STREAM_TX:
		return restore_tx(restore, &record->own.tx);
	case STREAM_TX_DIFFERENCE:
		return restore_tx_difference(restore, &record->own.tx_difference);
	case STREAM_TX_TOUCH:
		restore_tx_branch(restore);
		return restore_tx_touch(restore, &record->own.tx_touch);
	case STREAM_TX_CHANGE:
		restore_tx_branch(restore);
		return restore_tx_change(restore, &record->own.tx_change);
	default:
		return 0;
	}
}

static int each_record(struct restore *restore, const void *image, size_t size,
		       int (*use)(struct restore *, const struct stream_record *))
{
	struct stream_reader reader;
	struct stream_record record;
	struct stream_error where;
	enum stream_status status;
	int error = stream_reader_init(&reader, image, size, &where);

	while (!error) {
		status = stream_next(&reader, &record, &where);
		if (status == STREAM_DONE)
			return 0;
		if (status != STREAM_RECORD) {
			error = EINVAL;
			break;
		}
		if (!record.understood) {
			if (stream_is_own(record.type) && (record.type & STREAM_MUST)) {
				snprintf(where.text, sizeof(where.text), "unknown record type %08x",
					 record.type);
				where.offset = record.offset;
				error = ENOTSUP;
			} else if (use == restore_what) {
				core_log(restore->core, LOG_INFO,
					 "live-update: unknown state record %08x", record.type);
			}
			continue;
		}
		error = use(restore, &record);
		if (use == restore_who && record.type == STREAM_SNAPSHOT && !error)
			error = stream_skip(&reader, restore->nodes_size);
		if (error) {
			snprintf(where.text, sizeof(where.text), "%s: %s",
				 stream_type_name(record.type), strerror(error));
			where.offset = record.offset;
		}
	}
	snprintf(restore->report->error, sizeof(restore->report->error), "at offset %zu: %s",
		 where.offset, where.text);
	return error;
}

/* What was told one by one, or was too much for that. */
static void tell_dropped(const struct restore *restore)
{
	const struct image_report *report = restore->report;

	if (report->dropped_clients || report->dropped_nodes || report->dropped_watches)
		core_log(restore->core, LOG_WARNING,
			 "live-update: %u connections, %u nodes, %u watches could not be restored",
			 report->dropped_clients, report->dropped_nodes, report->dropped_watches);
}

static int restore_target(struct restore *restore, const struct stream_record *record)
{
	if (record->type != STREAM_CONNECTION)
		return 0;
	return restore_targets(restore, &record->connection);
}

int image_restore(struct core *core, const struct image_process *process, const void *image,
		  size_t size, struct image_report *report)
{
	struct restore *restore = calloc(1, sizeof(*restore));
	int error;

	memset(report, 0, sizeof(*report));
	if (!restore)
		return ENOMEM;
	restore->core = core;
	restore->process = process;
	restore->report = report;
	core->restoring = true;
	error = each_record(restore, image, size, restore_who);
	if (!error)
		error = empty_tree(restore);
	restore_nodes_start(restore);
	if (!error)
		error = each_record(restore, image, size, restore_what);
	if (!error)
		error = restore_nodes_end(restore);
	if (!error)
		restore_tx_branch(restore);
	if (!error && !restore->own)
		error = each_record(restore, image, size, restore_target);
	if (!error)
		error = restore_orphans(restore);
	if (!error)
		error = restore_deadlines(restore);
	/* Last, since restoring has counted as well. */
	if (!error && restore->own)
		restore_counters(restore, &restore->counters);
	if (!error) {
		core->recheck = true; /* whoever was held back may go on */
		tell_dropped(restore);
	}
	if (restore->tx_base.root)
		tree_drop(&restore->tx_base);
	core->restoring = false;
	free(restore->client);
	restore_nodes_free(restore);
	free(restore->cause);
	free(restore);
	return error;
}
