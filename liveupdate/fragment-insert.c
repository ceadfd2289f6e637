/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Putting a fragment in. The nodes are made in a transaction of their own, the
 * connection beside the others; the commit comes last, and what was done before
 * it can be undone.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/domains.h"
#include "liveupdate/fragment-parts.h"
#include "liveupdate/stream-check.h"
#include "verbs/transaction.h"

int fragment_refuse(struct insertion *insertion, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(insertion->report->why, sizeof(insertion->report->why), format, args);
	va_end(args);
	return FRAGMENT_REFUSED;
}

static int check(struct insertion *insertion)
{
	struct stream_problem problem;
	struct stream_report report = {.problem = &problem, .room = 1};
	int error = stream_check(insertion->data, insertion->size, &insertion->core->state.secret,
				 &report);

	if (error == ENOMEM)
		return error;
	if (error)
		return fragment_refuse(insertion, "At offset %zu: %s.", problem.offset,
				       problem.text);
	if (!report.fragment)
		return fragment_refuse(insertion, "This is no fragment, but a whole image.");
	return 0;
}

static int each_record(struct insertion *insertion,
		       int (*use)(struct insertion *, const struct stream_record *))
{
	struct stream_reader reader;
	struct stream_record record;
	struct stream_error where;
	int error = stream_reader_init(&reader, insertion->data, insertion->size, &where);

	while (!error && stream_next(&reader, &record, &where) == STREAM_RECORD)
		if (record.understood)
			error = use(insertion, &record);
	return error;
}

/* Who comes, and with what. The checker has seen to it that there is one domain. */
static int collect(struct insertion *insertion, const struct stream_record *record)
{
	switch (record->type) {
	case STREAM_IMAGE:
		insertion->image = record->own.image;
		break;
	case STREAM_DOMAIN_STATE:
		insertion->state = record->own.domain_state;
		insertion->home_len = (size_t)snprintf(insertion->home, sizeof(insertion->home),
						       "/local/domain/%u", insertion->state.domid);
		break;
	case STREAM_DOMAIN:
		insertion->quotas = record->domain;
		insertion->has_quotas = true;
		break;
	case STREAM_CONNECTION:
		insertion->connection = record->connection;
		insertion->has_connection = true;
		break;
	case STREAM_CLIENT:
		insertion->client_state = record->own.client;
		break;
	case STREAM_WATCH:
	case STREAM_WATCH_EXTENDED:
		insertion->report->watches++;
		insertion->watch_bytes += record->watch.path_len + record->watch.token_len + 64u;
		break;
	case STREAM_TX:
		insertion->report->transactions++;
		break;
	default:
		break;
	}
	return 0;
}

static int find_domain(struct insertion *insertion, unsigned int domid, unsigned int port)
{
	struct domains *domains = &insertion->core->state.domains;
	struct client *client;
	int error;

	insertion->fresh = !domain_find(domains, domid);
	error = core_know_domain(insertion->core, insertion->request->client, domid,
				 &insertion->domain);
	if (error == ENOENT)
		return fragment_refuse(insertion, "There is no domain %u.", domid);
	if (error)
		return error;
	if (domain_is_special(domains, insertion->domain)) {
		insertion->domain = NULL;
		return fragment_refuse(insertion, "Domain %u is the store's own.", domid);
	}
	insertion->old_limits = insertion->domain->account.limits;
	insertion->old_features = insertion->domain->features;
	client = insertion->domain->client;
	if (port)
		return insertion->domain->introduced
			       ? fragment_refuse(insertion, "Domain %u is introduced already.",
						 domid)
			       : 0;
	if (!client)
		return fragment_refuse(insertion, "Domain %u is not introduced.", domid);
	if (client->ignored || client->transaction_count || !TAILQ_EMPTY(&client->watches) ||
	    client->input_len || !TAILQ_EMPTY(&client->output))
		return fragment_refuse(insertion, "The connection of domain %u is in use.", domid);
	if (insertion->connection.input_len || insertion->connection.output_len)
		return fragment_refuse(insertion,
				       "It has requests or messages that belong to its ring: "
				       "domain %u must be introduced with it.",
				       domid);
	return 0;
}

static int add_node(struct insertion *insertion, const struct stream_record *record)
{
	return record->type == STREAM_NODE ? fragment_node(insertion, &record->node) : 0;
}

static int build_nodes(struct insertion *insertion)
{
	insertion->tx = transaction_start(&insertion->core->state, insertion->core->now);
	if (!insertion->tx)
		return ENOMEM;
	insertion->tx->client = insertion->request->client;
	return each_record(insertion, add_node);
}

/* Its quotas come with it, and must be kept. */
static int check_quotas(struct insertion *insertion)
{
	struct account *account = &insertion->domain->account;
	uint64_t need[QUOTA_COUNT] = {
		[QUOTA_NODES] = (uint64_t)transaction_added_nodes(insertion->tx, insertion->domain),
		[QUOTA_WATCHES] = insertion->report->watches,
		[QUOTA_TRANSACTIONS] = insertion->report->transactions,
		[QUOTA_MEMORY] = insertion->watch_bytes + insertion->connection.output_len +
				 insertion->report->transactions * sizeof(*insertion->tx),
	};
	const struct change *change;

	if (insertion->has_quotas)
		image_take_quotas(&insertion->quotas.quotas, &account->limits);
	TAILQ_FOREACH(change, &insertion->tx->changes, link)
		for (int i = 0; i < 2; i++)
			if (change->effect[i].domain == insertion->domain &&
			    change->effect[i].memory > 0)
				need[QUOTA_MEMORY] += (uint64_t)change->effect[i].memory;
	for (enum quota i = 0; i < QUOTA_COUNT; i++)
		if (need[i] && account_exceeds(account, i, account->now[i] + need[i]))
			return fragment_refuse(insertion,
					       "It needs more %s than domain %u may have.",
					       quota_name(i), insertion->domain->domid);
	return 0;
}

/* Introduce the domain with what is in its ring. */
static int introduce(struct insertion *insertion, unsigned int port)
{
	struct core *core = insertion->core;
	struct rings *rings = core->world->rings;
	struct domain *domain = insertion->domain;
	struct transport *transport;
	int error;

	if (!rings)
		return fragment_refuse(insertion, "There are no rings on this machine.");
	error = event_add_special(core, &insertion->request->events, "@introduceDomain", true, true,
				  domain->domid);
	if (error)
		return error;
	domain->features = insertion->state.features & XS_FEATURES_DEFAULT;
	error = -rings->connect(rings, domain->domid, port, domain->features, &transport);
	if (error)
		return fragment_refuse(insertion, "The ring of domain %u: %s.", domain->domid,
				       strerror(error));
	insertion->client = client_new(core, transport, domain, false);
	if (!insertion->client) {
		transport->ops->close(transport);
		return ENOMEM;
	}
	domain->client = insertion->client;
	insertion->connected = true;
	return 0;
}

static int add_watch(struct insertion *insertion, const struct stream_watch *in)
{
	struct core *core = insertion->core;
	struct client *client = insertion->client;
	struct account *account = client_account(client);
	struct watch *watch;
	struct path path;
	int error = 0;

	/* A relative path stays one. */
	if (in->path[0] != '/')
		error = path_make(&path, in->path, in->path_len, client->identity.domid, true, 0);
	else
		error = fragment_path(insertion, in->path, in->path_len, &path);
	if (error)
		return fragment_refuse(insertion, "A watch on %.200s is not possible.", in->path);
	if (watch_find(&core->watches, client->id, path.text, path.len, in->token, in->token_len))
		return 0;
	watch = watch_add(&core->watches, client, client->id, &path, in->token, in->token_len,
			  in->depth == STREAM_NO_DEPTH ? WATCH_NO_DEPTH : in->depth);
	if (!watch)
		return ENOMEM;
	TAILQ_INSERT_TAIL(&client->watches, watch, of_client);
	account_add(account, QUOTA_WATCHES, 1);
	account_add(account, QUOTA_MEMORY, (int64_t)(path.len + in->token_len));
	return 0;
}

/* Its snapshot stayed behind: the guest has to do it again. */
static int add_transaction(struct insertion *insertion, const struct stream_tx *in)
{
	struct core *core = insertion->core;
	struct client *client = insertion->client;
	struct transaction *tx = transaction_start(&core->state, core->now);

	if (!tx)
		return ENOMEM;
	transaction_lose(&core->state, tx);
	tx->client = client;
	tx->id = in->tx_id;
	if (!client->transaction_count)
		client->transactions_since = core->now;
	LIST_INSERT_HEAD(&client->transactions, tx, of_client);
	TAILQ_INSERT_TAIL(&core->transactions, tx, age);
	client->transaction_count++;
	core->transaction_count++;
	account_add(client_account(client), QUOTA_TRANSACTIONS, 1);
	transaction_recharge(core, client, tx);
	return 0;
}

static int add_to_client(struct insertion *insertion, const struct stream_record *record)
{
	if (record->type == STREAM_WATCH || record->type == STREAM_WATCH_EXTENDED)
		return add_watch(insertion, &record->watch);
	if (record->type == STREAM_TX)
		return add_transaction(insertion, &record->own.tx);
	return 0;
}

static int fill_client(struct insertion *insertion)
{
	struct client *client = insertion->client;
	int error = each_record(insertion, add_to_client);

	if (insertion->client_state.last_transaction > client->last_transaction)
		client->last_transaction = insertion->client_state.last_transaction;
	if (!error)
		error = image_restore_input(client, &insertion->connection);
	if (!error)
		error = image_restore_output(insertion->core, client, &insertion->connection);
	return error;
}

/* From here on nothing can fail but the commit itself. */
static int commit(struct insertion *insertion)
{
	struct request *request = insertion->request;
	struct core *core = insertion->core;
	struct domain *domain = insertion->domain;
	struct client *client = insertion->client;
	int error;

	/* To the guest its own nodes are nothing new. */
	client->ignored = true;
	request->tx = insertion->tx;
	error = request_commit(request);
	request->tx = NULL;
	if (!error) {
		event_batch_queue(core, &request->events, NULL);
		event_batch_init(&request->events);
	}
	client->ignored = !error && (insertion->client_state.flags & STREAM_CLIENT_IGNORED);
	if (error || !insertion->connected)
		return error == EAGAIN ? fragment_refuse(insertion, "Its domain has ended.")
				       : error;
	domain->introduced = true;
	ratelimit_join(&core->state.domains.ratelimit, &domain->credit, core->now);
	core->world->rings->connected(core->world->rings, client->transport);
	return 0;
}

static void undo(struct insertion *insertion)
{
	struct core *core = insertion->core;
	struct domain *domain = insertion->domain;

	event_batch_discard(&insertion->request->events);
	event_batch_init(&insertion->request->events);
	if (insertion->connected) {
		client_free(core, insertion->client);
	} else if (insertion->client) {
		/* It had none of its own. */
		client_drop_watches(core, insertion->client);
		client_drop_transactions(core, insertion->client);
	}
	if (!domain)
		return;
	domain->account.limits = insertion->old_limits;
	domain->features = insertion->old_features;
	if (insertion->fresh) {
		domain_free(&core->state.domains, domain);
		core->state.version++;
	}
}

int fragment_insert(struct request *request, unsigned int domid, unsigned int port,
		    const void *data, size_t size, struct fragment_report *report)
{
	struct insertion insertion = {.request = request,
				      .core = request->core,
				      .report = report,
				      .data = data,
				      .size = size};
	int error;

	memset(report, 0, sizeof(*report));
	error = check(&insertion);
	if (!error)
		error = each_record(&insertion, collect);
	if (!error)
		error = find_domain(&insertion, domid, port);
	if (!error)
		error = build_nodes(&insertion);
	if (!error)
		error = check_quotas(&insertion);
	if (!error && port)
		error = introduce(&insertion, port);
	if (!error) {
		insertion.client = insertion.domain->client;
		error = fill_client(&insertion);
	}
	if (!error)
		error = commit(&insertion);
	if (insertion.tx)
		transaction_free(&request->core->state, insertion.tx);
	if (error)
		undo(&insertion);
	else
		client_wake(request->core, insertion.client);
	request->work += report->nodes;
	return error == FRAGMENT_REFUSED ? 0 : error;
}
