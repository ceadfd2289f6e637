/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event channels as the daemon uses them: many ports, each with its listener.
 *
 * Who listens is kept here; how a port is bound and signalled is the platform's:
 * a device of Linux, or hypercalls in a domain without an operating system.
 */
#ifndef XENSTORED_XEN_EVTCHN_H
#define XENSTORED_XEN_EVTCHN_H

#include <stdint.h>

/* Who is told when a port fires. */
struct evtchn_listener {
	void (*fired)(struct evtchn_listener *listener);
};

struct evtchn;

/* What the platform does. Ports are local ones. */
struct evtchn_ops {
	/* Bind to a port of @domid. Returns the local port or a negative errno. */
	int (*bind)(struct evtchn *evtchn, unsigned int domid, uint32_t remote_port);
	/* Bind a virq. Returns the local port or a negative errno. */
	int (*bind_virq)(struct evtchn *evtchn, unsigned int virq);
	void (*unbind)(struct evtchn *evtchn, uint32_t port);
	void (*notify)(struct evtchn *evtchn, uint32_t port);
};

struct evtchn {
	const struct evtchn_ops *ops;
	struct evtchn_listener **by_port; /* NULL: nobody */
	uint32_t ports;			  /* size of by_port */
};

/** No port has a listener. */
void evtchn_init(struct evtchn *evtchn, const struct evtchn_ops *ops);

/** Free the table. Ports stay as they are. */
void evtchn_deinit(struct evtchn *evtchn);

/** Bind to a domain's port. Returns the local port or a negative errno. */
int evtchn_bind(struct evtchn *evtchn, unsigned int domid, uint32_t remote_port,
		struct evtchn_listener *listener);

/** Listen on a port that is bound already. Returns 0 or a negative errno. */
int evtchn_adopt_port(struct evtchn *evtchn, uint32_t port, struct evtchn_listener *listener);

/** Bind a virq. Returns the local port or a negative errno. */
int evtchn_bind_virq(struct evtchn *evtchn, unsigned int virq, struct evtchn_listener *listener);

/** Close a local port; 0 is none. */
void evtchn_unbind(struct evtchn *evtchn, uint32_t port);

/** Signal the other end; 0 is none. */
void evtchn_notify(struct evtchn *evtchn, uint32_t port);

/** For the platform: @port has fired. Nothing happens when nobody listens. */
void evtchn_fired(struct evtchn *evtchn, uint32_t port);

/** More ports than this are never handed out (the FIFO ABI's limit). */
#define EVTCHN_PORTS_MAX (1u << 17)

#endif
