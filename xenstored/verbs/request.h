/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request on its way from the wire to its handler and back.
 *
 * The reply is allocated before anything is done, so that whatever was done
 * can be answered. Handlers check first, then prepare (which may fail), then
 * apply; they return 0 with the reply filled in, or a positive errno value,
 * which becomes an ERROR reply, or one of the REQUEST_* values.
 */
#ifndef XENSTORED_VERBS_REQUEST_H
#define XENSTORED_VERBS_REQUEST_H

#include "bytes/args.h"
#include "client/event.h"
#include "core/core.h"

#define REQUEST_DONE	  0
#define REQUEST_LATER	  (-1) /* nothing was done; try again when releases are through */
#define REQUEST_NO_MEMORY (-2) /* nothing was done, not even a reply was possible */
#define REQUEST_SILENT	  (-3) /* done, and the reply comes from elsewhere */

/* Room in the reply that is allocated beforehand: any error name, any number, "OK". */
#define REPLY_ROOM 24

struct request {
	struct core *core;
	struct client *client;
	struct wire_header header;
	const char *payload;
	size_t len;
	struct transaction *tx; /* NULL outside of transactions */
	struct message *reply;
	struct event_batch events; /* queued before the reply */
	struct message *after;	   /* queued behind the reply, or NULL */
	long work;		   /* units used beyond the first */
};

typedef int request_handler(struct request *request);

/**
 * Handle one complete message.
 * @message: header and payload; need not be aligned
 * @budget: decreased by the work done
 * Returns REQUEST_DONE, REQUEST_LATER or REQUEST_NO_MEMORY.
 */
int request_handle(struct core *core, struct client *client, const char *message, long *budget);

/** Answer "OK". Returns 0. */
int request_ack(struct request *request);

/** Answer with a short text and its NUL (at most REPLY_ROOM bytes). Returns 0. */
int request_answer(struct request *request, const char *text);

/** A reply of @len bytes to be filled at the returned address; NULL: no memory. */
char *request_reply(struct request *request, size_t len);

/** Parse the payload as one path. Returns 0 or EINVAL. */
int request_path(const struct request *request, bool special, struct path *path);

/** Make a path of an argument of this request's client. Returns 0 or EINVAL. */
int request_make_path(const struct request *request, const struct arg *arg, bool special,
		      struct path *path);

/** The tree that the request sees. */
const struct tree *request_view(const struct request *request);

/**
 * Look a node up and check the right to it.
 * @want: PERM_READ, PERM_WRITE, or PERM_WRITE | PERM_OWNER: any of them shows whether a node
 *        exists, all of them give access
 * @facets: on what of the node the answer will depend, besides existence
 *
 * Returns 0 with lookup->node set; ENOENT or EACCES by the disclosure rule (spec: protocol.md
 * section 5); ENOSPC or ENOMEM.
 */
int request_lookup(struct request *request, const struct path *path, unsigned int want,
		   unsigned int facets, struct lookup *lookup);

/**
 * Note a dependency of the request's transaction, if it has one.
 * @node: what the transaction has at @path, or NULL
 * Returns 0, ENOSPC or ENOMEM.
 */
int request_touch(struct request *request, const char *path, size_t len, const struct node *node,
		  unsigned int facets);

/**
 * Note the dependencies of having found @path missing: on its own absence, and on @missing_facets
 * of its missing and @nearest_facets of its nearest existing ancestor. Returns as request_touch().
 */
int request_touch_missing(struct request *request, const struct path *path,
			  const struct lookup *lookup, unsigned int missing_facets,
			  unsigned int nearest_facets);

/**
 * May the client's memory grow by @bytes? Returns 0, EIO (which poisons a transaction), or
 * REQUEST_LATER when what is being released may make room.
 */
int request_check_memory(struct request *request, uint64_t bytes);

/** A node write in the transaction failed: it can only end with ENOMEM. Returns @error. */
int request_poison(struct request *request, int error);

/**
 * Carry out a change of the store, in the request's transaction or on the live tree with its
 * events prepared in request->events. The caller applies nothing itself and answers afterwards.
 * @old_perms: the node's permissions before, for the events of SET_PERMS, else NULL
 * Returns 0 or ENOMEM.
 */
int request_change(struct request *request, enum tree_change kind, const struct path *path,
		   const void *value, size_t value_len, struct perms *perms);

/**
 * Commit request->tx, whose changes become the live tree's, with its events in request->events.
 * Returns 0, EAGAIN, ENOSPC, ENOMEM or REQUEST_LATER. The transaction is still to be freed.
 */
int request_commit(struct request *request);

/* Handlers, by file. */
request_handler verb_read, verb_directory, verb_directory_part, verb_get_perms;
request_handler verb_write, verb_mkdir, verb_rm, verb_set_perms;
request_handler verb_watch, verb_unwatch, verb_reset_watches;
request_handler verb_transaction_start, verb_transaction_end;
request_handler verb_introduce, verb_release, verb_resume, verb_set_target, verb_get_domain_path,
	verb_is_domain_introduced;
request_handler verb_get_feature, verb_set_feature, verb_get_quota, verb_set_quota;
request_handler verb_control;

#endif
