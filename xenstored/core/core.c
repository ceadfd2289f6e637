/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The core's life and its turns. */
#include "core/core.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/domains.h"
#include "verbs/transaction.h"

/* Units of put-off work in a turn: some ten microseconds, so that a neighbour hardly notices. */
#define BACKGROUND_WORK 64

/* How often the same limit of the same domain is told. */
#define REPORT_INTERVAL_MS 10000

void core_config_defaults(struct core_config *config)
{
	memset(config, 0, sizeof(*config));
	config->event_timeout_ms = 20000;
	config->output_max = OUTPUT_MAX_DEFAULT;
	config->snapshot_min = SNAPSHOT_MIN_DEFAULT;
	quota_defaults(&config->quota);
}

/* For the trace. */
static void account_changed(void *data, const struct account *account, enum quota quota,
			    int64_t delta)
{
	core_trace(data, LOG_ACC, "domain %u: %s %+lld = %llu", domain_of_account(account)->domid,
		   quota_name(quota), (long long)delta, (unsigned long long)account->now[quota]);
}

struct core *core_new(struct world *world, const struct core_config *config)
{
	struct core *core = calloc(1, sizeof(*core));

	if (!core)
		return NULL;
	core->world = world;
	core->config = *config;
	core->now = world->now(world);
	TAILQ_INIT(&core->clients);
	TAILQ_INIT(&core->runnable);
	TAILQ_INIT(&core->waiting);
	TAILQ_INIT(&core->transactions);
	TAILQ_INIT(&core->expiring);
	TAILQ_INIT(&core->deaths);
	hash_init(&core->pending_events);
	core->input = malloc(CLIENT_INPUT_RESTORED_MAX);
	core->output = malloc(CLIENT_INPUT_MAX);
	if (!core->input || !core->output)
		goto fail;
	if (state_init(&core->state, &config->secret, config->generation, config->own_domid,
		       config->priv_domid))
		goto fail;
	core->state.domains.quota = config->quota;
	core->state.domains.watcher = (struct account_watcher){account_changed, core};
	if (watches_init(&core->watches, &core->state.secret)) {
		state_deinit(&core->state);
		goto fail;
	}
	for (struct domain *domain = TAILQ_FIRST(&core->state.domains.list); domain;
	     domain = TAILQ_NEXT(domain, link))
		domain->account.limits = config->quota;
	return core;

fail:
	free(core->input);
	free(core->output);
	free(core);
	return NULL;
}

void core_free(struct core *core)
{
	struct client *client;
	struct domain *domain;

	if (!core)
		return;
	while ((client = TAILQ_FIRST(&core->clients)))
		client_free(core, client);
	TAILQ_FOREACH(domain, &core->deaths, death)
		if (domain->search) {
			walk_deinit(domain->search);
			free(domain->search);
		}
	watches_deinit(&core->watches);
	hash_deinit(&core->pending_events);
	state_deinit(&core->state);
	free(core->input);
	free(core->output);
	free(core->spare);
	free(core);
}

void core_log(struct core *core, int priority, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	core->world->log->message(core->world->log, priority, text);
}

void core_trace(struct core *core, enum log_class class, const char *format, ...)
{
	struct logger *log = core->world->log;
	char text[PATH_SIZE + 256];
	va_list args;

	if (!log->enabled(log, class))
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log->trace(log, class, text);
}

void core_trace_change(struct core *core, const struct change *change)
{
	const struct node *node;

	if (!core->world->log->enabled(core->world->log, LOG_TDB))
		return;
	if (change->kind == TREE_REMOVE) {
		core_trace(core, LOG_TDB, "delete %.*s", (int)change->len, change->path);
		return;
	}
	/* A later change of the same transaction may have removed it. */
	node = tree_find(&core->state.live, change->path, change->len);
	if (node)
		core_trace(core, LOG_TDB, "store %.*s size %zu", (int)change->len, change->path,
			   node_size(node));
}

void core_trace_credit(struct core *core, const struct domain *domain, int units)
{
	core_trace(core, LOG_WRL, "domain %u: %d units charged, %lld points left", domain->domid,
		   units, (long long)domain->credit.points);
}

void core_quota_hit(struct core *core, struct domain *domain, enum quota quota)
{
	uint64_t *last = &domain->account.reported[quota];

	if (*last && core->now - *last < REPORT_INTERVAL_MS)
		return;
	*last = core->now ? core->now : 1;
	core_log(core, LOG_WARNING, "Domain %u reaches quota %s (%u)", domain->domid,
		 quota_name(quota), domain->account.limits.hard[quota]);
}

void core_memory_changed(struct core *core, struct domain *domain)
{
	struct account *account = &domain->account;
	uint64_t total = account->now[QUOTA_MEMORY];
	uint32_t hard = account->limits.hard[QUOTA_MEMORY],
		 soft = account->limits.soft[QUOTA_MEMORY];
	bool recent = account->memory_reported &&
		      core->now - account->memory_reported < REPORT_INTERVAL_MS;
	const char *text = NULL;
	int priority = LOG_INFO;

	if (domain_is_special(&core->state.domains, domain) || domain->dying || !domain->client ||
	    domain->client->ignored || core->restoring)
		return;
	if (domain->client->wait == WAIT_QUOTA)
		client_wake(core, domain->client);
	if (hard && total > hard) {
		if (account->over_hard)
			return;
		account->over_hard = true;
		priority = LOG_ERR;
		text = "exceeds hard memory quota, Xenstore interface to domain stalled";
	} else if (recent) {
		return;
	} else if (account->over_hard) {
		account->over_hard = false;
		text = "below hard memory quota again";
	} else if (soft && soft != QUOTA_OFF && total >= soft && !account->over_soft) {
		account->over_soft = true;
		priority = LOG_WARNING;
		text = "exceeds soft memory quota";
	} else if (soft && total < soft && account->over_soft) {
		account->over_soft = false;
		text = "below soft memory quota again";
	}
	if (!text)
		return;
	account->memory_reported = core->now ? core->now : 1;
	core_log(core, priority, "Domain %u %s", domain->domid, text);
}

bool core_has_releases(const struct core *core)
{
	return !TAILQ_EMPTY(&core->state.releases) || !TAILQ_EMPTY(&core->deaths);
}

struct client *core_accept(struct core *core, struct transport *transport)
{
	struct domain *own = domain_find(&core->state.domains, core->state.domains.own_domid);
	struct client *client = client_new(core, transport, own, true);

	if (!client) {
		transport->ops->close(transport);
		return NULL;
	}
	client_wake(core, client);
	return client;
}

void core_ready(struct core *core, struct client *client, bool readable, bool writable, bool ending)
{
	client->ending |= ending;
	client->readable |= readable;
	client->writable |= writable;
	client_wake(core, client);
}

void core_hold_input(struct core *core, bool hold)
{
	struct client *client;

	if (core->holds_input && !hold)
		TAILQ_FOREACH(client, &core->clients, link)
			client_wake(core, client);
	core->holds_input = hold;
}

/* Events that nobody has begun to take in time. */
static void expire_events(struct core *core)
{
	struct message *message;

	while ((message = TAILQ_FIRST(&core->expiring)) && message->deadline <= core->now) {
		if (message->sent) {
			/* Half of it is out: it stays. */
			TAILQ_REMOVE(&core->expiring, message, expiry);
			message->expires = false;
			continue;
		}
		core_trace(core, LOG_CLASS_NONE, "watch event path %s for domain %u timed out",
			   message->payload, message->client->identity.domid);
		client_unqueue(core, message);
	}
}

/* Look again at clients that are held back, when something may have changed for them. */
static void wake_waiting(struct core *core)
{
	struct client *client, *next;

	if (!core->recheck && !(core->wake_at && core->now >= core->wake_at))
		return;
	core->recheck = false;
	core->wake_at = 0;
	for (client = TAILQ_FIRST(&core->waiting); client; client = next) {
		next = TAILQ_NEXT(client, waiting);
		TAILQ_REMOVE(&core->waiting, client, waiting);
		client->in_waiting = false;
		client_wake(core, client);
	}
}

static void run_clients(struct core *core)
{
	/* Those that come in meanwhile have their turn after the next look at the world. */
	unsigned int count = core->runnable_count;
	struct client *client;

	while (count-- && (client = TAILQ_FIRST(&core->runnable))) {
		client_unwake(core, client);
		if (client_turn(core, client, CLIENT_BUDGET))
			client_wake(core, client);
	}
}

/* Tell when the write rate limit has had nothing to do for a while. */
static void tell_quiet(struct core *core)
{
	struct ratelimit *limit = &core->state.domains.ratelimit;

	if (!limit->last_effect || limit->quiet_reported ||
	    core->now - limit->last_effect <= RATELIMIT_QUIET_MS)
		return;
	limit->quiet_reported = true;
	core_log(core, LOG_WARNING, "write rate limit: not in force recently");
}

static void background(struct core *core)
{
	bool had = core_has_releases(core);

	core->starved = false;
	if (core->changes_left)
		core_domains_changed(core);
	if (core->rechecking)
		core_recheck_some(core);
	core_bury_some(core, BACKGROUND_WORK);
	core->starved |= release_some(&core->state, BACKGROUND_WORK) != 0;
	if (core->starved)
		core_make_room(core);
	if (had && !core_has_releases(core))
		core->recheck = true;
	transaction_limit_held(core);
	tell_quiet(core);
	if (core->owed)
		core_tell_owed(core);
}

int core_turn(struct core *core)
{
	const struct message *next;
	uint64_t due = 0;

	core->now = core->world->now(core->world);
	expire_events(core);
	wake_waiting(core);
	run_clients(core);
	background(core);
	if (!TAILQ_EMPTY(&core->runnable) || core->recheck || core->changes_left ||
	    core->rechecking)
		return 0;
	if (!core->starved && (core_has_releases(core) || store_has_dead(&core->state.store)))
		return 0;
	if (core->owed || core->starved)
		due = core->now + MEMORY_RETRY_MS;
	next = TAILQ_FIRST(&core->expiring);
	if (next && (!due || next->deadline < due))
		due = next->deadline;
	if (core->wake_at && (!due || core->wake_at < due))
		due = core->wake_at;
	if (!due)
		return -1;
	return due <= core->now ? 0 : (int)(due - core->now);
}
