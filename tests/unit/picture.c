/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Printing nodes, domains and counters. */
#include "picture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state/state.h"

static void print_perms(const struct core *core, struct text *out, const struct perms *perms)
{
	for (uint32_t i = 0; i < perms->count; i++) {
		const struct perm *entry = &perms->entry[i];
		bool dead = entry->record >= DOMAIN_RECORD_FIRST &&
			    !domain_with_record(&core->state.domains, entry->domid, entry->record);

		text_print(out, " %c%u%s", perm_char(entry->letter), entry->domid,
			   dead			? "(dead)"
			   : entry->record == 0 ? "(stale)"
			   : entry->record == 1 ? "(any)"
						: "");
	}
}

/* Print a node and all below it; returns the bytes that they take. */
static size_t print_node(const struct core *core, struct text *out, struct node *node,
			 unsigned int level)
{
	size_t bytes = node_bytes(node) + children_bytes(node);

	text_print(out, "%*s%s =", (int)(2 * level), "", node_name(node));
	text_add(out, " ", 1);
	text_add(out, node_value(node), node->value_len);
	print_perms(core, out, node->perms);
	text_print(out, "%s\n", node->flags & NODE_OWNERSHIP_ROOT ? " root" : "");
	for (uint32_t i = 0; i < node_child_count(node); i++) {
		struct node *child = children_at(node, i);

		if (children_find(node, child->data, child->name_len) != child)
			text_print(out, "%s is not found by its name!\n", child->data);
		bytes += print_node(core, out, child, level + 1);
	}
	return bytes;
}

static int by_path(const void *a, const void *b)
{
	const struct ownership_root *const *x = a, *const *y = b;

	return strcmp((*x)->path, (*y)->path);
}

static void print_domain(struct text *out, const struct domain *domain,
			 const struct quota_limits *limits)
{
	static const enum quota shown[] = {QUOTA_NODES, QUOTA_MEMORY, QUOTA_WATCHES,
					   QUOTA_TRANSACTIONS, QUOTA_OUTSTANDING};
	const struct ownership_root *root, *all[64];
	size_t count = 0;
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		sum += domain->account.now[shown[i]];
	/* Those of domain 0 are never asked for, and depend on the order of others' deaths. */
	LIST_FOREACH(root, &domain->roots, of_domain) {
		if (!domain->domid)
			continue;
		assert_true(count < sizeof(all) / sizeof(all[0]));
		all[count++] = root;
	}
	/* That a domain has been asked for is no effect as long as nothing is known of it. */
	if (!domain->introduced && !sum && !count && domain->features == XS_FEATURES_DEFAULT &&
	    !memcmp(&domain->account.limits, limits, sizeof(*limits)))
		return;
	text_print(out, "domain %u%s%s%s%s features %u target %u:", domain->domid,
		   domain->introduced ? " introduced" : "", domain->dying ? " dying" : "",
		   domain->shutdown_reported ? " shutdown" : "",
		   domain->shutdown_owed ? " owed" : "", domain->features,
		   domain->target ? domain->target_domid : 0u);
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		text_print(out, " %s %llu", quota_name(shown[i]),
			   (unsigned long long)domain->account.now[shown[i]]);
	for (int i = 0; i < QUOTA_COUNT; i++)
		text_print(out, " %u", domain->account.limits.hard[i]);
	qsort(all, count, sizeof(all[0]), by_path);
	for (size_t i = 0; i < count; i++)
		text_print(out, "\n  root %s%s", all[i]->path, all[i]->cover ? " cover" : "");
	text_print(out, "\n");
}

void picture_tree(const struct core *core, struct text *out)
{
	const struct state *state = &core->state;
	size_t bytes;

	text_clear(out);
	bytes = print_node(core, out, state->live.root, 0);
	if (bytes != state->live.bytes)
		text_print(out, "%zu bytes counted, but there are %zu!\n", state->live.bytes,
			   bytes);
}

void picture_state(const struct core *core, struct text *out)
{
	picture_tree(core, out);
	for (unsigned int domid = 0; domid < 64; domid++) {
		const struct domain *domain = domain_find(&core->state.domains, domid);

		if (domain)
			print_domain(out, domain, &core->state.domains.quota);
	}
	text_print(out,
		   "%u clients, %u transactions, %u watches in %zu bytes, %llu bytes of output\n",
		   core->client_count, core->transaction_count, core->watches.count,
		   core->watches.bytes, (unsigned long long)core->output_bytes);
}
