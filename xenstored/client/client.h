/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client: who it is, what it has sent, what it is owed.
 *
 * A client sits on a transport, which moves bytes when it can; the client turns
 * them into requests and its queue of messages into bytes. Input is taken in
 * bulk into a buffer that all clients share; only what is left over at the end
 * of a turn is kept with the client, so an idle connection costs little.
 */
#ifndef XENSTORED_CLIENT_CLIENT_H
#define XENSTORED_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/message.h"
#include "state/access.h"
#include "state/transaction.h"
#include "state/watch.h"
#include "world/world.h"

struct core;

/* Bytes that one receive may bring, and the most that is kept of a client's input. */
#define CLIENT_INPUT_MAX (32u * 1024)

/* What another xenstored may have kept: as much as an image can say of a connection. */
#define CLIENT_INPUT_RESTORED_MAX 0xffffu

/*
 * TRANSACTION_STARTs that are held back for one client at most, so that an image can say them
 * before the rest of its input, and the size of each.
 */
#define CLIENT_PARKED_MAX  1000u
#define CLIENT_PARKED_SIZE (WIRE_HEADER_SIZE + 1u)

/* Why a client is not served although there is input. */
enum client_wait {
	WAIT_NOT,
	WAIT_RELEASE, /* a request needs what removed nodes still hold, or an update to be over */
	WAIT_CREDIT,  /* write rate limit */
	WAIT_QUOTA,   /* too much outstanding, or too much memory */
	WAIT_MEMORY,  /* not even an error could be allocated; tried again soon */
	WAIT_ANSWER,  /* its last request will be answered later, and replies keep their order */
};

struct client {
	TAILQ_ENTRY(client) link;     /* all clients */
	TAILQ_ENTRY(client) runnable; /* those with something to do */
	TAILQ_ENTRY(client) waiting;  /* those that are held back */
	uint64_t id;		      /* never used again */
	struct identity identity;
	bool is_socket;
	bool in_run_queue;
	bool in_waiting;
	bool broken;	/* the stream failed; to be freed */
	bool was_reset; /* during its own request: forget what was read behind it */
	bool ending;	/* the peer has finished: read on until the end, whatever comes */
	bool input_end; /* nothing more will come */
	bool ignored;	/* a guest that broke the rules: known, but neither read nor written */
	bool readable, writable; /* as far as known */
	enum client_wait wait;
	uint64_t wait_until;	/* ms, for WAIT_CREDIT and WAIT_MEMORY */
	unsigned int releasing; /* 1 + domid of a RELEASE that is being carried out; 0 = none */

	uint32_t image_id; /* in the image that is being written */
	uint32_t parked_count;
	uint32_t *parked; /* ids of TRANSACTION_STARTs that are held back, in order */
	struct transport *transport;
	char *input; /* left over from earlier turns */
	uint32_t input_len, input_room;

	struct message_list output;
	uint64_t output_bytes; /* of all queued messages */

	struct watch_list watches;
	LIST_HEAD(, transaction) transactions;
	uint32_t transaction_count, last_transaction;
	uint64_t transactions_since; /* ms: since then it has had some open all the time */
};

TAILQ_HEAD(client_list, client);

/** The account that the client's use is counted on; never NULL while requests are served. */
static inline struct account *client_account(const struct client *client)
{
	return client->identity.domain ? &client->identity.domain->account : NULL;
}

/** True when quotas and rate limits apply: an unprivileged guest on its ring. */
static inline bool client_is_limited(const struct client *client)
{
	return !client->is_socket && !client->identity.privileged;
}

/**
 * A new client on @transport, which it takes over. @domain: whose identity it has.
 * Returns NULL without memory; the transport is the caller's still.
 */
struct client *client_new(struct core *core, struct transport *transport, struct domain *domain,
			  bool is_socket);

/**
 * The last request has not been answered yet: nothing that comes behind it is begun until
 * client_queue_answer().
 */
void client_await_answer(struct client *client);

/** Queue the answer that a client waits for, or NULL: there is none. It goes on then. */
void client_queue_answer(struct core *core, struct client *client, struct message *message);

/** Close the connection and forget all that the client holds. */
void client_free(struct core *core, struct client *client);

/**
 * Drop watches, transactions, queued output and partial input, as at a new introduction.
 */
void client_reset(struct core *core, struct client *client);

/** Stop serving a client that broke the rules; its domain stays introduced. */
void client_ignore(struct core *core, struct client *client, int error);

/**
 * Hold a TRANSACTION_START back, outside of transactions, until transactions may be started again
 * (core_hold_transactions()). Returns whether there was a place for it (spec: protocol.md section
 * 13).
 */
bool client_park(struct core *core, struct client *client, uint32_t req_id);

/** Drop what was held back, without an answer. */
void client_forget_parked(struct client *client);

/** Request @number of those held back as a message of CLIENT_PARKED_SIZE bytes. */
void client_put_parked(const struct client *client, uint32_t number, char *message);

/** Handle the first of those held back; there is one. Returns as request_handle(). */
int client_run_parked(struct core *core, struct client *client, long *budget);

/** Drop all watches and transactions (RESET_WATCHES). */
void client_drop_watches(struct core *core, struct client *client);
void client_drop_transactions(struct core *core, struct client *client);
void client_end_transaction(struct core *core, struct client *client, struct transaction *tx);

/** Whether @domain is the one that @client speaks for; NULL is nobody. */
static inline bool client_is_of(const struct client *client, const struct domain *domain)
{
	return client && domain && client->identity.domain == domain;
}

/** The open transaction with @id, or NULL. */
struct transaction *client_transaction(const struct client *client, uint32_t id);

/** Give a client that has no watches yet the id that it had in an earlier process. */
void client_set_id(struct core *core, struct client *client, uint64_t id);

/** Queue a message; it is the client's then. Events that are duplicates or too much are dropped. */
void client_queue(struct core *core, struct client *client, struct message *message);

/** Queue a message that was queued in an earlier process: nothing is dropped, shortened or told. */
void client_requeue(struct core *core, struct client *client, struct message *message);

/** Take a message out of its queue and free it: delivered, expired, or of no use. */
void client_unqueue(struct core *core, struct message *message);

/** Send as much of the queue as the transport takes. */
void client_flush(struct core *core, struct client *client);

/** Put a client into the queue of those that have something to do. */
void client_wake(struct core *core, struct client *client);

/** Take a client out of that queue. */
void client_unwake(struct core *core, struct client *client);

/** Whether a whole request has been received and not been begun. */
bool client_has_request(const struct client *client);

/**
 * Serve a client for one turn: receive, handle requests until @budget units of work are used up,
 * send. Returns true when there is more to do at once. May free the client: then it returns false.
 */
bool client_turn(struct core *core, struct client *client, long budget);

#endif
