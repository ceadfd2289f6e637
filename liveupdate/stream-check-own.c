/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules for our own records, apart from transactions. */
#include "liveupdate/stream-checker.h"

#include "liveupdate/fragment.h"

static void once(struct stream_checker *checker, const struct stream_record *record, bool *seen)
{
	if (*seen)
		check_error(checker, record->offset, "second %s record",
			    stream_type_name(record->type));
	*seen = true;
}

static void check_image(struct stream_checker *checker, const struct stream_record *record)
{
	const struct stream_image *image = &record->own.image;

	once(checker, record, &checker->image);
	checker->report->own = true;
	checker->own_domid = image->own_domid;
	checker->priv_domid = image->priv_domid;
	if (image->flags & STREAM_IMAGE_FRAGMENT)
		checker->report->fragment = true;
	if (image->flags & ~STREAM_IMAGE_FRAGMENT)
		check_error(checker, record->offset, "unknown flags 0x%x of an image",
			    image->flags);
	if (!image->format)
		check_error(checker, record->offset, "image of revision 0");
	if (checker->report->records != (checker->report->fragment ? 0u : 1u))
		check_error(checker, record->offset, "IMAGE is not in front");
	if (image->own_domid >= CHECK_DOMID_MAX || image->priv_domid >= CHECK_DOMID_MAX)
		check_error(checker, record->offset, "impossible domain of the store");
}

static void check_events(struct stream_checker *checker, const struct stream_record *record)
{
	const struct stream_events *events = &record->own.events;
	struct checked_connection *connection = check_conn_id(checker, record->offset,
							      events->conn_id);

	if (!connection)
		return;
	once(checker, record, &connection->events);
	for (uint32_t i = 0; i < events->events.count; i++) {
		const struct stream_event *event = &events->events.data[i];

		if (event->message >= connection->messages ||
		    (i && event->message <= events->events.data[i - 1].message))
			check_error(checker, record->offset,
				    "message %u of connection %u is not there or out of order",
				    event->message, events->conn_id);
		if (event->cause_record && event->cause == checker->causes + 1)
			checker->causes++;
		else if (event->cause_record && (!event->cause || event->cause > checker->causes))
			check_error(checker, record->offset, "cause %llu is out of order",
				    (unsigned long long)event->cause);
		if (event->flags & ~STREAM_EVENT_EXPIRES)
			check_error(checker, record->offset, "unknown flags 0x%x of a message",
				    event->flags);
	}
}

static void check_watch_order(struct stream_checker *checker, const struct stream_record *record)
{
	const struct stream_watch_order *order = &record->own.watch_order;
	struct checked_connection *connection = check_conn_id(checker, record->offset,
							      order->conn_id);

	if (!connection)
		return;
	once(checker, record, &connection->ordered);
	if (order->sequence.count != connection->watches)
		check_error(checker, record->offset, "order of %u watches, but there are %u",
			    order->sequence.count, connection->watches);
	for (uint32_t i = 1; i < order->sequence.count; i++)
		if (order->sequence.data[i].value <= order->sequence.data[i - 1].value)
			check_error(checker, record->offset, "watches out of their order");
}

static void check_statistics(struct stream_checker *checker, const struct stream_record *record)
{
	const struct stream_statistics *statistics = &record->own.statistics;
	uint32_t names = 0;

	for (uint32_t i = 0; i < statistics->names.count; i++)
		names += !statistics->names.data[i];
	if (names != statistics->max.count ||
	    (statistics->names.count && statistics->names.data[statistics->names.count - 1]))
		check_error(checker, record->offset, "%u values with %u names",
			    statistics->max.count, names);
}

static void check_domain_state(struct stream_checker *checker, const struct stream_record *record)
{
	const struct stream_domain_state *state = &record->own.domain_state;
	struct checked_domain *domain = check_domain_of(checker, state->domid);

	if (state->domid >= CHECK_DOMID_MAX)
		check_error(checker, record->offset, "state of the impossible domain %u",
			    state->domid);
	if (domain->known & KNOWN_STATE)
		check_error(checker, record->offset, "second state of domain %u", state->domid);
	domain->known |= KNOWN_STATE;
	domain->record = state->record;
	checker->fragment_domid = state->domid;
	if (state->flags & ~STREAM_DOMAIN_FLAGS)
		check_error(checker, record->offset, "unknown flags 0x%x of domain %u",
			    state->flags, state->domid);
	if (state->record < CHECK_RECORD_FIRST)
		check_error(checker, record->offset, "domain %u has the impossible record %llu",
			    state->domid, (unsigned long long)state->record);
	if ((state->target_domid == STREAM_NO_TARGET) != !state->target_record ||
	    (state->target_domid != STREAM_NO_TARGET && state->target_domid >= CHECK_DOMID_MAX))
		check_error(checker, record->offset, "domain %u has an impossible target",
			    state->domid);
	check_number(checker, &checker->records, state->record, record->offset);
	if (state->record > checker->max_record)
		checker->max_record = state->record;
}

static void check_client(struct stream_checker *checker, const struct stream_record *record)
{
	const struct stream_client *client = &record->own.client;
	struct checked_connection *connection = check_conn_id(checker, record->offset,
							      client->conn_id);

	checker->any_client = true;
	check_number(checker, &checker->clients, client->client, record->offset);
	if (client->client > checker->max_client)
		checker->max_client = client->client;
	if (client->flags & ~STREAM_CLIENT_FLAGS)
		check_error(checker, record->offset, "unknown flags 0x%x of a client",
			    client->flags);
	if (client->releasing > CHECK_DOMID_MAX)
		check_error(checker, record->offset, "client releases an impossible domain");
	if (connection)
		once(checker, record, &connection->client);
}

void check_operation(struct stream_checker *checker, size_t offset, struct stream_paths *paths,
		     uint32_t operation, const struct stream_own_perms *perms,
		     const struct stream_text *path, const struct stream_bytes *value)
{
	bool present;

	if (!check_node_path(checker, offset, path->data, path->count))
		return;
	for (uint32_t i = 0; i < perms->count; i++)
		check_perm(checker, offset, i, perms->data[i].letter, perms->data[i].flags,
			   perms->data[i].domid);
	if ((operation == STREAM_SET) != (perms->count > 0))
		check_error(checker, offset, "permissions of \"%.100s\" missing or superfluous",
			    path->data);
	if (value->count > UINT16_MAX && operation == STREAM_SET)
		check_error(checker, offset, "value of \"%.100s\" is too long", path->data);
	present = check_present(checker, path->data, path->count);
	switch (operation) {
	case STREAM_SET:
		if (check_parent(checker, offset, path->data, path->count))
			check_set(checker, paths, path->data, path->count);
		return;
	case STREAM_REMOVE:
		if (path->data[0] == '@' || path->count == 1)
			check_error(checker, offset, "removal of \"%.100s\"", path->data);
		break;
	case STREAM_ORDER:
		if (!value->count || value->data[value->count - 1])
			check_error(checker, offset, "order of children without a NUL at its end");
		break;
	default:
		check_error(checker, offset, "unknown operation %u", operation);
		return;
	}
	if (value->count && operation == STREAM_REMOVE)
		check_error(checker, offset, "removal of \"%.100s\" with a value", path->data);
	if (!present)
		check_error(checker, offset, "there is no node \"%.100s\"", path->data);
	else if (operation == STREAM_REMOVE)
		check_remove(checker, paths, path->data, path->count);
}

static void check_delta(struct stream_checker *checker, const struct stream_record *record)
{
	const struct stream_delta *delta = &record->own.delta;

	if (checker->transactions)
		check_error(checker, record->offset, "DELTA behind a transaction");
	checker->delta = true;
	check_operation(checker, record->offset, &checker->paths, delta->operation, &delta->perms,
			&delta->path, &delta->value);
}

static void check_snapshot(struct stream_checker *checker, const struct stream_record *record)
{
	const struct stream_snapshot *snapshot = &record->own.snapshot;

	once(checker, record, &checker->snapshot);
	if (checker->report->nodes || checker->delta)
		check_error(checker, record->offset, "SNAPSHOT behind nodes");
	if (snapshot->size)
		checker->nodes_end = record->offset + record->size + snapshot->size;
	for (uint32_t i = 0; i < snapshot->owners.count; i++) {
		const struct stream_owner *owner = &snapshot->owners.data[i];
		struct checked_domain *domain = check_domain_of(checker, owner->domid);

		if (owner->domid >= CHECK_DOMID_MAX || owner->record < CHECK_RECORD_FIRST)
			check_error(checker, record->offset,
				    "impossible domain %u with record %llu", owner->domid,
				    (unsigned long long)owner->record);
		if (domain->known & KNOWN_THEN)
			check_error(checker, record->offset, "domain %u twice in a SNAPSHOT",
				    owner->domid);
		domain->known |= KNOWN_THEN;
	}
}

static void check_counters(struct stream_checker *checker, const struct stream_record *record)
{
	once(checker, record, &checker->counters);
	checker->last_record = record->own.counters.last_record;
	checker->last_client = record->own.counters.last_client;
	if (record->own.counters.flags)
		check_error(checker, record->offset, "unknown flags of counters");
}

static void check_descriptor(struct stream_checker *checker, const struct stream_record *record)
{
	if (record->own.descriptor.fd < 0)
		check_error(checker, record->offset, "DESCRIPTOR of no file");
	else
		check_number(checker, &checker->fds, (uint64_t)record->own.descriptor.fd,
			     record->offset);
}

static void check_credit(struct stream_checker *checker, const struct stream_record *record)
{
	const struct stream_credit *credit = &record->own.credit;
	struct checked_domain *domain = check_domain_of(checker, credit->domid);

	if (domain->known & KNOWN_CREDIT)
		check_error(checker, record->offset, "second credit of domain %u", credit->domid);
	if (credit->flags & ~(STREAM_CREDIT_JOINED | STREAM_CREDIT_ACTIVE | STREAM_CREDIT_TOLD))
		check_error(checker, record->offset, "unknown flags of a credit");
	domain->known |= KNOWN_CREDIT;
	if (!(domain->known & KNOWN_DOMAIN))
		domain->domain_at = record->offset;
}

static void check_perms(struct stream_checker *checker, const struct stream_record *record)
{
	if (record->own.perms.records.count != checker->node_perms || !checker->node_perms)
		check_error(checker, record->offset,
			    "PERMS is not behind a node with as many entries");
	checker->node_perms = 0;
}

static void check_migration(struct stream_checker *checker, const struct stream_record *record)
{
	const struct stream_migration *migration = &record->own.migration;

	check_conn_id(checker, record->offset, migration->conn_id);
	if (migration->expected > FRAGMENT_MAX || migration->fragment.count > FRAGMENT_MAX ||
	    (migration->expected ? migration->fragment.count > migration->expected
				 : !migration->fragment.count))
		check_error(checker, record->offset, "migration of %u bytes with %u of them",
			    migration->expected, migration->fragment.count);
	once(checker, record, &checker->migration);
}

void check_own(struct stream_checker *checker, const struct stream_record *record)
{
	if (!checker->own_at && record->understood && record->type != STREAM_IMAGE)
		checker->own_at = record->offset;
	if (!record->understood)
		return;
	switch (record->type) {
	case STREAM_IMAGE:
		check_image(checker, record);
		break;
	case STREAM_COUNTERS:
		check_counters(checker, record);
		break;
	case STREAM_DESCRIPTOR:
		check_descriptor(checker, record);
		break;
	case STREAM_LOG:
		once(checker, record, &checker->log);
		break;
	case STREAM_RATELIMIT:
		once(checker, record, &checker->ratelimit);
		break;
	case STREAM_CREDIT:
		check_credit(checker, record);
		break;
	case STREAM_EVENTS:
		check_events(checker, record);
		break;
	case STREAM_WATCH_ORDER:
		check_watch_order(checker, record);
		break;
	case STREAM_PERMS:
		check_perms(checker, record);
		break;
	case STREAM_STATISTICS:
		check_statistics(checker, record);
		break;
	case STREAM_UPDATE:
		once(checker, record, &checker->update);
		check_conn_id(checker, record->offset, record->own.update.conn_id);
		break;
	case STREAM_MIGRATION:
		check_migration(checker, record);
		break;
	case STREAM_DOMAIN_STATE:
		check_domain_state(checker, record);
		break;
	case STREAM_CLIENT:
		check_client(checker, record);
		break;
	case STREAM_DELTA:
		check_delta(checker, record);
		break;
	case STREAM_SNAPSHOT:
		check_snapshot(checker, record);
		break;
	default:
		check_tx(checker, record);
	}
}
