/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watch events: who is told of a change, prepared before it is made.
 *
 * Events are collected in a batch: watches are matched, receivers' rights are
 * checked, messages are allocated. Then the change is made, and the batch is
 * queued, which cannot fail (spec: protocol.md section 10).
 */
#ifndef XENSTORED_CLIENT_EVENT_H
#define XENSTORED_CLIENT_EVENT_H

#include "client/client.h"

struct event_batch {
	struct message_list messages;
	struct watch_matches matches;
	struct cause *cause; /* of a guest's request; made with the first message */
	unsigned int count;
};

/*
 * The permission lists by which receivers may see an event; each may be NULL. Reading by any one
 * of them is enough.
 */
struct event_sight {
	const struct perms *before; /* of the node, before the change */
	const struct perms *now;    /* of the node, after the change or at its removal */
	const struct perms *parent;
};

void event_batch_init(struct event_batch *batch);

/**
 * Add the events for a change at @path.
 * @source: the client whose request causes it, NULL for the system
 * Returns 0 or ENOMEM; the batch can then only be discarded.
 */
int event_add(struct core *core, struct event_batch *batch, struct client *source, const char *path,
	      size_t len, enum watch_kind kind, const struct event_sight *sight);

/* A watched node in a subtree that is being removed. */
struct watched_node {
	const struct watch_node *watched;
	struct node *node, *parent;
};

/**
 * The watched nodes below @top, which stands at @path, in the order of a walk.
 * @parents_first: pre-order, else post-order
 * @found: set to an array to be freed by the caller, @count entries
 * Returns 0 or ENOMEM.
 */
int event_watched_below(struct core *core, struct node *top, const char *path, size_t len,
			bool parents_first, struct watched_node **found, size_t *count);

/** Path of an entry of event_watched_below(). */
void event_watched_path(const struct watched_node *entry, struct path *path);

/** Add the events of removing the node @node at @path, whose parent is @parent. Returns 0/ENOMEM.
 */
int event_add_removal(struct core *core, struct event_batch *batch, struct client *source,
		      const char *path, size_t len, struct node *node, const struct node *parent);

/** Add an event of a special node: "@releaseDomain", say, and its form with the domid behind. */
int event_add_special(struct core *core, struct event_batch *batch, const char *name, bool bare,
		      bool with_domid, unsigned int domid);

/** Queue all. @reply, if not NULL, shares the cause, so that the request counts once. */
void event_batch_queue(struct core *core, struct event_batch *batch, struct message *reply);

/** Forget all. */
void event_batch_discard(struct event_batch *batch);

#endif
