/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules for open transactions: that the tree they started on can be made from
 * the live one, and that their changes can be made on that.
 *
 * Both are done, as far as the existence of nodes goes, in sets of paths that
 * lie over that of the live tree: one with all differences, which go on from each
 * transaction to the next, and one with the changes of the present transaction.
 */
#include "liveupdate/stream-checker.h"

#include <string.h>

#include "bytes/path.h"

void check_tx_end(struct stream_checker *checker, size_t offset)
{
	if (!checker->tx_at)
		return;
	if (checker->tx.differences || checker->tx.touches || checker->tx.changes)
		check_error(checker, offset,
			    "transaction %u of connection %u lacks %u differences, %u touches and "
			    "%u changes",
			    checker->tx.tx_id, checker->tx.conn_id, checker->tx.differences,
			    checker->tx.touches, checker->tx.changes);
	checker->tx_at = 0;
	stream_paths_deinit(&checker->changes);
}

static void start(struct stream_checker *checker, const struct stream_record *record)
{
	const struct stream_tx *tx = &record->own.tx;

	checker->report->transactions++;
	checker->transactions = true;
	checker->tx = *tx;
	checker->tx_at = record->offset;
	check_conn_id(checker, record->offset, tx->conn_id);
	if (!tx->tx_id)
		check_error(checker, record->offset, "transaction with the number 0");
	if (tx->flags & ~STREAM_TX_FLAGS)
		check_error(checker, record->offset, "unknown flags 0x%x of a transaction",
			    tx->flags);
	check_number(checker, &checker->tx_ids, ((uint64_t)tx->conn_id << 32) | tx->tx_id,
		     record->offset);
}

/* Whether a record belongs to the present transaction; counts it off. */
static bool belongs(struct stream_checker *checker, const struct stream_record *record,
		    uint32_t conn_id, uint32_t tx_id, uint32_t *left)
{
	if (!checker->tx_at || conn_id != checker->tx.conn_id || tx_id != checker->tx.tx_id ||
	    !*left) {
		check_error(checker, record->offset,
			    "%s of transaction %u of connection %u is out of place",
			    stream_type_name(record->type), tx_id, conn_id);
		return false;
	}
	(*left)--;
	return true;
}

static void check_touch(struct stream_checker *checker, const struct stream_record *record)
{
	const struct stream_tx_touch *touch = &record->own.tx_touch;

	if (!belongs(checker, record, touch->conn_id, touch->tx_id, &checker->tx.touches))
		return;
	if (checker->tx.differences)
		check_error(checker, record->offset, "touches come before differences");
	if ((touch->depends | touch->own) & ~STREAM_FACETS)
		check_error(checker, record->offset, "unknown facets of \"%.100s\"",
			    touch->path.data);
	if (touch->flags & ~STREAM_TOUCH_FLAGS)
		check_error(checker, record->offset, "unknown flags of a touch");
	check_node_path(checker, record->offset, touch->path.data, touch->path.count);
}

/* A creation makes the missing ancestors as well. */
static void create(struct stream_checker *checker, size_t offset, const struct stream_text *path)
{
	bool possible = path->data[0] == '/' && path->count > 1;

	if (!possible || check_present(checker, path->data, path->count)) {
		check_error(checker, offset, "\"%.100s\" cannot be created", path->data);
		return;
	}
	for (size_t len = path->count; !check_present(checker, path->data, len);
	     len = path_parent_len(path->data, len)) {
		check_set(checker, &checker->changes, path->data, len);
		if (checker->no_memory || path_is_root(path->data, len))
			break;
	}
}

static void check_change(struct stream_checker *checker, const struct stream_record *record)
{
	const struct stream_tx_change *change = &record->own.tx_change;
	bool with_perms = change->kind == STREAM_CHANGE_CREATE ||
			  change->kind == STREAM_CHANGE_PERMS;

	if (!belongs(checker, record, change->conn_id, change->tx_id, &checker->tx.changes))
		return;
	if (checker->tx.differences || checker->tx.touches)
		check_error(checker, record->offset, "changes come before the rest");
	if (!check_node_path(checker, record->offset, change->path.data, change->path.count))
		return;
	for (uint32_t i = 0; i < change->perms.count; i++)
		check_perm(checker, record->offset, i, change->perms.data[i].letter,
			   change->perms.data[i].flags, change->perms.data[i].domid);
	if (with_perms != (change->perms.count > 0))
		check_error(checker, record->offset, "permissions missing or superfluous");
	if (change->value.count > UINT16_MAX ||
	    (change->value.count && change->kind != STREAM_CHANGE_WRITE &&
	     change->kind != STREAM_CHANGE_CREATE))
		check_error(checker, record->offset, "value too long or superfluous");
	if (change->kind == STREAM_CHANGE_CREATE) {
		create(checker, record->offset, &change->path);
		return;
	}
	if (change->kind < STREAM_CHANGE_WRITE || change->kind > STREAM_CHANGE_REMOVE)
		check_error(checker, record->offset, "unknown kind %u of a change", change->kind);
	else if (!check_present(checker, change->path.data, change->path.count))
		check_error(checker, record->offset, "change of \"%.100s\", which is not there",
			    change->path.data);
	else if (change->kind == STREAM_CHANGE_REMOVE &&
		 (change->path.data[0] == '@' || change->path.count == 1))
		check_error(checker, record->offset, "removal of \"%.100s\"", change->path.data);
	else if (change->kind == STREAM_CHANGE_REMOVE)
		check_remove(checker, &checker->changes, change->path.data, change->path.count);
}

void check_tx(struct stream_checker *checker, const struct stream_record *record)
{
	const struct stream_tx_difference *difference = &record->own.tx_difference;

	switch (record->type) {
	case STREAM_TX:
		start(checker, record);
		break;
	case STREAM_TX_DIFFERENCE:
		if (belongs(checker, record, difference->conn_id, difference->tx_id,
			    &checker->tx.differences))
			check_operation(checker, record->offset, &checker->overlay,
					difference->operation, &difference->perms,
					&difference->path, &difference->value);
		break;
	case STREAM_TX_TOUCH:
		check_touch(checker, record);
		break;
	case STREAM_TX_CHANGE:
		check_change(checker, record);
		break;
	default:
		break;
	}
}
