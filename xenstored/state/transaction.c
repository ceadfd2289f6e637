/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Branching, noting dependencies, checking and replaying. */
#include "state/transaction.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct transaction *transaction_start(struct state *state, uint64_t now)
{
	struct transaction *tx = calloc(1, sizeof(*tx));

	if (!tx)
		return NULL;
	tx->started = now;
	tx->version = state->version;
	tree_branch(&tx->base, &state->live);
	tree_branch(&tx->branch, &state->live);
	hash_init(&tx->touched);
	TAILQ_INIT(&tx->touches);
	TAILQ_INIT(&tx->changes);
	return tx;
}

static void forget_records(struct state *state, struct transaction *tx)
{
	struct touch *touch;
	struct change *change;

	while ((change = TAILQ_FIRST(&tx->changes))) {
		TAILQ_REMOVE(&tx->changes, change, link);
		change_free(state, change);
	}
	hash_deinit(&tx->touched);
	while ((touch = TAILQ_FIRST(&tx->touches))) {
		TAILQ_REMOVE(&tx->touches, touch, order);
		free(touch);
	}
	tx->bytes = 0;
}

static void drop_trees(struct transaction *tx)
{
	if (tx->base.root)
		tree_drop(&tx->base);
	if (tx->branch.root)
		tree_drop(&tx->branch);
	tx->branch.allocated = 0;
}

void transaction_free(struct state *state, struct transaction *tx)
{
	forget_records(state, tx);
	drop_trees(tx);
	free(tx);
}

void transaction_lose(struct state *state, struct transaction *tx)
{
	if (tx->lost)
		return;
	tx->lost = true;
	forget_records(state, tx);
	drop_trees(tx);
}

struct touch *transaction_find(const struct state *state, const struct transaction *tx,
			       const char *path, size_t len)
{
	uint64_t hash = hash_bytes(&state->secret, 0, path, len);
	struct hash_link *link = NULL;

	while ((link = hash_find(&tx->touched, hash, link))) {
		struct touch *touch = hash_entry(link, struct touch, link);

		if (touch->len == len && !memcmp(touch->path, path, len))
			return touch;
	}
	return NULL;
}

static struct touch *append_touch(struct transaction *tx, const char *path, size_t len)
{
	struct touch *touch = calloc(1, sizeof(*touch) + len + 1);

	if (!touch)
		return NULL;
	touch->len = (uint32_t)len;
	memcpy(touch->path, path, len);
	TAILQ_INSERT_TAIL(&tx->touches, touch, order);
	tx->bytes += sizeof(*touch) + len + 1;
	return touch;
}

static struct touch *add_touch(struct state *state, struct transaction *tx, const char *path,
			       size_t len)
{
	struct touch *touch = append_touch(tx, path, len);

	if (!touch)
		return NULL;
	hash_insert(&tx->touched, &touch->link, hash_bytes(&state->secret, 0, path, len));
	tx->touch_count++;
	return touch;
}

int transaction_touch_below(struct transaction *tx, const char *path, size_t len)
{
	struct touch *touch = append_touch(tx, path, len);

	if (!touch)
		return ENOMEM;
	touch->below = true;
	tx->removed = true;
	return 0;
}

int transaction_touch(struct state *state, struct transaction *tx, const char *path, size_t len,
		      const struct node *node, unsigned int facets)
{
	struct touch *touch = transaction_find(state, tx, path, len);
	bool in_base;

	if (!touch)
		touch = add_touch(state, tx, path, len);
	if (!touch)
		return ENOMEM;
	facets &= ~(unsigned int)(touch->own | touch->depends);
	if (!facets || tx->lost || (touch->own & FACET_EXISTENCE))
		return 0;
	/* One without the other is the transaction's own doing and depends on nothing. */
	in_base = tx->base.root == tx->branch.root ? node != NULL
						   : tree_find(&tx->base, path, len) != NULL;
	if (in_base && node)
		touch->depends |= (uint8_t)facets;
	else if (!in_base && !node)
		touch->depends |= FACET_EXISTENCE;
	return 0;
}

int transaction_restore_touch(struct state *state, struct transaction *tx, const char *path,
			      size_t len, unsigned int depends, unsigned int own, bool event,
			      bool below)
{
	struct touch *touch;

	if (below)
		return transaction_touch_below(tx, path, len);
	touch = add_touch(state, tx, path, len);
	if (!touch)
		return ENOMEM;
	touch->depends = (uint8_t)depends;
	touch->own = (uint8_t)own;
	touch->event = event;
	return 0;
}

static void drop_change(struct state *state, struct transaction *tx, struct change *change)
{
	TAILQ_REMOVE(&tx->changes, change, link);
	tx->bytes -= change_bytes(change);
	change_free(state, change);
}

/* What a change means for the record of its path. */
static void note_change(struct state *state, struct transaction *tx, struct touch *touch,
			struct change *change)
{
	touch->event = true;
	switch (change->kind) {
	case TREE_WRITE:
		touch->own |= FACET_VALUE | FACET_GENERATION;
		if (touch->last_write) {
			/* Written again and again: the last value is enough. */
			change->effect[0].memory += touch->last_write->effect[0].memory;
			drop_change(state, tx, touch->last_write);
		}
		touch->last_write = change;
		break;
	case TREE_PERMS:
		touch->own |= FACET_PERMS | FACET_GENERATION;
		touch->last_write = NULL; /* the next value may be on another account */
		break;
	case TREE_REMOVE:
		break;
	case TREE_CREATE:
		break;
	}
}

/* The nodes that a creation made are the transaction's own in all respects. */
static void note_created(struct state *state, struct transaction *tx, const struct change *change)
{
	const char *rest = change->path + change->created_len, *end = change->path + change->len;
	size_t name_len;

	do {
		struct touch *touch = transaction_find(state, tx, change->path,
						       (size_t)(rest - change->path));

		if (touch) {
			touch->own |= FACET_EXISTENCE;
			touch->last_write = NULL;
		}
	} while (path_next(&rest, end, &name_len));
	tx->created = true;
}

int transaction_change(struct state *state, struct transaction *tx, struct change *change)
{
	struct touch *touch = transaction_find(state, tx, change->path, change->len);
	int error;

	if (tx->lost) {
		change_free(state, change);
		return 0;
	}
	error = change_prepare(state, &tx->branch, change);
	if (error) {
		change_free(state, change);
		if (error != EAGAIN)
			return error;
		/* The owner died meanwhile, and the node with him: there is nothing to commit to.
		 */
		transaction_lose(state, tx);
		return 0;
	}
	change_make(state, &tx->branch, change);
	change->again = false; /* at the commit it counts who lives then */
	TAILQ_INSERT_TAIL(&tx->changes, change, link);
	tx->bytes += change_bytes(change);
	if (touch)
		note_change(state, tx, touch, change);
	if (change->kind == TREE_CREATE)
		note_created(state, tx, change);
	return 0;
}

int64_t transaction_added_nodes(const struct transaction *tx, const struct domain *domain)
{
	const struct change *change;
	int64_t nodes = 0;

	TAILQ_FOREACH(change, &tx->changes, link)
		for (int i = 0; i < 2; i++)
			if (change->effect[i].domain == domain)
				nodes += change->effect[i].nodes;
	return nodes;
}

int transaction_removed_nodes(const struct state *state, const struct transaction *tx,
			      const struct domain *domain, int64_t *nodes)
{
	const struct change *change;
	int error = 0;

	*nodes = 0;
	TAILQ_FOREACH(change, &tx->changes, link) {
		struct walk walk;
		struct node *node;

		if (!change->removed)
			continue;
		walk_init(&walk, tx->branch.store, node_ref(change->removed), "", 0);
		while (!(error = walk_next(&walk, &node)) && node) {
			*nodes += domain_owner(&state->domains, node->perms) == domain;
			walk.path_len = 0;
		}
		walk_deinit(&walk);
		if (error)
			return error;
	}
	return 0;
}

static bool same_value(struct node *a, struct node *b)
{
	return a->value_len == b->value_len && !memcmp(node_value(a), node_value(b), a->value_len);
}

/* Same names in the same order. */
static bool same_children(const struct node *a, const struct node *b)
{
	uint32_t count = node_child_count(a);

	if (a->by_sequence == b->by_sequence)
		return true;
	if (count != node_child_count(b) || node_child_bytes(a) != node_child_bytes(b))
		return false;
	for (uint32_t i = 0; i < count;) {
		uint32_t run_a, run_b;
		void *const *x = children_run(a, i, &run_a);
		void *const *y = children_run(b, i, &run_b);
		uint32_t n = run_a < run_b ? run_a : run_b;

		for (uint32_t k = 0; k < n; k++) {
			const struct node *s = x[k], *t = y[k];

			if (s != t && (s->name_len != t->name_len ||
				       memcmp(s->data, t->data, s->name_len) != 0))
				return false;
		}
		i += n;
	}
	return true;
}

int transaction_check(const struct state *state, const struct transaction *tx)
{
	const struct touch *touch;

	if (tx->lost)
		return EAGAIN;
	if (tx->version == state->version)
		return 0;
	TAILQ_FOREACH(touch, &tx->touches, order) {
		struct node *base, *live;

		if (!touch->depends)
			continue;
		base = tree_find(&tx->base, touch->path, touch->len);
		live = tree_find(&state->live, touch->path, touch->len);
		if (base == live)
			continue;
		if (!base || !live)
			return EAGAIN;
		if (base->generation == live->generation)
			continue;
		if ((touch->depends & FACET_GENERATION) ||
		    ((touch->depends & FACET_VALUE) && !same_value(base, live)) ||
		    ((touch->depends & FACET_PERMS) && base->perms != live->perms) ||
		    ((touch->depends & FACET_CHILDREN) && !same_children(base, live)))
			return EAGAIN;
	}
	return 0;
}

int transaction_build(struct state *state, struct transaction *tx, struct tree *result)
{
	struct change *change;

	if (tx->version == state->version) {
		tree_branch(result, &tx->branch);
		/* What had been removed before the start may have been released meanwhile. */
		result->bytes = state->live.bytes + (tx->branch.bytes - tx->base.bytes);
		return 0;
	}
	tree_branch(result, &state->live);
	TAILQ_FOREACH(change, &tx->changes, link) {
		int error = change_prepare(state, result, change);

		if (error) {
			tree_drop(result);
			return error;
		}
		change_make(state, result, change);
	}
	return 0;
}
