/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A trial: core and naive model with the transactions that are open in both.
 *
 * Here are the requests on nodes and the judgement over commits; replay.c has
 * the steps around them.
 */
#ifndef TESTS_UNIT_TRIAL_H
#define TESTS_UNIT_TRIAL_H

#include "harness.h"
#include "replay.h"

#define TRIAL_TRANSACTION_LIMIT 3u

/* A request that a transaction made, and what it was told. */
struct entry {
	struct model_request request;
	struct model_reply reply;
	bool creates;	   /* the path was missing */
	char nearest[128]; /* what the transaction saw of the path: all of it, or an ancestor */
};

/* An open transaction. */
struct slot {
	bool open, lost, wrote, created;
	unsigned int client;
	uint32_t id;
	uint64_t target;
	struct model_node *base, *branch;
	struct entry *entry;
	unsigned int count;
	int nodes_of[MODEL_DOMAINS];
};

/* One run of a script. */
struct trial {
	struct harness *harness;
	struct model model;
	struct peer *socket[SCRIPT_SOCKETS];
	struct slot slot[SCRIPT_SLOTS];
	unsigned int watched[SCRIPT_CLIENTS]; /* a bit for each token */
	struct replay_counts *counts;
	char *why;
	size_t why_size;
};

/** Note why core and model do not agree. Returns false. */
bool trial_disagree(struct trial *trial, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** Name of an errno value, "OK" for 0. */
const char *trial_error_name(int error);

/** The client's end of its connection, NULL when it has none now. */
struct peer *trial_peer(struct trial *trial, unsigned int client);

/** Forget an open transaction; all that a client holds; all that dead domains' clients held. */
void trial_close_slot(struct slot *slot);
void trial_forget_client(struct trial *trial, unsigned int client);
void trial_forget_dead(struct trial *trial);

/** Number of transactions that the client has open. */
unsigned int trial_open_slots(const struct trial *trial, unsigned int client);

/** Send @request and compare the answer with @expected. Returns false if they differ. */
bool trial_ask(struct trial *trial, struct peer *peer, uint32_t tx,
	       const struct model_request *request, const struct model_reply *expected);

/** Steps of a script. Return false when core and model do not agree. */
bool trial_request(struct trial *trial, const struct step *step);
bool trial_start(struct trial *trial, const struct step *step);
bool trial_end(struct trial *trial, const struct step *step);

#endif
