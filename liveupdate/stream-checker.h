/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the checker share. Private to stream-check*.c.
 */
#ifndef LIVEUPDATE_STREAM_CHECKER_H
#define LIVEUPDATE_STREAM_CHECKER_H

#include "liveupdate/stream-check.h"
#include "liveupdate/stream-paths.h"

/* First domid that no domain can have, and the one that stands for any domain. */
#define CHECK_DOMID_MAX 0x7ff0u
#define CHECK_DOMID_ANY 0x7ff5u

/* Serials below have meanings of their own: 0 stale, 1 any domain. */
#define CHECK_RECORD_FIRST 16u

/* How a domain is known. */
#define KNOWN_RING   1u
#define KNOWN_DOMAIN 2u
#define KNOWN_STATE  4u
#define KNOWN_CREDIT 8u
#define KNOWN_OWNER  16u /* owns a node */
#define KNOWN_TARGET 32u /* is a ring's target */
#define KNOWN_THEN   64u /* was there when the snapshot was taken */

struct checked_domain {
	uint64_t record;
	size_t owner_at, domain_at; /* where it was first named */
	uint8_t known;
};

struct checked_connection {
	uint32_t id;
	uint32_t watches, messages;
	bool client, ordered, events;
};

/* Numbers that must be all different, and where they stand. */
struct checked_number {
	uint64_t number;
	size_t offset;
};

struct checked_numbers {
	struct checked_number *entry;
	size_t count, room;
};

struct stream_checker {
	struct stream_report *report;
	struct stream_reader reader;
	const struct hash_secret *secret;
	bool started, no_memory, broken;
	bool global, image, counters, log, ratelimit, update, migration, quota;
	bool root, introduce, release; /* these nodes have been seen */
	bool snapshot;		       /* nodes are of a snapshot */
	size_t nodes_end;	       /* where its nodes have to end, 0 = not said */
	bool delta, transactions;      /* no more nodes may come */
	bool any_client;
	size_t own_at;			/* first record of ours, 0 = none */
	uint16_t own_domid, priv_domid; /* of IMAGE */
	uint16_t fragment_domid;	/* the domain of the last DOMAIN_STATE */

	struct stream_paths paths;
	size_t parent_at, parent_len; /* a path that is known to be present; 0 = none */
	uint32_t node_perms;	      /* of the NODE in front, 0 = there was another record */

	struct checked_connection *connection; /* by id */
	size_t connection_count, connection_room;
	/* By domid, in pages of 256, since most domids are not in use. */
	struct checked_domain *domain_page[256];
	struct checked_domain no_domain; /* stands for all when there is no memory */
	struct checked_numbers fds, ports, records, clients;
	uint64_t causes; /* of messages, so far */
	uint64_t max_record, max_client, last_record, last_client;

	struct stream_tx tx; /* the present one, and what is still to come of it */
	size_t tx_at;	     /* 0 = none */
	/* Over paths: the tree that it started on, and over that what it did. */
	struct stream_paths overlay, changes;
	struct checked_numbers tx_ids;
};

/** Note a problem at @offset. */
void check_error(struct stream_checker *checker, size_t offset, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void check_warning(struct stream_checker *checker, size_t offset, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** The same for what guests can bring about: never a reason to refuse an image of ours. */
void check_remark(struct stream_checker *checker, size_t offset, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** Keep a number for check_unique() at the end. */
void check_number(struct stream_checker *checker, struct checked_numbers *numbers, uint64_t number,
		  size_t offset);

/** What is known of a domain; never NULL. */
struct checked_domain *check_domain_of(struct stream_checker *checker, uint16_t domid);

/** The connection with this id, or NULL after a problem was noted. */
struct checked_connection *check_conn_id(struct stream_checker *checker, size_t offset,
					 uint32_t id);

/** The connection with this id or NULL. */
struct checked_connection *check_find_connection(struct stream_checker *checker, uint32_t id);

/** Whether @path may be a node's; notes a problem. */
bool check_node_path(struct stream_checker *checker, size_t offset, const char *path, size_t len);

/** Check an entry of a permission list; @index 0 is the owner, who must be known in the live tree.
 */
void check_perm(struct stream_checker *checker, size_t offset, unsigned int index, char letter,
		unsigned int flags, unsigned int domid);

/** Whether there is a node, for a transaction if one is being read. */
bool check_present(struct stream_checker *checker, const char *path, size_t len);

/** Whether @path's parent is there, or need not be; notes a problem. */
bool check_parent(struct stream_checker *checker, size_t offset, const char *path, size_t len);

/** Note a node as set or removed in @paths. */
void check_set(struct stream_checker *checker, struct stream_paths *paths, const char *path,
	       size_t len);
void check_remove(struct stream_checker *checker, struct stream_paths *paths, const char *path,
		  size_t len);

void check_connection(struct stream_checker *checker, const struct stream_record *record);
void check_watch(struct stream_checker *checker, const struct stream_record *record);
void check_node(struct stream_checker *checker, const struct stream_record *record);
void check_quotas(struct stream_checker *checker, size_t offset,
		  const struct stream_quotas *quotas);
void check_domain(struct stream_checker *checker, const struct stream_record *record);
void check_own(struct stream_checker *checker, const struct stream_record *record);

/** A record that belongs to a transaction, or starts one. */
void check_tx(struct stream_checker *checker, const struct stream_record *record);

/** The record is none of the present transaction: is that one complete? */
void check_tx_end(struct stream_checker *checker, size_t offset);

/** Check a STREAM_SET, _REMOVE or _ORDER and carry it out in @paths. */
void check_operation(struct stream_checker *checker, size_t offset, struct stream_paths *paths,
		     uint32_t operation, const struct stream_own_perms *perms,
		     const struct stream_text *path, const struct stream_bytes *value);

#endif
