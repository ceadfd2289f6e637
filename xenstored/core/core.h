/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The core: a complete xenstored without a process around it.
 *
 * It owns the state, the clients and their watches and transactions, and does
 * everything that a request asks for. It makes no system call; transports,
 * clock, log and the hypervisor come in through struct world. The daemon, the
 * stub domain, unit tests and fuzzers drive it by core_turn().
 */
#ifndef XENSTORED_CORE_CORE_H
#define XENSTORED_CORE_CORE_H

#include "client/client.h"
#include "state/state.h"
#include "state/transaction.h"
#include "state/watch.h"
#include "world/world.h"

/* Units of work that a client may use in one turn; a simple request is one. */
#define CLIENT_BUDGET 16

/* What a client that is not limited may have waiting for it before it is cut off. */
#define OUTPUT_MAX_DEFAULT (16u * 1024 * 1024)

/* Below this, snapshots may keep what they like (design: the larger of this and a quarter of the
 * store). */
#define SNAPSHOT_MIN_DEFAULT (64u * 1024 * 1024)

/* When to try again what memory was missing for. */
#define MEMORY_RETRY_MS 20

struct control_ops;

struct core_config {
	unsigned int own_domid, priv_domid;
	bool keep_orphans;
	uint32_t event_timeout_ms; /* of events for guests, 0 = never */
	struct quota_limits quota;
	size_t output_max, snapshot_min; /* bytes; the defaults are for machines with memory */
	uint64_t generation;		 /* where generation numbers start */
	struct hash_secret secret;
};

struct core {
	struct world *world;
	struct core_config config;
	struct state state;
	struct watches watches;

	struct client_list clients, runnable, waiting;
	unsigned int client_count, runnable_count;
	uint64_t last_client_id;
	struct transaction_list transactions; /* of all clients, oldest first */
	unsigned int transaction_count;

	struct hash pending_events;
	TAILQ_HEAD(, message) expiring; /* events with a deadline, earliest first */
	uint64_t output_bytes;		/* of all clients */
	TAILQ_HEAD(, domain) deaths;	/* domains whose nodes are being removed */

	const struct control_ops *control;
	void *control_data;

	bool holds_transactions; /* none is begun by whoever has none open */
	bool holds_input;	 /* nothing is received */
	bool restoring;		 /* accounts are being filled: what they reach is no news */
	unsigned int snapshots;	 /* of the live tree that belong to no transaction */
	uint64_t images;	 /* that have been written, the present one included */
	uint64_t image_causes;	 /* numbered so far in it, as are the clients */
	uint32_t image_clients;	 /* numbered so far in the image that is being written */
	uint64_t now;		 /* ms, as of the start of the turn */
	uint64_t requests;	 /* handled so far */
	uint64_t wake_at;	 /* when to look at the waiting clients again; 0 = no fixed time */
	bool recheck;		 /* something happened that may let waiting clients go on */
	bool starved;		 /* put-off work could not go on for lack of memory */
	bool changes_left;	 /* of domains, to be asked for in the next turn */
	bool rechecking;	 /* all domains are being asked for, */
	bool recheck_bare;	 /* one of them has had its shutdown told, */
	unsigned int recheck_next; /* and this domid is next */
	bool owed;		   /* some domain's shutdown could not be told for lack of memory */
	bool owed_bare;		   /* of these, the bare @releaseDomain */
	char *input;		   /* shared receive buffer, CLIENT_INPUT_RESTORED_MAX bytes */
	char *spare;  /* another one, for a client whose rest cannot be stored; may be NULL */
	char *output; /* shared send buffer, CLIENT_INPUT_MAX bytes */
};

/**
 * Make a core.
 * @world: must live as long; its rings may be NULL
 * Returns NULL without memory.
 */
struct core *core_new(struct world *world, const struct core_config *config);

/** Close all clients and free everything. */
void core_free(struct core *core);

/** The default configuration; the caller fills in domids, generation and secret. */
void core_config_defaults(struct core_config *config);

/**
 * A new socket client on @transport, which is taken over also on failure.
 * Returns the client, or NULL without memory.
 */
struct client *core_accept(struct core *core, struct transport *transport);

/**
 * The transport of @client may have input, or room for output. @ending: its peer has finished, so
 * the end of the stream will follow without another call.
 */
void core_ready(struct core *core, struct client *client, bool readable, bool writable,
		bool ending);

/** Something changed with the domains: ask the back-end and act, in slices if it is much. */
void core_domains_changed(struct core *core);

/**
 * Ask the back-end about every domain that is known, after a time of not listening: in the next
 * turns, some in each.
 */
void core_recheck_domains(struct core *core);

/**
 * One turn: every client that has something to do gets its budget, then some of the work that was
 * put off is done. Returns the time in ms after which the next turn is due at the latest, 0 when
 * there is more to do at once, or -1 when only an event can bring something.
 */
int core_turn(struct core *core);

/**
 * Hold TRANSACTION_STARTs of clients that have no transaction open back, or carry out those that
 * were (spec: live-update.md section 1).
 */
void core_hold_transactions(struct core *core, bool hold);

/** Receive nothing from now on, so that only requests are handled that are here already; or again.
 */
void core_hold_input(struct core *core, bool hold);

/** Have memory that was put aside. Returns whether there was any. */
static inline bool core_make_room(struct core *core)
{
	return core->world->make_room && core->world->make_room(core->world);
}

/** Whether memory is so short that nothing may be added. */
static inline bool core_is_short(const struct core *core)
{
	return core->world->is_short && core->world->is_short(core->world);
}

/** Write a message for the administrator. */
void core_log(struct core *core, int priority, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** For the trace: a change of the live tree took effect. */
void core_trace_change(struct core *core, const struct change *change);

/** For the trace: @domain's write credit was charged. */
void core_trace_credit(struct core *core, const struct domain *domain, int units);

/** Write a line to the trace. */
void core_trace(struct core *core, enum log_class class, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** Tell the administrator, at most every ten seconds each, that a domain has reached a quota. */
void core_quota_hit(struct core *core, struct domain *domain, enum quota quota);

/** Evaluate the memory quota's messages after a change (spec: quotas.md section 5). */
void core_memory_changed(struct core *core, struct domain *domain);

/** True when accounts may be lower soon, because removed nodes are still to be released. */
bool core_has_releases(const struct core *core);

#endif
