/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Open transactions: the tree they started on as a difference, what they looked
 * at, and what they did, which is done again.
 *
 * They come newest first, and the difference is from the tree that the one in
 * front started on, the first one's from the live tree. So what was changed while
 * many were open is told once, and their trees share it afterwards as they did before.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "liveupdate/image.h"
#include "store/difference.h"
#include "verbs/transaction.h"

struct save {
	const struct core *core;
	struct stream_writer *writer; /* NULL: only count */
	const struct transaction *tx;
	const struct tree *from;
	uint32_t conn_id, count;
	/*
	 * Directories whose order is to be told, each below the one before it: the path of the
	 * innermost, and how much of it names each.
	 */
	struct path innermost;
	size_t *order;
	unsigned int orders, order_room;
};

static int put_difference(struct save *save, uint32_t operation, const char *path, size_t len,
			  struct node *node)
{
	struct stream_own_perm perms[IMAGE_PERMS_MAX];
	struct stream_tx_difference out = {.conn_id = save->conn_id,
					   .tx_id = save->tx->id,
					   .operation = operation,
					   .path = {path, (uint32_t)len}};

	save->count++;
	if (!save->writer)
		return 0;
	if (node) {
		out.perms.data = perms;
		out.perms.count = image_own_perms(save->core, node->perms, perms);
		out.value.data = (const uint8_t *)node_value(node);
		out.value.count = node->value_len;
	}
	return stream_put_own(save->writer, STREAM_TX_DIFFERENCE, &out);
}

/*
 * A child that only the base has would come to stand behind the others: say the order of all. Told
 * when the walk has left the directory, since its children must be there by then.
 */
static int put_order(struct save *save)
{
	struct stream_tx_difference out = {
		.conn_id = save->conn_id, .tx_id = save->tx->id, .operation = STREAM_ORDER};
	const struct node *node;
	uint32_t count, used = 0;
	void *const *run;
	uint8_t *names;
	int error;

	save->innermost.len = save->order[--save->orders];
	save->innermost.text[save->innermost.len] = 0;
	save->count++;
	if (!save->writer)
		return 0;
	out.path.data = save->innermost.text;
	out.path.count = (uint32_t)save->innermost.len;
	node = tree_find(&save->tx->base, out.path.data, out.path.count);
	names = malloc(node_child_bytes(node) + 1);
	if (!names)
		return ENOMEM;
	for (uint32_t i = 0; (run = children_run(node, i, &count)); i += count)
		for (uint32_t k = 0; k < count; k++) {
			const struct node *child = run[k];

			memcpy(names + used, child->data, child->name_len + 1u);
			used += child->name_len + 1u;
		}
	out.value.data = names;
	out.value.count = used;
	error = stream_put_own(save->writer, STREAM_TX_DIFFERENCE, &out);
	free(names);
	return error;
}

/* Tell the order of those directories that @path, NULL at the end, is not in. */
static int leave_directories(struct save *save, const char *path, size_t len)
{
	int error = 0;

	while (!error && save->orders &&
	       !(path &&
		 path_covers(save->innermost.text, save->order[save->orders - 1], path, len)))
		error = put_order(save);
	return error;
}

static int enter_directory(struct save *save, const char *path, size_t len)
{
	if (save->orders && save->order[save->orders - 1] == len)
		return 0;
	if (save->orders == save->order_room) {
		unsigned int room = save->order_room ? 2 * save->order_room : 16;
		size_t *order = realloc(save->order, room * sizeof(*order));

		if (!order)
			return ENOMEM;
		save->order = order;
		save->order_room = room;
	}
	save->order[save->orders++] = len;
	memcpy(save->innermost.text, path, len);
	save->innermost.text[len] = 0;
	return 0;
}

/* Is this very node in the tree that the difference is from, so that its place is kept? */
static bool in_place(const struct save *save, const char *path, size_t len, const struct node *node)
{
	const struct node *other = tree_find(save->from, path, len);

	return other && other->sequence == node->sequence;
}

static int put_set(void *data, const char *path, size_t len, struct node *node)
{
	struct save *save = data;
	size_t parent = path_parent_len(path, len);
	int error = leave_directories(save, path, len);

	if (!error)
		error = put_difference(save, STREAM_SET, path, len, node);
	if (!error && parent && !in_place(save, path, len, node))
		error = enter_directory(save, path, parent);
	return error;
}

static int put_removed(void *data, const char *path, size_t len)
{
	struct save *save = data;
	int error = leave_directories(save, path, len);

	return error ? error : put_difference(save, STREAM_REMOVE, path, len, NULL);
}

static const struct difference_ops put_ops = {.set = put_set, .removed = put_removed};

static int put_differences(struct save *save)
{
	int error = difference(save->from, &save->tx->base, &put_ops, save);

	if (!error)
		error = leave_directories(save, NULL, 0);
	save->orders = 0;
	return error;
}

static int put_touch(struct save *save, const struct touch *touch)
{
	struct stream_tx_touch out = {
		.conn_id = save->conn_id,
		.tx_id = save->tx->id,
		.depends = touch->depends,
		.own = touch->own,
		.flags = (uint16_t)((touch->event ? STREAM_TOUCH_EVENT : 0) |
				    (touch->below ? STREAM_TOUCH_BELOW : 0)),
		.path = {touch->path, touch->len},
	};

	return stream_put_own(save->writer, STREAM_TX_TOUCH, &out);
}

static uint32_t kind_of(enum tree_change kind)
{
	switch (kind) {
	case TREE_WRITE:
		return STREAM_CHANGE_WRITE;
	case TREE_CREATE:
		return STREAM_CHANGE_CREATE;
	case TREE_PERMS:
		return STREAM_CHANGE_PERMS;
	case TREE_REMOVE:
		break;
	}
	return STREAM_CHANGE_REMOVE;
}

static int put_change(struct save *save, const struct change *change)
{
	struct stream_own_perm perms[IMAGE_PERMS_MAX];
	struct stream_tx_change out = {
		.conn_id = save->conn_id,
		.tx_id = save->tx->id,
		.kind = kind_of(change->kind),
		.path = {change->path, (uint32_t)change->len},
		.value = {change->value, (uint32_t)change->value_len},
	};

	if (change->perms) {
		out.perms.data = perms;
		out.perms.count = image_own_perms(save->core, change->perms, perms);
	}
	return stream_put_own(save->writer, STREAM_TX_CHANGE, &out);
}

static int save_transaction(struct core *core, const struct transaction *tx,
			    const struct tree *from, struct stream_writer *writer)
{
	struct save save = {.core = core, .tx = tx, .from = from, .conn_id = tx->client->image_id};
	struct stream_tx out = {
		.conn_id = save.conn_id,
		.tx_id = tx->id,
		.flags = (tx->lost ? STREAM_TX_LOST : 0) | (tx->poisoned ? STREAM_TX_POISONED : 0) |
			 (tx->created ? STREAM_TX_CREATED : 0) |
			 (tx->removed ? STREAM_TX_REMOVED : 0),
		.started = tx->started,
		.version = tx->version,
		.target = tx->target,
	};
	const struct touch *touch;
	const struct change *change;
	int error;

	/* One that is lost ends with EAGAIN, whatever it did. */
	if (tx->lost)
		return stream_put_own(writer, STREAM_TX, &out);
	error = put_differences(&save);
	out.differences = save.count;
	TAILQ_FOREACH(touch, &tx->touches, order)
		out.touches++;
	TAILQ_FOREACH(change, &tx->changes, link)
		out.changes++;
	save.writer = writer;
	if (!error)
		error = stream_put_own(writer, STREAM_TX, &out);
	if (!error)
		error = put_differences(&save);
	TAILQ_FOREACH(touch, &tx->touches, order)
		if (!error)
			error = put_touch(&save, touch);
	TAILQ_FOREACH(change, &tx->changes, link)
		if (!error)
			error = put_change(&save, change);
	free(save.order);
	return error;
}

int save_transactions(struct core *core, struct stream_writer *writer)
{
	const struct tree *from = &core->state.live;
	const struct transaction *tx;
	int error = 0;

	TAILQ_FOREACH_REVERSE(tx, &core->transactions, transaction_list, age) {
		if (tx->client->broken)
			continue;
		error = save_transaction(core, tx, from, writer);
		if (error)
			break;
		if (!tx->lost)
			from = &tx->base;
	}
	return error;
}

int restore_tx(struct restore *restore, const struct stream_tx *in)
{
	struct core *core = restore->core;
	struct client *client = image_client(restore, in->conn_id);
	struct transaction *tx;

	restore_tx_branch(restore);
	restore->tx = NULL;
	restore->branched = false;
	restore->tx_kept = core->state.store.sequence;
	if (!restore->tx_base.root)
		tree_branch(&restore->tx_base, &core->state.live);
	if (!client)
		return 0;
	tx = transaction_start(&core->state, in->started);
	if (!tx)
		return ENOMEM;
	tx->client = client;
	tx->id = in->tx_id;
	tx->version = in->version;
	tx->target = in->target;
	tx->poisoned = in->flags & STREAM_TX_POISONED;
	tx->created = in->flags & STREAM_TX_CREATED;
	tx->removed = in->flags & STREAM_TX_REMOVED;
	if (!client->transaction_count || in->started < client->transactions_since)
		client->transactions_since = in->started;
	LIST_INSERT_HEAD(&client->transactions, tx, of_client);
	TAILQ_INSERT_HEAD(&core->transactions, tx, age);
	client->transaction_count++;
	core->transaction_count++;
	account_add(client_account(client), QUOTA_TRANSACTIONS, 1);
	if (in->flags & STREAM_TX_LOST)
		transaction_lose(&core->state, tx);
	else
		restore->tx = tx;
	transaction_recharge(core, client, tx);
	return 0;
}

int restore_tx_difference(struct restore *restore, const struct stream_tx_difference *in)
{
	struct state *state = &restore->core->state;
	struct tree *base = &restore->tx_base;
	struct tree_edit edit;
	struct perms *perms;
	int error;

	if (!base->root || !image_path_is_possible(&in->path, in->operation == STREAM_REMOVE))
		return EINVAL;
	/* Also for a client that could not be restored: the next one's are from there on. */
	if (in->operation == STREAM_REMOVE) {
		if (!tree_find(base, in->path.data, in->path.count))
			return 0;
		error = tree_prepare_remove(base, &edit, in->path.data, in->path.count);
		if (!error)
			node_unref(&state->store, tree_apply(base, &edit));
		return error;
	}
	if (in->operation == STREAM_ORDER)
		return image_set_order(base, &in->path, &in->value, restore->tx_kept);
	if (in->operation != STREAM_SET)
		return 0;
	if (in->value.count > UINT16_MAX)
		return EINVAL;
	perms = image_own_perms_get(restore, &in->perms, &error);
	/* A node that nobody can have owned: what saw it can only conflict. */
	if (error == ENOENT && restore->tx)
		transaction_lose(state, restore->tx);
	if (error == ENOENT)
		restore->tx = NULL;
	if (error)
		return error == ENOENT ? 0 : error;
	error = image_set_node(base, &in->path, &in->value, perms);
	perms_unref(&state->store.perms, perms);
	return error;
}

/* All differences are in: this is what the transaction started on, and its branch with it. */
void restore_tx_branch(struct restore *restore)
{
	struct transaction *tx = restore->tx;

	if (!tx || restore->branched)
		return;
	restore->branched = true;
	tree_drop(&tx->base);
	tree_branch(&tx->base, &restore->tx_base);
	tree_drop(&tx->branch);
	tree_branch(&tx->branch, &tx->base);
}

int restore_tx_touch(struct restore *restore, const struct stream_tx_touch *in)
{
	if (!restore->tx)
		return 0;
	if (!image_path_is_possible(&in->path, false))
		return EINVAL;
	return transaction_restore_touch(
		&restore->core->state, restore->tx, in->path.data, in->path.count, in->depends,
		in->own, in->flags & STREAM_TOUCH_EVENT, in->flags & STREAM_TOUCH_BELOW);
}

int restore_tx_change(struct restore *restore, const struct stream_tx_change *in)
{
	static const enum tree_change kinds[] = {
		[STREAM_CHANGE_WRITE] = TREE_WRITE,
		[STREAM_CHANGE_CREATE] = TREE_CREATE,
		[STREAM_CHANGE_PERMS] = TREE_PERMS,
		[STREAM_CHANGE_REMOVE] = TREE_REMOVE,
	};
	struct state *state = &restore->core->state;
	struct transaction *tx = restore->tx;
	struct perms *perms = NULL;
	struct change *change;
	int error = 0;

	if (!tx)
		return 0;
	if (in->kind < STREAM_CHANGE_WRITE || in->kind > STREAM_CHANGE_REMOVE ||
	    in->value.count > UINT16_MAX ||
	    !image_path_is_possible(&in->path, in->kind == STREAM_CHANGE_REMOVE))
		return EINVAL;
	if (in->perms.count)
		perms = image_own_perms_get(restore, &in->perms, &error);
	if (error == ENOMEM)
		return error;
	change = error ? NULL
		       : change_new(kinds[in->kind], in->path.data, in->path.count, in->value.data,
				    in->value.count, perms);
	perms_unref(&state->store.perms, perms);
	if (!error && !change)
		return ENOMEM;
	if (change)
		change->again = true;
	if (!error)
		error = transaction_change(state, tx, change);
	if (error == ENOMEM)
		return error;
	if (error) {
		/* It cannot be done any more, since a domain is gone: a conflict. */
		transaction_lose(state, tx);
		restore->tx = NULL;
		return 0;
	}
	transaction_recharge(restore->core, tx->client, tx);
	return 0;
}
