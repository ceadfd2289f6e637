/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of our own, for what the migration format lacks.
 *
 * Two classes: with the high bit clear a reader may skip a type that it does
 * not know, with the high bit set it must refuse the image. A must-understand
 * record is only written for a receiver that has declared it.
 *
 * Each body starts with the version of its layout, the oldest version whose
 * reader can make sense of it, and the length of the fixed part. A new version
 * adds fields at the end of the fixed part and counted parts behind the old
 * ones, so that an old reader finds what it knows. All layouts are tables
 * (stream-own-table.c), so that encoding, decoding and printing cannot
 * disagree; docs/migration-stream.md has the same in words.
 *
 *      u8 version, u8 oldest, u16 fixed | fixed fields | counted parts | zeros up to 8
 *
 * A counted part has its count as a u32 in the fixed part. Texts are counted
 * with their NUL in the image, without it in these structs.
 */
#ifndef LIVEUPDATE_STREAM_OWN_H
#define LIVEUPDATE_STREAM_OWN_H

#include "liveupdate/stream.h"

#define STREAM_OWN_RANGE 0x58530000u /* "XS" */
#define STREAM_OWN_MASK	 0x7fff0000u
#define STREAM_MUST	 0x80000000u

/* The revision of docs/migration-stream.md. */
#define STREAM_OWN_FORMAT 1u

#define STREAM_OWN_MAY(number)	((uint32_t)(STREAM_OWN_RANGE | (number)))
#define STREAM_OWN_NEED(number) ((uint32_t)(STREAM_OWN_RANGE | STREAM_MUST | (number)))

#define STREAM_IMAGE	     STREAM_OWN_MAY(1)
#define STREAM_COUNTERS	     STREAM_OWN_MAY(2)
#define STREAM_DESCRIPTOR    STREAM_OWN_MAY(3)
#define STREAM_LOG	     STREAM_OWN_MAY(4)
#define STREAM_RATELIMIT     STREAM_OWN_MAY(5)
#define STREAM_CREDIT	     STREAM_OWN_MAY(6)
#define STREAM_EVENTS	     STREAM_OWN_MAY(7)
#define STREAM_WATCH_ORDER   STREAM_OWN_MAY(8)
#define STREAM_PERMS	     STREAM_OWN_MAY(9)
#define STREAM_STATISTICS    STREAM_OWN_MAY(10)
#define STREAM_UPDATE	     STREAM_OWN_MAY(11)
#define STREAM_MIGRATION     STREAM_OWN_MAY(20)
#define STREAM_DOMAIN_STATE  STREAM_OWN_NEED(12)
#define STREAM_CLIENT	     STREAM_OWN_NEED(13)
#define STREAM_TX	     STREAM_OWN_NEED(14)
#define STREAM_TX_DIFFERENCE STREAM_OWN_NEED(15)
#define STREAM_TX_TOUCH	     STREAM_OWN_NEED(16)
#define STREAM_TX_CHANGE     STREAM_OWN_NEED(17)
#define STREAM_DELTA	     STREAM_OWN_NEED(18)
#define STREAM_SNAPSHOT	     STREAM_OWN_NEED(19)

struct stream_own_prefix {
	uint8_t version, oldest;
	uint16_t fixed; /* bytes, this prefix included */
};

/* Counted parts. All have the same shape, so that one piece of code handles them. */
struct stream_text {
	const char *data; /* terminated */
	uint32_t count;	  /* bytes without the NUL */
};

struct stream_bytes {
	const uint8_t *data;
	uint32_t count;
};

/* A permission entry and the domain record that it is bound to. */
struct stream_own_perm {
	char letter;
	uint8_t flags; /* STREAM_PERM_STALE */
	uint16_t domid;
	uint32_t pad;
	uint64_t record;
} __attribute__((packed));

struct stream_own_perms {
	const struct stream_own_perm *data;
	uint32_t count;
};

struct stream_serial {
	uint64_t value;
} __attribute__((packed));

struct stream_serials {
	const struct stream_serial *data;
	uint32_t count;
};

/* What belongs to one queued message of a connection. */
#define STREAM_EVENT_EXPIRES 2u

struct stream_event {
	uint32_t message; /* number in the connection's output, the partial one included, from 0 */
	uint16_t flags;
	uint16_t cause_domid;
	uint64_t deadline;     /* on the clock of COUNTERS.now, ms */
	uint64_t cause_record; /* of the domain whose request caused it, 0 = none */
	uint64_t cause;	       /* the same for all messages that one request caused */
} __attribute__((packed));

struct stream_events_list {
	const struct stream_event *data;
	uint32_t count;
};

/*
 * IMAGE: says that the image is ours. Directly behind GLOBAL; in a fragment, which has no GLOBAL,
 * it comes first.
 */
#define STREAM_IMAGE_FRAGMENT 1u /* a part of a store: what belongs to one domain */

struct stream_image {
	uint32_t format; /* STREAM_OWN_FORMAT */
	uint16_t own_domid, priv_domid;
	uint32_t flags;
	uint64_t created; /* seconds since 1970 */
	struct stream_text program;
};

struct stream_counters {
	uint32_t flags; /* none yet */
	uint64_t now;	/* clock of all times in the image, ms */
	uint64_t last_record;
	uint64_t generation;
	uint64_t version; /* of the live tree */
	uint64_t last_client;
	uint64_t last_watch;
};

/* DESCRIPTOR: an open file that crosses the exec, besides those in standard records. */
struct stream_descriptor {
	int32_t fd;
	struct stream_text name;
};

#define STREAM_LOG_ON 1u

struct stream_log {
	uint32_t flags;
	uint32_t switches; /* bit n: trace class n is on */
	uint32_t pad;
	struct stream_text file;
};

#define STREAM_RATELIMIT_QUIET 1u /* that it is not in force has been reported */

struct stream_ratelimit {
	uint32_t flags;
	int64_t reserve;
	uint64_t refilled;
	uint64_t last_effect; /* 0 = never */
};

#define STREAM_CREDIT_JOINED 1u
#define STREAM_CREDIT_ACTIVE 2u
#define STREAM_CREDIT_TOLD   4u /* the administrator knows that it has been held up */

struct stream_credit {
	uint16_t domid;
	uint16_t flags;
	int64_t points;
	int64_t rest;
};

/* EVENTS: deadlines and causes of a connection's output. */
struct stream_events {
	uint32_t conn_id;
	struct stream_events_list events;
};

/* WATCH_ORDER: order of registration over all connections, one number for each WATCH. */
struct stream_watch_order {
	uint32_t conn_id;
	struct stream_serials sequence;
};

/* PERMS: the domain records that the entries of the NODE in front are bound to. */
struct stream_perms {
	uint32_t flags; /* none yet */
	struct stream_serials records;
};

/* STATISTICS: largest values seen. The names are NUL-terminated, one for each value. */
#define STREAM_STATISTICS_GLOBAL 0xffffu

struct stream_statistics {
	uint16_t domid;
	uint16_t pad;
	struct stream_serials max;
	struct stream_bytes names;
};

/* UPDATE: who asked for the live update and waits for the answer. */
struct stream_update {
	uint32_t conn_id;
	uint32_t req_id;
	uint32_t tx_id;
	uint32_t flags; /* none yet */
	uint64_t started;
};

/* MIGRATION: a session of CONTROL migrate, with what has been collected or is being read. */
struct stream_migration {
	uint32_t conn_id;
	uint32_t expected; /* bytes, 0 = the fragment is being read */
	struct stream_bytes fragment;
};

#define STREAM_DOMAIN_INTRODUCED 1u
#define STREAM_DOMAIN_SHUTDOWN	 2u  /* @releaseDomain was fired for its shutdown */
#define STREAM_DOMAIN_OWED	 4u  /* that is still to be done */
#define STREAM_DOMAIN_IGNORED	 16u /* its ring broke the rules and is not served */
#define STREAM_DOMAIN_OVER_HARD	 32u /* memory quota reports that wait for the all-clear */
#define STREAM_DOMAIN_OVER_SOFT	 64u
#define STREAM_DOMAIN_FLAGS	 119u

/* DOMAIN_STATE: a domain's record, introduced or not. */
struct stream_domain_state {
	uint16_t domid;
	uint16_t flags;
	uint32_t features;
	uint16_t target_domid; /* STREAM_NO_TARGET = none */
	uint16_t pad;
	uint64_t record;	/* serial; unique in the image */
	uint64_t unique_id;	/* the hypervisor's, 0 = unknown */
	uint64_t target_record; /* 0 = none */
};

#define STREAM_CLIENT_IGNORED	1u
#define STREAM_CLIENT_ENDING	2u /* its peer has finished: read on to the end */
#define STREAM_CLIENT_INPUT_END 4u /* and the end has been read */
#define STREAM_CLIENT_FLAGS	7u

/* CLIENT: what CONNECTION does not say about a client. */
struct stream_client {
	uint32_t conn_id;
	uint32_t flags;
	uint32_t last_transaction;
	uint64_t client;    /* id, never used again */
	uint32_t releasing; /* 1 + domid of a RELEASE that is under way; 0 = none */
	uint32_t pad;
	/* Since layout 2. Of a ring: the port of its domain that is bound; 0 = not known. */
	uint32_t remote_port;
};

#define STREAM_TX_LOST	   1u
#define STREAM_TX_POISONED 2u
#define STREAM_TX_CREATED  4u
#define STREAM_TX_REMOVED  8u
#define STREAM_TX_FLAGS	   15u

/*
 * TX: an open transaction. Its differences, touches and changes follow directly, in this order.
 * The newest comes first.
 */
struct stream_tx {
	uint32_t conn_id;
	uint32_t tx_id;
	uint32_t flags;
	uint64_t started; /* ms */
	uint64_t version; /* of the live tree at the start */
	uint64_t target;  /* record of the client's target at the start, 0 = none */
	uint32_t differences, touches, changes;
	uint32_t pad;
};

/* How one tree is made from another, entry by entry, from the top down. */
enum stream_operation {
	STREAM_SET = 1,	   /* has this value and these permissions; created if it is missing */
	STREAM_REMOVE = 2, /* is gone, with all below */
	STREAM_ORDER = 3,  /* the value lists all children in their order, each name with its NUL */
};

/*
 * TX_DIFFERENCE: to the tree that the transaction started on, from that of the one in front, or
 * from the live tree.
 */
struct stream_tx_difference {
	uint32_t conn_id;
	uint32_t tx_id;
	uint32_t operation; /* enum stream_operation */
	struct stream_own_perms perms;
	struct stream_text path;
	struct stream_bytes value;
};

/* Facets of a path that a transaction can depend on. */
#define STREAM_FACETS 31u

#define STREAM_TOUCH_EVENT 1u /* watches are told at the commit */
#define STREAM_TOUCH_BELOW 2u /* stands for what was removed below the path */
#define STREAM_TOUCH_FLAGS 3u

struct stream_tx_touch {
	uint32_t conn_id;
	uint32_t tx_id;
	uint8_t depends, own; /* facets */
	uint16_t flags;
	uint32_t pad;
	struct stream_text path;
};

enum stream_change {
	STREAM_CHANGE_WRITE = 1,
	STREAM_CHANGE_CREATE = 2, /* with missing ancestors */
	STREAM_CHANGE_PERMS = 3,
	STREAM_CHANGE_REMOVE = 4,
};

/* TX_CHANGE: what the transaction has done, in order. */
struct stream_tx_change {
	uint32_t conn_id;
	uint32_t tx_id;
	uint32_t kind; /* enum stream_change */
	struct stream_own_perms perms;
	struct stream_text path;
	struct stream_bytes value;
};

/* DELTA: what has changed since the NODE records in front were written. */
struct stream_delta {
	uint32_t operation; /* enum stream_operation */
	struct stream_own_perms perms;
	struct stream_text path;
	struct stream_bytes value;
};

/* A domid in NODE records, and the domain record that it meant when these were written. */
struct stream_owner {
	uint16_t domid;
	uint16_t pad;
	uint32_t more;
	uint64_t record;
} __attribute__((packed));

struct stream_owners {
	const struct stream_owner *data;
	uint32_t count;
};

/*
 * SNAPSHOT: the NODE records directly behind it were written before the rest, from the store as it
 * was then; DELTA records bring them up to date.
 */
struct stream_snapshot {
	uint64_t size; /* bytes of these NODE records; 0 = not said */
	struct stream_owners owners;
};

/* Where the size stands, from the start of the record. */
#define STREAM_SNAPSHOT_SIZE_AT (STREAM_HEADER_SIZE + sizeof(struct stream_own_prefix))

union stream_own {
	struct stream_image image;
	struct stream_counters counters;
	struct stream_descriptor descriptor;
	struct stream_log log;
	struct stream_ratelimit ratelimit;
	struct stream_credit credit;
	struct stream_events events;
	struct stream_watch_order watch_order;
	struct stream_perms perms;
	struct stream_statistics statistics;
	struct stream_update update;
	struct stream_migration migration;
	struct stream_domain_state domain_state;
	struct stream_client client;
	struct stream_tx tx;
	struct stream_tx_difference tx_difference;
	struct stream_tx_touch tx_touch;
	struct stream_tx_change tx_change;
	struct stream_delta delta;
	struct stream_snapshot snapshot;
};

/* The tables. */
enum stream_field_kind {
	FIELD_U8,
	FIELD_U16,
	FIELD_U32,
	FIELD_U64,
	FIELD_I32,
	FIELD_I64,
	FIELD_CHAR,
	FIELD_TEXT,
	FIELD_BYTES,
	FIELD_ARRAY,
};

struct stream_field {
	const char *name;
	enum stream_field_kind kind;
	uint16_t offset;		     /* in the struct */
	uint16_t since;			     /* version of the record that brought it */
	uint16_t element_size;		     /* FIELD_ARRAY */
	const struct stream_field *elements; /* FIELD_ARRAY; ends with a NULL name */
};

struct stream_own_type {
	uint32_t type;
	const char *name;
	uint8_t version;		   /* written and known */
	uint8_t oldest;			   /* reader that can make sense of it */
	size_t size;			   /* of the struct */
	const struct stream_field *fields; /* ends with a NULL name */
};

/** True for numbers in our range, known or not. */
static inline bool stream_is_own(uint32_t type)
{
	return (type & STREAM_OWN_MASK) == STREAM_OWN_RANGE;
}

/** Own type number @index, NULL behind the last one: what a receiver declares. */
const struct stream_own_type *stream_own_at(size_t index);

/** The description of @type, or NULL. */
const struct stream_own_type *stream_own_find(uint32_t type);

/** Bytes of a field in the fixed part of a body. */
size_t stream_field_size(const struct stream_field *field);

/** Bytes of an element of a field's counted part; 0 for a field that has none. */
size_t stream_field_element(const struct stream_field *field);

/*
 * What stream_own_decode() finds.
 */
enum stream_own_result {
	STREAM_OWN_OK,
	STREAM_OWN_TOO_NEW, /* its oldest reader is younger than this one */
	STREAM_OWN_BAD,	    /* see @where and @why */
};

/**
 * Decode the body of a record.
 * @record: the struct of this type; points into the body afterwards
 * @used: set to the bytes that were understood
 * @where, @why: offset in the body and text of what is wrong
 */
enum stream_own_result stream_own_decode(const struct stream_own_type *type, const uint8_t *body,
					 size_t len, void *record, size_t *used, size_t *where,
					 const char **why);

#endif
