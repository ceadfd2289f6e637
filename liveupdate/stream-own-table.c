/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The layouts of our own records. The order of a table is the order in the
 * image; the comment in stream-own.h says what the fields mean.
 */
#include "liveupdate/stream-own.h"

#define FIELD(struct_, member, kind_)                                                              \
	{                                                                                          \
		.name = #member, .kind = kind_, .offset = offsetof(struct struct_, member),        \
		.since = 1                                                                         \
	}
/* A field of a later layout. */
#define LATER(struct_, member, kind_, since_)                                                      \
	{                                                                                          \
		.name = #member, .kind = kind_, .offset = offsetof(struct struct_, member),        \
		.since = since_                                                                    \
	}
#define ARRAY(struct_, member, element_, fields_)                                                  \
	{                                                                                          \
		.name = #member, .kind = FIELD_ARRAY, .offset = offsetof(struct struct_, member),  \
		.since = 1, .element_size = sizeof(struct element_), .elements = fields_           \
	}
#define END                                                                                        \
	{                                                                                          \
		.name = NULL                                                                       \
	}

static const struct stream_field perm_fields[] = {
	FIELD(stream_own_perm, letter, FIELD_CHAR), FIELD(stream_own_perm, flags, FIELD_U8),
	FIELD(stream_own_perm, domid, FIELD_U16),   FIELD(stream_own_perm, pad, FIELD_U32),
	FIELD(stream_own_perm, record, FIELD_U64),  END,
};

static const struct stream_field serial_fields[] = {
	FIELD(stream_serial, value, FIELD_U64),
	END,
};

static const struct stream_field event_fields[] = {
	FIELD(stream_event, message, FIELD_U32),
	FIELD(stream_event, flags, FIELD_U16),
	FIELD(stream_event, cause_domid, FIELD_U16),
	FIELD(stream_event, deadline, FIELD_U64),
	FIELD(stream_event, cause_record, FIELD_U64),
	FIELD(stream_event, cause, FIELD_U64),
	END,
};

static const struct stream_field image_fields[] = {
	FIELD(stream_image, format, FIELD_U32),
	FIELD(stream_image, own_domid, FIELD_U16),
	FIELD(stream_image, priv_domid, FIELD_U16),
	FIELD(stream_image, flags, FIELD_U32),
	FIELD(stream_image, created, FIELD_U64),
	FIELD(stream_image, program, FIELD_TEXT),
	END,
};

static const struct stream_field counters_fields[] = {
	FIELD(stream_counters, flags, FIELD_U32),
	FIELD(stream_counters, now, FIELD_U64),
	FIELD(stream_counters, last_record, FIELD_U64),
	FIELD(stream_counters, generation, FIELD_U64),
	FIELD(stream_counters, version, FIELD_U64),
	FIELD(stream_counters, last_client, FIELD_U64),
	FIELD(stream_counters, last_watch, FIELD_U64),
	END,
};

static const struct stream_field descriptor_fields[] = {
	FIELD(stream_descriptor, fd, FIELD_I32),
	FIELD(stream_descriptor, name, FIELD_TEXT),
	END,
};

static const struct stream_field log_fields[] = {
	FIELD(stream_log, flags, FIELD_U32),
	FIELD(stream_log, switches, FIELD_U32),
	FIELD(stream_log, pad, FIELD_U32),
	FIELD(stream_log, file, FIELD_TEXT),
	END,
};

static const struct stream_field ratelimit_fields[] = {
	FIELD(stream_ratelimit, flags, FIELD_U32),
	FIELD(stream_ratelimit, reserve, FIELD_I64),
	FIELD(stream_ratelimit, refilled, FIELD_U64),
	FIELD(stream_ratelimit, last_effect, FIELD_U64),
	END,
};

static const struct stream_field credit_fields[] = {
	FIELD(stream_credit, domid, FIELD_U16),
	FIELD(stream_credit, flags, FIELD_U16),
	FIELD(stream_credit, points, FIELD_I64),
	FIELD(stream_credit, rest, FIELD_I64),
	END,
};

static const struct stream_field events_fields[] = {
	FIELD(stream_events, conn_id, FIELD_U32),
	ARRAY(stream_events, events, stream_event, event_fields),
	END,
};

static const struct stream_field watch_order_fields[] = {
	FIELD(stream_watch_order, conn_id, FIELD_U32),
	ARRAY(stream_watch_order, sequence, stream_serial, serial_fields),
	END,
};

static const struct stream_field perms_fields[] = {
	FIELD(stream_perms, flags, FIELD_U32),
	ARRAY(stream_perms, records, stream_serial, serial_fields),
	END,
};

static const struct stream_field statistics_fields[] = {
	FIELD(stream_statistics, domid, FIELD_U16),
	FIELD(stream_statistics, pad, FIELD_U16),
	ARRAY(stream_statistics, max, stream_serial, serial_fields),
	FIELD(stream_statistics, names, FIELD_BYTES),
	END,
};

static const struct stream_field update_fields[] = {
	FIELD(stream_update, conn_id, FIELD_U32), FIELD(stream_update, req_id, FIELD_U32),
	FIELD(stream_update, tx_id, FIELD_U32),	  FIELD(stream_update, flags, FIELD_U32),
	FIELD(stream_update, started, FIELD_U64), END,
};

static const struct stream_field migration_fields[] = {
	FIELD(stream_migration, conn_id, FIELD_U32),
	FIELD(stream_migration, expected, FIELD_U32),
	FIELD(stream_migration, fragment, FIELD_BYTES),
	END,
};

static const struct stream_field domain_state_fields[] = {
	FIELD(stream_domain_state, domid, FIELD_U16),
	FIELD(stream_domain_state, flags, FIELD_U16),
	FIELD(stream_domain_state, features, FIELD_U32),
	FIELD(stream_domain_state, target_domid, FIELD_U16),
	FIELD(stream_domain_state, pad, FIELD_U16),
	FIELD(stream_domain_state, record, FIELD_U64),
	FIELD(stream_domain_state, unique_id, FIELD_U64),
	FIELD(stream_domain_state, target_record, FIELD_U64),
	END,
};

static const struct stream_field client_fields[] = {
	FIELD(stream_client, conn_id, FIELD_U32),	   FIELD(stream_client, flags, FIELD_U32),
	FIELD(stream_client, last_transaction, FIELD_U32), FIELD(stream_client, client, FIELD_U64),
	FIELD(stream_client, releasing, FIELD_U32),	   FIELD(stream_client, pad, FIELD_U32),
	LATER(stream_client, remote_port, FIELD_U32, 2),   END,
};

static const struct stream_field tx_fields[] = {
	FIELD(stream_tx, conn_id, FIELD_U32),
	FIELD(stream_tx, tx_id, FIELD_U32),
	FIELD(stream_tx, flags, FIELD_U32),
	FIELD(stream_tx, started, FIELD_U64),
	FIELD(stream_tx, version, FIELD_U64),
	FIELD(stream_tx, target, FIELD_U64),
	FIELD(stream_tx, differences, FIELD_U32),
	FIELD(stream_tx, touches, FIELD_U32),
	FIELD(stream_tx, changes, FIELD_U32),
	FIELD(stream_tx, pad, FIELD_U32),
	END,
};

static const struct stream_field tx_difference_fields[] = {
	FIELD(stream_tx_difference, conn_id, FIELD_U32),
	FIELD(stream_tx_difference, tx_id, FIELD_U32),
	FIELD(stream_tx_difference, operation, FIELD_U32),
	ARRAY(stream_tx_difference, perms, stream_own_perm, perm_fields),
	FIELD(stream_tx_difference, path, FIELD_TEXT),
	FIELD(stream_tx_difference, value, FIELD_BYTES),
	END,
};

static const struct stream_field tx_touch_fields[] = {
	FIELD(stream_tx_touch, conn_id, FIELD_U32), FIELD(stream_tx_touch, tx_id, FIELD_U32),
	FIELD(stream_tx_touch, depends, FIELD_U8),  FIELD(stream_tx_touch, own, FIELD_U8),
	FIELD(stream_tx_touch, flags, FIELD_U16),   FIELD(stream_tx_touch, pad, FIELD_U32),
	FIELD(stream_tx_touch, path, FIELD_TEXT),   END,
};

static const struct stream_field tx_change_fields[] = {
	FIELD(stream_tx_change, conn_id, FIELD_U32),
	FIELD(stream_tx_change, tx_id, FIELD_U32),
	FIELD(stream_tx_change, kind, FIELD_U32),
	ARRAY(stream_tx_change, perms, stream_own_perm, perm_fields),
	FIELD(stream_tx_change, path, FIELD_TEXT),
	FIELD(stream_tx_change, value, FIELD_BYTES),
	END,
};

static const struct stream_field delta_fields[] = {
	FIELD(stream_delta, operation, FIELD_U32),
	ARRAY(stream_delta, perms, stream_own_perm, perm_fields),
	FIELD(stream_delta, path, FIELD_TEXT),
	FIELD(stream_delta, value, FIELD_BYTES),
	END,
};

static const struct stream_field owner_fields[] = {
	FIELD(stream_owner, domid, FIELD_U16),
	FIELD(stream_owner, pad, FIELD_U16),
	FIELD(stream_owner, more, FIELD_U32),
	FIELD(stream_owner, record, FIELD_U64),
	END,
};

static const struct stream_field snapshot_fields[] = {
	FIELD(stream_snapshot, size, FIELD_U64),
	ARRAY(stream_snapshot, owners, stream_owner, owner_fields),
	END,
};

#define TYPE(number, struct_, version_)                                                            \
	{                                                                                          \
		.type = number, .name = &#number[sizeof("STREAM_") - 1], .version = version_,      \
		.oldest = 1, .size = sizeof(struct stream_##struct_), .fields = struct_##_fields   \
	}

static const struct stream_own_type types[] = {
	TYPE(STREAM_IMAGE, image, 1),
	TYPE(STREAM_COUNTERS, counters, 1),
	TYPE(STREAM_DESCRIPTOR, descriptor, 1),
	TYPE(STREAM_LOG, log, 1),
	TYPE(STREAM_RATELIMIT, ratelimit, 1),
	TYPE(STREAM_CREDIT, credit, 1),
	TYPE(STREAM_EVENTS, events, 1),
	TYPE(STREAM_WATCH_ORDER, watch_order, 1),
	TYPE(STREAM_PERMS, perms, 1),
	TYPE(STREAM_STATISTICS, statistics, 1),
	TYPE(STREAM_UPDATE, update, 1),
	TYPE(STREAM_MIGRATION, migration, 1),
	TYPE(STREAM_DOMAIN_STATE, domain_state, 1),
	TYPE(STREAM_CLIENT, client, 2),
	TYPE(STREAM_TX, tx, 1),
	TYPE(STREAM_TX_DIFFERENCE, tx_difference, 1),
	TYPE(STREAM_TX_TOUCH, tx_touch, 1),
	TYPE(STREAM_TX_CHANGE, tx_change, 1),
	TYPE(STREAM_DELTA, delta, 1),
	TYPE(STREAM_SNAPSHOT, snapshot, 1),
};

const struct stream_own_type *stream_own_at(size_t index)
{
	return index < sizeof(types) / sizeof(*types) ? &types[index] : NULL;
}
