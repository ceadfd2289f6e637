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

struct migration;

/* What the process around the core gives to an image, and makes of one. */
struct image_process {
	int32_t listen_fd, evtchn_fd; /* -1 = none */
	uint64_t created;	      /* now, in seconds since 1970 */
	const char *failure;	      /* restoring after an update that failed: why; else NULL */
	/*
	 * For other readers: that our own domain has a ring as others have, without anything in it,
	 * with this local port. A reader that is a domain itself needs to know its own.
	 */
	bool has_own_ring;
	uint32_t own_port;
	void *data;
	/* A client of the inherited socket @fd. Returns NULL: it could not be taken over. */
	struct client *(*adopt_socket)(void *data, int fd);
	/* The ring of @domid with its local @port (0 = none). Returns 0 or a negative errno. */
	int (*adopt_ring)(void *data, unsigned int domid, uint32_t port,
			  struct transport **transport);
	/* Settings of the trace, which are made at run time; either may be NULL. */
	void (*get_log)(void *data, struct stream_log *log);
	void (*set_log)(void *data, const struct stream_log *log);
	struct migration *migration; /* a session that crosses as well; may be NULL */
};

/* The request that asked for the update; its answer is part of the image. */
struct image_requester {
	struct client *client; /* NULL: nobody waits */
	uint32_t req_id, tx_id;
};

/* The store's part of an image of our own kind, which is written ahead from a snapshot. */
struct image_base {
	struct core *core;
	struct stream_writer *writer;
	struct tree tree; /* the snapshot */
	uint64_t *record; /* by domid: the domain record that it meant then, 0 = none */
	struct walk walk;
	bool walking, done;
	unsigned int top; /* next of the nodes to walk from */
	/* In the image: */
	uint64_t snapshot_at, nodes_at;
	uint64_t size; /* of the nodes' records, when they are all written */
};

/**
 * Take the snapshot and begin the image.
 * @writer: initialized, of our own dialect; must live as long as @base
 * Returns 0 or an errno value; image_base_drop() is due in any case.
 */
int image_base_start(struct image_base *base, struct core *core,
		     const struct image_process *process, struct stream_writer *writer);

/** Write up to @nodes nodes; base->done says when it was the last one. Returns 0 or an errno value.
 */
int image_base_some(struct image_base *base, unsigned int nodes);

/**
 * Complete the image, with what is now different from the snapshot, and with all that is not of the
 * store. Nothing may happen to the core between this and the end of the process, or the image is
 * out of date. Returns 0 or an errno value.
 */
int image_finish(struct image_base *base, const struct image_process *process,
		 const struct image_requester *requester);

/** Give the snapshot back. */
void image_base_drop(struct image_base *base);

/**
 * Write the state at once.
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
	uint64_t max_client;		 /* largest id of one */
	uint64_t *record;    /* by domid: what it means in a NODE; NULL: whoever has it now */
	uint64_t nodes_size; /* of the NODE records behind SNAPSHOT, 0 = not said */
	/* Tops of what belonged to domains that are gone now; in the image. */
	struct restore_orphan {
		const char *path;
		size_t len;
	} * orphan;
	size_t orphans, orphan_room;
	struct bulk bulk; /* where the nodes go */
	struct restore_perms {
		struct perms *perms; /* a reference */
		uint32_t count;	     /* 0: an empty place */
		struct stream_perm entry[RESTORE_ENTRIES];
	} perms[RESTORE_PERMS];
	struct transaction *tx;
	uint64_t tx_kept;     /* last place of a child before its differences */
	bool branched;	      /* the differences of tx are in */
	struct tree tx_base;  /* what the transaction started on, as far as it has come */
	struct cause **cause; /* of restored messages, by number less 1 */
	size_t causes, cause_room;
};

/* More permission entries than a SET_PERMS can bring. */
#define IMAGE_PERMS_MAX (WIRE_PAYLOAD_MAX / 2)

/**
 * Fill our own permission entries from a list. Those of dead domains are left out, as they are from
 * NODE records, but for the owner. Returns the count.
 */
uint32_t image_own_perms(const struct core *core, const struct perms *perms,
			 struct stream_own_perm *out);

/** Whether a tree can be changed at this path; @remove: whether what stands there can be removed.
 */
bool image_path_is_possible(const struct stream_text *path, bool remove);

/** Make a change of the live tree, with all that belongs to it. Returns as change_prepare(). */
int image_change(struct state *state, enum tree_change kind, const char *path, size_t len,
		 const void *value, size_t value_len, struct perms *perms);

/** Set the node at @path in a tree alone, without accounts. Returns 0 or ENOMEM. */
int image_set_node(struct tree *tree, const struct stream_text *path,
		   const struct stream_bytes *value, struct perms *perms);

/**
 * Put the children of @path into the order that is told. Returns 0 or ENOMEM.
 * @kept: the last place given out before the tree began to be changed; children with a later one
 * are put between the others, which stay what they are in other trees. UINT64_MAX: all may move
 */
int image_set_order(struct tree *tree, const struct stream_text *path,
		    const struct stream_bytes *names, uint64_t kept);

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
/* @record: as of struct image_base; NULL: judge by the domains that live now */
int save_node(const struct core *core, const uint64_t *record, struct stream_writer *writer,
	      const char *path, size_t len, struct node *node);

int save_domains(struct core *core, struct stream_writer *writer);
int save_global_quota(const struct core *core, struct stream_writer *writer);
/* A new image, or a fragment, whose causes are numbered anew. */
void image_number_causes(struct core *core);
int save_events(struct core *core, const struct client *client, uint32_t id,
		struct stream_writer *writer);
int save_statistics(struct core *core, struct stream_writer *writer);
int save_domain_quotas(struct core *core, struct stream_writer *writer);
int save_clients(struct core *core, const struct image_requester *requester,
		 struct stream_writer *writer);
int save_nodes(struct core *core, struct stream_writer *writer);
/* What is different from @base now. */
int save_delta(struct core *core, const struct tree *base, struct stream_writer *writer);
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
int restore_watch_order(struct restore *restore, const struct stream_watch_order *order);
int restore_statistics(struct restore *restore, const struct stream_statistics *statistics);
/* All messages are there: put those that expire in order. */
int restore_deadlines(struct restore *restore);
/* Count in @count, one of the report's, and tell the administrator what could not be restored. */
void restore_dropped(struct restore *restore, unsigned int *count, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int restore_events(struct restore *restore, const struct stream_events *events);
int restore_watch(struct restore *restore, const struct stream_watch *watch);
void restore_nodes_start(struct restore *restore);
/* No more nodes will come. */
int restore_nodes_end(struct restore *restore);
void restore_nodes_free(struct restore *restore);
int restore_node(struct restore *restore, const struct stream_node *node);
int restore_snapshot(struct restore *restore, const struct stream_snapshot *snapshot);
int restore_delta(struct restore *restore, const struct stream_delta *delta);
/* All DELTAs are done: drop what belongs to nobody. */
int restore_orphans(struct restore *restore);
int restore_tx(struct restore *restore, const struct stream_tx *tx);
int restore_tx_difference(struct restore *restore, const struct stream_tx_difference *difference);
/* All differences of the transaction are in: its branch starts from its base. */
void restore_tx_branch(struct restore *restore);
int restore_tx_touch(struct restore *restore, const struct stream_tx_touch *touch);
int restore_tx_change(struct restore *restore, const struct stream_tx_change *change);

#endif
