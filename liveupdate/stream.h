/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The migration stream: what an image of a xenstored's state is made of.
 *
 *      +----------+--------+------------+-------+------+------ . . . -+-----+
 *      | preamble | GLOBAL | CONNECTION | WATCH | NODE | NODE         | END |
 *      +----------+--------+------------+-------+------+------ . . . -+-----+
 *
 * One plain struct for each record type, the same for writing and for reading.
 * Read ones point into the image, so they live as long as it does, and cost no
 * memory. Integers are in the host's byte order, apart from the preamble's
 * version (spec: live-update.md section 2). Record types of our own are in
 * stream-own.h; docs/migration-stream.md describes them.
 *
 * Nothing below liveupdate/stream* makes a system call or knows the daemon.
 */
#ifndef LIVEUPDATE_STREAM_H
#define LIVEUPDATE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STREAM_IDENT	     "xenstore"
#define STREAM_PREAMBLE_SIZE 16u
#define STREAM_HEADER_SIZE   8u
#define STREAM_VERSION_MIN   1u
#define STREAM_VERSION_MAX   2u

/* In the preamble's flags: the body is big endian. */
#define STREAM_FLAG_BIG_ENDIAN 1u

enum stream_type {
	STREAM_END = 0,
	STREAM_GLOBAL = 1,
	STREAM_CONNECTION = 2,
	STREAM_WATCH = 3,
	STREAM_TRANSACTION = 4, /* never written, ignored by all readers */
	STREAM_NODE = 5,
	STREAM_GLOBAL_QUOTA = 6,
	STREAM_DOMAIN = 7,
	STREAM_WATCH_EXTENDED = 8,
};

/* No target, in a ring connection (Xen's DOMID_INVALID). */
#define STREAM_NO_TARGET 0x7ff4u

/* A watch without a limit of depth. */
#define STREAM_NO_DEPTH (-1)

struct stream_global {
	int32_t listen_fd; /* -1 = none */
	int32_t evtchn_fd; /* -1 = none */
};

enum stream_connection_type { STREAM_RING = 0, STREAM_SOCKET = 1 };

/* Ids are small numbers, given one after the other. */
#define STREAM_CONNECTION_ID_MAX 1000000u

struct stream_connection {
	uint32_t id;   /* what other records refer to; not zero */
	uint16_t type; /* enum stream_connection_type */
	bool has_unique_id;
	uint16_t domid, target; /* rings only */
	uint32_t port;		/* rings only: local event channel, 0 = none */
	int32_t fd;		/* sockets only */
	uint64_t unique_id;
	uint16_t input_len;   /* received, not yet handled */
	uint16_t partial_len; /* rest of a half-sent message, at the start of output */
	uint32_t output_len;  /* to be sent */
	const uint8_t *input, *output;
};

struct stream_watch {
	uint32_t conn_id;
	int32_t depth;		      /* levels below the path, or STREAM_NO_DEPTH */
	uint16_t path_len, token_len; /* without the NULs */
	const char *path, *token;     /* terminated; the path as the client gave it */
};

/* TRANSACTION of the format's document. Nobody writes it. */
struct stream_transaction {
	uint32_t conn_id, tx_id;
};

#define STREAM_PERM_STALE 1u

/* A permission entry, as it stands in the image. */
struct stream_perm {
	char letter;   /* n, r, w or b */
	uint8_t flags; /* STREAM_PERM_STALE */
	uint16_t domid;
} __attribute__((packed));

struct stream_node {
	uint32_t conn_id, tx_id; /* zero: no reader supports anything else */
	uint16_t access;
	uint16_t perm_count;
	uint16_t path_len; /* without the NUL */
	uint16_t value_len;
	const struct stream_perm *perms; /* entry 0: the owner */
	const char *path;		 /* terminated */
	const uint8_t *value;
};

/* There are ten names today. */
#define STREAM_QUOTAS_MAX 64u

struct stream_quota {
	const char *name; /* terminated */
	uint32_t value;
};

struct stream_quotas {
	uint16_t count;	       /* of domains' values, which come first */
	uint16_t global_count; /* of values that exist globally only */
	struct stream_quota entry[STREAM_QUOTAS_MAX];
};

struct stream_domain {
	uint16_t domid;
	uint32_t features;
	struct stream_quotas quotas;
};

/** Round a length up to a record's granularity. */
static inline size_t stream_round(size_t len)
{
	return (len + 7u) & ~(size_t)7u;
}

/** Name of a record type, "NODE" say, or NULL for a number that has none. Knows our own types. */
const char *stream_type_name(uint32_t type);

/*
 * A dialect: what one line of xenstoreds writes and can read.
 */
struct stream_dialect {
	const char *name;
	uint32_t version_min, version_max; /* accepted */
	uint32_t version;		   /* written when nothing is said */
	bool unique_ids;		   /* of connections */
	bool domains;			   /* DOMAIN records */
	bool quotas;			   /* in DOMAIN records and GLOBAL_QUOTA */
	bool depths;			   /* understands WATCH_EXTENDED as it is documented */
	bool own;			   /* our own record types */
	bool specials_first;		   /* writes "@..." nodes in front of the tree */
};

/** The dialect called @name ("4.17", ..., "own"), or NULL. */
const struct stream_dialect *stream_dialect_find(const char *name);

/** Dialect number @index, NULL behind the last one. */
const struct stream_dialect *stream_dialect_at(size_t index);

#endif
