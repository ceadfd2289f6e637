/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole state of a core as an image, and back.
 *
 * Each kind of state has a file of its own with both directions (state-*.c).
 * What the image cannot carry, descriptors and mappings, is asked of the
 * process through struct image_process.
 */
#ifndef LIVEUPDATE_IMAGE_H
#define LIVEUPDATE_IMAGE_H

#include "core/core.h"
#include "liveupdate/stream-reader.h"
#include "liveupdate/stream-writer.h"
#include "store/bulk.h"

/* What the process around the core gives to an image, and makes of one. */
struct image_process {
	int32_t listen_fd, evtchn_fd; /* -1 = none */
	const char *failure;	      /* restoring after an update that failed: why; else NULL */
	void *data;
	/* A client of the inherited socket @fd. Returns NULL: it could not be taken over. */
	struct client *(*adopt_socket)(void *data, int fd);
	/* The ring of @domid with its local @port (0 = none). Returns 0 or a negative errno. */
	int (*adopt_ring)(void *data, unsigned int domid, uint32_t port,
			  struct transport **transport);
	/* Settings of the trace, which are made at run time; either may be NULL. */
	void (*get_log)(void *data, struct stream_log *log);
	void (*set_log)(void *data, const struct stream_log *log);
};

/* The request that asked for the update; its answer is part of the image. */
struct image_requester {
	struct client *client; /* NULL: nobody waits */
	uint32_t req_id, tx_id;
};

/**
 * Write the state.
 * @writer: initialized; its dialect decides what is left out
 * Returns 0 or an errno value; EBUSY: the state cannot be said in this dialect now.
 */
int image_save(struct core *core, const struct image_process *process,
	       const struct image_requester *requester, struct stream_writer *writer);

/* Why a restore failed, or what it had to drop. */
struct image_report {
	char error[256];
	unsigned int dropped_nodes, dropped_clients, dropped_watches;
};

/**
 * Restore the state into a fresh core. What a foreign image says that cannot be restored is
 * dropped, logged and counted.
 * Returns 0 or an errno value with report->error filled; the core is then only to be freed.
 */
int image_restore(struct core *core, const struct image_process *process, const void *image,
		  size_t size, struct image_report *report);

/* Permission lists that are remembered, and the most entries that these have. */
#define RESTORE_PERMS	64u
#define RESTORE_ENTRIES 4u

/* For the parts. A restore under way: */
struct restore {
	struct core *core;
	const struct image_process *process;
	struct image_report *report;
	bool own;			 /* an image of our own kind */
	struct stream_counters counters; /* of it */
	struct client **client;		 /* by conn-id */
	uint32_t clients;		 /* size of client[] */
	struct bulk bulk;		 /* where the nodes go */
	struct restore_perms {
		struct perms *perms; /* a reference */
		uint32_t count;	     /* 0: an empty place */
		struct stream_perm entry[RESTORE_ENTRIES];
	} perms[RESTORE_PERMS];
	struct transaction *tx;
	bool branched;	      /* the differences of tx are in */
	struct cause **cause; /* of restored messages, by number */
	uint64_t *cause_id;
	size_t causes, cause_room;
};

/** Fill a stream's permission entries from a list; dead domains' are left out. Returns the count.
 */
uint16_t image_perms(const struct core *core, const struct perms *perms, struct stream_perm *out);

/** The list that stream entries mean now, with a reference; NULL: no memory, or no such owner. */
struct perms *image_perms_get(struct restore *restore, const struct stream_perm *entry,
			      uint32_t count, int *error);
struct perms *image_own_perms_get(struct restore *restore, const struct stream_own_perms *perms,
				  int *error);

/** The client of a conn-id, or NULL. */
struct client *image_client(const struct restore *restore, uint32_t conn_id);

/** What a client has sent and is owed, put back. Returns 0, ENOMEM, or EINVAL: that is no output.
 */
int image_restore_input(struct client *client, const struct stream_connection *in);
int image_restore_output(struct core *core, struct client *client,
			 const struct stream_connection *in);

/** Set the limits that @in has a name and a value of. */
void image_take_quotas(const struct stream_quotas *in, struct quota_limits *limits);

/* One of each, for whole images and for fragments. */
int save_domain_quota(const struct domain *domain, struct stream_writer *writer);
int save_client(struct core *core, const struct client *client, uint32_t id,
		const struct image_requester *requester, struct stream_writer *writer);
int save_node(struct core *core, struct stream_writer *writer, const char *path, size_t len,
	      struct node *node);

int save_domains(struct core *core, struct stream_writer *writer);
int save_domain_quotas(struct core *core, struct stream_writer *writer);
int save_clients(struct core *core, const struct image_requester *requester,
		 struct stream_writer *writer);
int save_nodes(struct core *core, struct stream_writer *writer);
int save_transactions(struct core *core, struct stream_writer *writer);

int restore_domain_state(struct restore *restore, const struct stream_domain_state *state);
int restore_domain(struct restore *restore, const struct stream_domain *domain);
int restore_credit(struct restore *restore, const struct stream_credit *credit);
int restore_global_quota(struct restore *restore, const struct stream_quotas *quotas);
/* The record of a domain that a foreign image names; made if the hypervisor knows it. */
struct domain *restore_know(struct restore *restore, unsigned int domid);
int restore_connection(struct restore *restore, const struct stream_connection *connection);
int restore_targets(struct restore *restore, const struct stream_connection *connection);
int restore_client(struct restore *restore, const struct stream_client *client);
int restore_events(struct restore *restore, const struct stream_events *events);
int restore_watch(struct restore *restore, const struct stream_watch *watch);
void restore_nodes_start(struct restore *restore);
/* No more nodes will come. */
int restore_nodes_end(struct restore *restore);
void restore_nodes_free(struct restore *restore);
int restore_node(struct restore *restore, const struct stream_node *node);
int restore_tx(struct restore *restore, const struct stream_tx *tx);
int restore_tx_difference(struct restore *restore, const struct stream_tx_difference *difference);
/* All differences of the transaction are in: its branch starts from its base. */
void restore_tx_branch(struct restore *restore);
int restore_tx_touch(struct restore *restore, const struct stream_tx_touch *touch);
int restore_tx_change(struct restore *restore, const struct stream_tx_change *change);

#endif
