/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules for the records of the format itself. */
#include "liveupdate/stream-checker.h"

#include <stdlib.h>
#include <string.h>

#include "bytes/path.h"
#include "bytes/wire.h"

struct checked_connection *check_find_connection(struct stream_checker *checker, uint32_t id)
{
	size_t low = 0, high = checker->connection_count;

	/* Most references are to the connection that came last. */
	if (high && checker->connection[high - 1].id == id)
		return &checker->connection[high - 1];
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (checker->connection[middle].id == id)
			return &checker->connection[middle];
		if (checker->connection[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

struct checked_connection *check_conn_id(struct stream_checker *checker, size_t offset, uint32_t id)
{
	struct checked_connection *connection = check_find_connection(checker, id);

	if (!connection)
		check_error(checker, offset, "there is no connection %u in front", id);
	return connection;
}

static struct checked_connection *add_connection(struct stream_checker *checker, uint32_t id)
{
	size_t at = checker->connection_count;

	if (at == checker->connection_room) {
		size_t room = at ? at * 2 : 64;
		struct checked_connection *grown = realloc(checker->connection,
							   room * sizeof(*grown));

		if (!grown) {
			checker->no_memory = true;
			return NULL;
		}
		checker->connection = grown;
		checker->connection_room = room;
	}
	/* Nearly always they come in order. */
	while (at && checker->connection[at - 1].id > id)
		at--;
	memmove(checker->connection + at + 1, checker->connection + at,
		(checker->connection_count - at) * sizeof(*checker->connection));
	checker->connection_count++;
	checker->connection[at] = (struct checked_connection){.id = id};
	return &checker->connection[at];
}

/* Whether @data is whole messages from @at on; counts them. */
static bool whole_messages(const uint8_t *data, size_t len, size_t at, uint32_t *count)
{
	while (at < len) {
		struct wire_header header;

		if (len - at < sizeof(header))
			return false;
		memcpy(&header, data + at, sizeof(header));
		if (header.len > WIRE_PAYLOAD_MAX || header.len > len - at - sizeof(header))
			return false;
		at += sizeof(header) + header.len;
		(*count)++;
	}
	return true;
}

/* Whether what has been received could be requests, the last one perhaps not complete yet. */
static bool plausible_input(const uint8_t *data, size_t len)
{
	size_t at = 0;

	while (len - at >= WIRE_HEADER_SIZE) {
		struct wire_header header;

		memcpy(&header, data + at, sizeof(header));
		if (header.len > WIRE_PAYLOAD_MAX)
			return false;
		if (header.len > len - at - sizeof(header))
			return true;
		at += sizeof(header) + header.len;
	}
	return true;
}

static void check_ring(struct stream_checker *checker, const struct stream_record *record)
{
	const struct stream_connection *connection = &record->connection;
	struct checked_domain *domain = check_domain_of(checker, connection->domid);

	if (connection->domid >= CHECK_DOMID_MAX)
		check_error(checker, record->offset, "connection of the impossible domain %u",
			    connection->domid);
	if (domain->known & KNOWN_RING)
		check_error(checker, record->offset, "second connection of domain %u",
			    connection->domid);
	domain->known |= KNOWN_RING;
	if (connection->port)
		check_number(checker, &checker->ports, connection->port, record->offset);
	if (connection->target == STREAM_NO_TARGET)
		return;
	if (connection->target >= CHECK_DOMID_MAX) {
		check_error(checker, record->offset, "domain %u has the impossible target %u",
			    connection->domid, connection->target);
		return;
	}
	domain = check_domain_of(checker, connection->target);
	if (!(domain->known & KNOWN_RING) && !checker->report->own)
		check_warning(checker, record->offset,
			      "the connection of domain %u comes before that of its target %u",
			      connection->domid, connection->target);
	if (!(domain->known & (KNOWN_OWNER | KNOWN_TARGET)))
		domain->owner_at = record->offset;
	domain->known |= KNOWN_TARGET;
}

void check_connection(struct stream_checker *checker, const struct stream_record *record)
{
	const struct stream_connection *connection = &record->connection;
	struct checked_connection *checked;
	uint32_t messages = connection->partial_len > 0;

	checker->report->connections++;
	if (connection->id > STREAM_CONNECTION_ID_MAX)
		check_error(checker, record->offset, "connection with the impossible number %u",
			    connection->id);
	if (check_find_connection(checker, connection->id)) {
		check_error(checker, record->offset, "second connection with the number %u",
			    connection->id);
		return;
	}
	if (connection->type == STREAM_RING)
		check_ring(checker, record);
	else if (connection->fd < 0 && !checker->report->fragment)
		check_error(checker, record->offset, "connection %u has no file descriptor",
			    connection->id);
	else
		check_number(checker, &checker->fds, (uint64_t)connection->fd, record->offset);
	if (!whole_messages(connection->output, connection->output_len, connection->partial_len,
			    &messages))
		check_error(checker, record->offset,
			    "the output of connection %u is not made of whole messages",
			    connection->id);
	if (!plausible_input(connection->input, connection->input_len))
		check_remark(checker, record->offset,
			     "the input of connection %u is not made of requests", connection->id);
	checked = add_connection(checker, connection->id);
	if (checked)
		checked->messages = messages;
}

void check_watch(struct stream_checker *checker, const struct stream_record *record)
{
	const struct stream_watch *watch = &record->watch;
	struct checked_connection *connection = check_conn_id(checker, record->offset,
							      watch->conn_id);
	struct path path;

	checker->report->watches++;
	if (connection) {
		if (connection->ordered)
			check_error(checker, record->offset,
				    "a watch of connection %u behind its WATCH_ORDER",
				    watch->conn_id);
		connection->watches++;
	}
	if (path_make(&path, watch->path, watch->path_len, 0, true, 0))
		check_error(checker, record->offset, "watch on the impossible path \"%.100s\"",
			    watch->path);
	if (watch->path_len + watch->token_len + 2u > WIRE_PAYLOAD_MAX)
		check_remark(checker, record->offset, "watch whose events are too long to be sent");
}

bool check_node_path(struct stream_checker *checker, size_t offset, const char *path, size_t len)
{
	struct path made;

	if (path[0] != '/' && path[0] != '@') {
		check_error(checker, offset, "path \"%.100s\" of a node is not absolute", path);
		return false;
	}
	if (path_make(&made, path, len, 0, true, 0) ||
	    (path[0] == '@' && (len == 1 || memchr(path, '/', len)))) {
		check_error(checker, offset, "path \"%.100s\" is not a legal one", path);
		return false;
	}
	return true;
}

void check_perm(struct stream_checker *checker, size_t offset, unsigned int index, char letter,
		unsigned int flags, unsigned int domid)
{
	struct checked_domain *domain;

	if (letter != 'n' && letter != 'r' && letter != 'w' && letter != 'b')
		check_warning(checker, offset, "permission with the letter 0x%02x",
			      (unsigned char)letter);
	if (flags & ~STREAM_PERM_STALE)
		check_warning(checker, offset, "permission with unknown flags 0x%x", flags);
	if (domid >= CHECK_DOMID_MAX && domid != CHECK_DOMID_ANY)
		check_remark(checker, offset, "permission for the impossible domain %u", domid);
	/* A transaction may still see nodes of a domain that has died. */
	if (index || domid > UINT16_MAX || (flags & STREAM_PERM_STALE) || checker->tx_at)
		return;
	/* Its domain may have died since, and it with its domain. */
	if (checker->snapshot && !checker->delta)
		return;
	domain = check_domain_of(checker, (uint16_t)domid);
	if (!(domain->known & (KNOWN_OWNER | KNOWN_TARGET)))
		domain->owner_at = offset;
	domain->known |= KNOWN_OWNER;
}

bool check_present(struct stream_checker *checker, const char *path, size_t len)
{
	enum stream_presence presence = STREAM_UNKNOWN;

	if (checker->tx_at)
		presence = stream_paths_state(&checker->changes, checker->reader.image, path, len);
	if (checker->tx_at && presence == STREAM_UNKNOWN)
		presence = stream_paths_state(&checker->overlay, checker->reader.image, path, len);
	if (presence == STREAM_UNKNOWN)
		presence = stream_paths_state(&checker->paths, checker->reader.image, path, len);
	return presence == STREAM_PRESENT;
}

bool check_parent(struct stream_checker *checker, size_t offset, const char *path, size_t len)
{
	size_t parent = path_parent_len(path, len);

	if (checker->report->fragment || path[0] == '@' || path_is_root(path, len))
		return true;
	/* In an image that is written in order, most parents are the last one's. */
	if (!checker->tx_at && checker->parent_at && checker->parent_len == parent &&
	    !memcmp(checker->reader.image + checker->parent_at, path, parent))
		return true;
	if (!check_present(checker, path, parent)) {
		check_error(checker, offset, "node \"%.100s\" without its parent in front", path);
		return false;
	}
	if (!checker->tx_at) {
		checker->parent_at = (size_t)((const uint8_t *)path - checker->reader.image);
		checker->parent_len = parent;
	}
	return true;
}

void check_set(struct stream_checker *checker, struct stream_paths *paths, const char *path,
	       size_t len)
{
	if (stream_paths_set(paths, checker->reader.image, path, len))
		checker->no_memory = true;
}

void check_remove(struct stream_checker *checker, struct stream_paths *paths, const char *path,
		  size_t len)
{
	checker->parent_at = 0;
	if (stream_paths_remove(paths, checker->reader.image, path, len))
		checker->no_memory = true;
}

static void note_special(struct stream_checker *checker, const struct stream_record *record)
{
	const struct stream_node *node = &record->node;

	if (!strcmp(node->path, "/"))
		checker->root = true;
	else if (!strcmp(node->path, "@introduceDomain"))
		checker->introduce = true;
	else if (!strcmp(node->path, "@releaseDomain"))
		checker->release = true;
	else if (node->path[0] == '@')
		check_warning(checker, record->offset, "unknown special node \"%.100s\"",
			      node->path);
}

void check_node(struct stream_checker *checker, const struct stream_record *record)
{
	const struct stream_node *node = &record->node;

	checker->report->nodes++;
	checker->node_perms = node->perm_count;
	if (checker->delta || checker->transactions)
		check_error(checker, record->offset, "NODE behind records of changes");
	if (node->conn_id || node->tx_id)
		check_error(checker, record->offset, "node \"%.100s\" belongs to a transaction",
			    node->path);
	if (node->access)
		check_warning(checker, record->offset, "node \"%.100s\" with access 0x%x",
			      node->path, node->access);
	if (node->value_len > WIRE_PAYLOAD_MAX)
		check_warning(checker, record->offset, "node \"%.100s\" has a value of %u bytes",
			      node->path, node->value_len);
	for (unsigned int i = 0; i < node->perm_count; i++)
		check_perm(checker, record->offset, i, node->perms[i].letter, node->perms[i].flags,
			   node->perms[i].domid);
	if (checker->snapshot && node->perms->domid != CHECK_DOMID_ANY &&
	    !(check_domain_of(checker, node->perms->domid)->known & KNOWN_THEN))
		check_error(checker, record->offset,
			    "owner of \"%.100s\" is domain %u, which the SNAPSHOT does not have",
			    node->path, node->perms->domid);
	if (!check_node_path(checker, record->offset, node->path, node->path_len))
		return;
	note_special(checker, record);
	if (check_present(checker, node->path, node->path_len))
		check_error(checker, record->offset, "second node \"%.100s\"", node->path);
	else if (check_parent(checker, record->offset, node->path, node->path_len))
		check_set(checker, &checker->paths, node->path, node->path_len);
}

void check_quotas(struct stream_checker *checker, size_t offset, const struct stream_quotas *quotas)
{
	unsigned int count = quotas->count + quotas->global_count;

	for (unsigned int i = 0; i < count; i++) {
		if (!quotas->entry[i].name[0])
			check_error(checker, offset, "quota without a name");
		for (unsigned int k = 0; k < i; k++)
			if (!strcmp(quotas->entry[i].name, quotas->entry[k].name))
				check_error(checker, offset, "second quota \"%.60s\"",
					    quotas->entry[i].name);
	}
}

void check_domain(struct stream_checker *checker, const struct stream_record *record)
{
	const struct stream_domain *domain = &record->domain;
	struct checked_domain *known = check_domain_of(checker, domain->domid);

	checker->report->domains++;
	if (domain->domid >= CHECK_DOMID_MAX)
		check_error(checker, record->offset, "record of the impossible domain %u",
			    domain->domid);
	if (known->known & KNOWN_DOMAIN)
		check_error(checker, record->offset, "second record of domain %u", domain->domid);
	known->known |= KNOWN_DOMAIN;
	known->domain_at = record->offset;
	check_quotas(checker, record->offset, &domain->quotas);
}
