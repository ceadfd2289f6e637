/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Content, accounts, sums. */
#include "compare.h"

#include <stdio.h>
#include <string.h>

bool compare_models(const struct model_node *a, const struct model_node *b)
{
	if (strcmp(a->name, b->name) != 0 || a->count != b->count || a->value_len != b->value_len ||
	    memcmp(a->value, b->value, a->value_len) != 0 ||
	    !model_same_perms(&a->perms, &b->perms))
		return false;
	for (unsigned int i = 0; i < a->count; i++)
		if (!compare_models(a->child[i], b->child[i]))
			return false;
	return true;
}

/* The entries that GET_PERMS shows. */
static bool same_perms(const struct core *core, const struct perms *have, const struct model *model,
		       const struct model_perms *want)
{
	uint32_t i = 0;

	for (unsigned int k = 0; k < want->count; k++) {
		const struct model_perm *entry = &want->entry[k];
		const struct perm *other;

		if (k && !model_entry_shown(model, entry))
			continue;
		while (i && i < have->count && have->entry[i].record >= DOMAIN_RECORD_FIRST &&
		       !domain_with_record(&core->state.domains, have->entry[i].domid,
					   have->entry[i].record))
			i++;
		if (i >= have->count)
			return false;
		other = &have->entry[i++];
		if (other->domid != entry->domid || perm_char(other->letter) != entry->letter ||
		    (other->record == PERM_RECORD_STALE) != (entry->life == MODEL_STALE))
			return false;
	}
	while (i < have->count && have->entry[i].record >= DOMAIN_RECORD_FIRST &&
	       !domain_with_record(&core->state.domains, have->entry[i].domid,
				   have->entry[i].record))
		i++;
	return i == have->count;
}

static bool same_node(const struct core *core, struct node *have, const struct model *model,
		      const struct model_node *want, char *why, size_t size)
{
	const char *what = NULL;

	if (strlen(want->name) != have->name_len || memcmp(want->name, have->data, have->name_len))
		what = "name";
	else if (have->value_len != want->value_len ||
		 memcmp(node_value(have), want->value, want->value_len) != 0)
		what = "value";
	else if (want->name[0] && !same_perms(core, have->perms, model, &want->perms))
		what = "permissions";
	else if (node_child_count(have) != want->count)
		what = "number of children";
	if (what) {
		snprintf(why, size, "%s of node \"%s\" (core: \"%s\") is not the model's", what,
			 want->name, node_name(have));
		return false;
	}
	for (unsigned int i = 0; i < want->count; i++)
		if (!same_node(core, children_at(have, i), model, want->child[i], why, size))
			return false;
	return true;
}

static size_t recount_pages(const struct page *page)
{
	size_t bytes = page ? sizeof(*page) + page->room * sizeof(void *) : 0;

	for (unsigned int i = 0; page && page->level && i < page->count; i++)
		bytes += recount_pages(page->slot[i]);
	return bytes;
}

size_t compare_recount(struct node *node)
{
	size_t bytes = sizeof(*node) + node->room + recount_pages(node->by_sequence) +
		       recount_pages(node->by_name);
	struct node *child;

	for (uint32_t i = 0; (child = children_at(node, i)); i++)
		bytes += compare_recount(child);
	return bytes;
}

static uint64_t count_nodes(const struct core *core, const struct domain *domain, struct node *node)
{
	uint64_t count = node->name_len &&
			 domain_owner(&core->state.domains, node->perms) == domain;
	struct node *child;

	for (uint32_t i = 0; (child = children_at(node, i)); i++)
		count += count_nodes(core, domain, child);
	return count;
}

/* What nodes cost the memory account of @domain (spec: quotas.md section 3, memory). */
static uint64_t memory_of_nodes(const struct core *core, const struct domain *domain,
				struct node *node, size_t path_len)
{
	uint64_t bytes = 0;
	struct node *child;
	size_t len = path_len + node->name_len;

	/* "/a": the slash is the root's name and separates as well. */
	if (path_len > 1)
		len++;
	if (node->name_len && domain_owner(&core->state.domains, node->perms) == domain)
		bytes = node_size(node) + len;
	for (uint32_t i = 0; (child = children_at(node, i)); i++)
		bytes += memory_of_nodes(core, domain, child, len);
	return bytes;
}

/* Requests of @domain whose replies or consequences are still queued somewhere. */
static uint64_t count_outstanding(const struct core *core, const struct domain *domain)
{
	const struct cause *seen[256];
	const struct message *message;
	const struct client *client;
	unsigned int causes = 0;
	uint64_t count = 0;

	TAILQ_FOREACH(client, &core->clients, link)
		TAILQ_FOREACH(message, &client->output, link) {
			unsigned int i = 0;

			count += message->counted && client->identity.domain == domain;
			if (!message->cause || message->cause->record != domain->record)
				continue;
			while (i < causes && seen[i] != message->cause)
				i++;
			if (i == causes && causes < sizeof(seen) / sizeof(seen[0]))
				seen[causes++] = message->cause;
		}
	return count + causes;
}

/* What the clients of @domain hold. */
static void count_clients(const struct core *core, const struct domain *domain, uint64_t *now)
{
	const struct transaction *tx;
	const struct message *message;
	const struct client *client;
	const struct watch *watch;

	TAILQ_FOREACH(client, &core->clients, link) {
		if (client->identity.domain != domain)
			continue;
		TAILQ_FOREACH(watch, &client->watches, of_client) {
			now[QUOTA_WATCHES]++;
			now[QUOTA_MEMORY] += watch->path_len + watch->token_len;
		}
		TAILQ_FOREACH(message, &client->output, link)
			now[QUOTA_MEMORY] += message_size(message);
		LIST_FOREACH(tx, &client->transactions, of_client) {
			now[QUOTA_TRANSACTIONS]++;
			now[QUOTA_MEMORY] += tx->charged;
		}
	}
}

static bool same_account(const struct core *core, const struct domain *domain, char *why,
			 size_t size)
{
	uint64_t now[QUOTA_COUNT] = {0};

	now[QUOTA_NODES] = count_nodes(core, domain, core->state.live.root);
	now[QUOTA_MEMORY] = memory_of_nodes(core, domain, core->state.live.root, 0);
	now[QUOTA_OUTSTANDING] = count_outstanding(core, domain);
	count_clients(core, domain, now);
	for (enum quota i = 0; i < QUOTA_COUNT; i++)
		if (now[i] != domain->account.now[i]) {
			snprintf(why, size, "account of domain %u has %lu %s, a recount %lu",
				 domain->domid, domain->account.now[i], quota_name(i), now[i]);
			return false;
		}
	return true;
}

bool compare_recounts(const struct core *core, char *why, size_t size)
{
	const struct tree *live = &core->state.live;
	const struct domain *domain;
	size_t bytes = compare_recount(live->root);

	TAILQ_FOREACH(domain, &core->state.domains.list, link)
		if (!same_account(core, domain, why, size))
			return false;
	if (live->bytes == bytes &&
	    (core->transaction_count || core->snapshots || core->state.store.bytes == bytes))
		return true;
	snprintf(why, size, "live tree counts %zu bytes, store %zu, a recount %zu", live->bytes,
		 core->state.store.bytes, bytes);
	return false;
}

static bool as_model(const struct core *core, const struct model *model, unsigned int domid,
		     const struct compare_use *use, char *why, size_t size)
{
	const struct domain *domain = domain_find(&core->state.domains, domid);
	uint64_t nodes = (uint64_t)model_count(model, model->live, domid);
	const uint64_t *now;

	if (!domain != !model->domain[domid].life) {
		snprintf(why, size, "domain %u is %sknown", domid, domain ? "" : "not ");
		return false;
	}
	if (!domain)
		return true;
	now = domain->account.now;
	if (now[QUOTA_NODES] == nodes && now[QUOTA_WATCHES] == use->watches &&
	    now[QUOTA_TRANSACTIONS] == use->transactions && now[QUOTA_OUTSTANDING] == 0)
		return true;
	snprintf(why, size,
		 "account of domain %u: nodes %lu, watches %lu, transactions %lu, outstanding %lu; "
		 "expected %lu, %u, %u, 0",
		 domid, now[QUOTA_NODES], now[QUOTA_WATCHES], now[QUOTA_TRANSACTIONS],
		 now[QUOTA_OUTSTANDING], nodes, use->watches, use->transactions);
	return false;
}

bool compare_core(const struct core *core, const struct model *model, const struct compare_use *use,
		  char *why, size_t size)
{
	if (!same_node(core, core->state.live.root, model, model->live, why, size))
		return false;
	for (unsigned int domid = 0; domid < MODEL_DOMAINS; domid++)
		if (!as_model(core, model, domid, &use[domid], why, size))
			return false;
	return compare_recounts(core, why, size);
}
