/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One 9pfs device of one domain, from the back-end's side: what its nodes say, and the connection
 * that follows from it.
 *
 * backend_look() reads how things stand and does the next step; it is called whenever something may
 * have changed, and it does not matter if it is called too often.
 *
 * Spec: stubdom.md section 5 (nodes).
 */
#ifndef XENSTORED_NINEPFSD_BACKEND_H
#define XENSTORED_NINEPFSD_BACKEND_H

#include <stdbool.h>
#include <stdint.h>
#include <xenstore.h>

/* Where toolstacks describe the devices that we serve, below our own home. */
#define BACKEND_ROOT "backend/xen_9pfs"

/* Marks devices that "attach" made, which nobody else removes when their domain is gone. */
#define ATTACHED_NODE "attached-by"
#define ATTACHED_NAME "xenstore-9pfsd"

struct connection;

struct backend {
	unsigned int domid, number;
	char path[64];	 /* of our nodes */
	char *front;	 /* path of the front-end's nodes, and of our watch there; NULL: not yet */
	bool attached;	 /* made by "attach" */
	bool orphan;	 /* the front-end has no nodes (any more) */
	bool published;	 /* our abilities are told */
	bool introduced; /* the domain was known to the Xenstore when it connected */

	struct connection *connection;
	bool connected;	      /* and that is told */
	int64_t connected_at; /* milliseconds */
	int64_t delay;	      /* before the next connection, milliseconds */
	int64_t not_before;   /* when that is over; 0: it is */

	/* service.c: how often the front-end has had it looked at */
	int64_t window;	    /* since then, milliseconds */
	unsigned int looks; /* so often */
	int64_t look_at;    /* put off until then; 0: it is not */

	/* devices.c */
	struct backend *sibling, *next, **link, *next_dirty;
	bool dirty; /* is to be looked at */
};

/** A device that was not known before, or NULL without memory. */
struct backend *backend_new(unsigned int domid, unsigned int number);

/**
 * Do the next step. @wake: eventfd for news of the connection. @now: milliseconds. False: the
 * device does not exist any more and can be freed.
 */
bool backend_look(struct backend *backend, struct xs_handle *xs, int wake, int64_t now);

/** Whether the connection's thread has something that backend_look() should see. */
bool backend_has_news(const struct backend *backend);

/**
 * Some domain has gone. If it can be this device's and matter to it, ask, and do what follows.
 * True: the Xenstore had to be asked; the device is to be looked at if @gone is set.
 */
bool backend_check_domain(struct backend *backend, struct xs_handle *xs, bool *gone);

/** Ask the connection to end, if there is one. */
void backend_stop(struct backend *backend);

/** End the connection, wait for that, forget the device. Its nodes stay. */
void backend_free(struct backend *backend, struct xs_handle *xs);

/** The token of the watch on the front-end's state: "DOMID/NUMBER". */
void backend_token(const struct backend *backend, char *token, size_t size);

#endif
