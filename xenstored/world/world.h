/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The world: what the core needs from outside, as small interfaces.
 *
 * The core makes no system call and has no mutable globals; the daemon, the
 * unit tests and the fuzzers each bring their own implementation of these.
 */
#ifndef XENSTORED_WORLD_WORLD_H
#define XENSTORED_WORLD_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syslog.h>
#include <sys/types.h>

#include "domstate/domstate.h"

/* Classes of trace lines (spec: cli-and-control.md section 5). */
enum log_class { LOG_OBJ, LOG_IO, LOG_WRL, LOG_ACC, LOG_TDB, LOG_CLASS_NONE };

enum log_direction { LOG_IN, LOG_OUT };

/* Where messages for the administrator go. All members may be called at any time; none fails. */
struct logger {
	/* For syslog: @priority as in <syslog.h>. */
	void (*message)(struct logger *log, int priority, const char *text);
	/* True when trace lines of this class are wanted; LOG_CLASS_NONE: any trace at all. */
	bool (*enabled)(struct logger *log, enum log_class class);
	/* One line for the trace; @class decides whether it is written. */
	void (*trace)(struct logger *log, enum log_class class, const char *text);
	/* A message of a client, for the trace. */
	void (*io)(struct logger *log, enum log_direction direction, uint64_t client,
		   unsigned int domid, uint32_t type, const void *payload, size_t len);
};

/*
 * A byte stream to a client. receive and send move what is possible at once and return the number
 * of bytes, or -EAGAIN when nothing is, or another -errno when the stream is broken; receive
 * returns 0 at the end of the stream. Less than was asked for means that there is no more now.
 */
struct transport;

/* What of a transport survives an exec. */
struct transport_place {
	int fd;		      /* of a socket, else -1 */
	uint32_t port;	      /* of a ring: the local event channel, 0 = none */
	uint32_t remote_port; /* and the domain's, 0 = not known */
};

struct transport_ops {
	ssize_t (*receive)(struct transport *transport, void *data, size_t len);
	ssize_t (*send)(struct transport *transport, const void *data, size_t len);
	/* Stop serving but stay known: report @error (an enum transport_error) to the peer. */
	void (*fail)(struct transport *transport, int error);
	void (*close)(struct transport *transport);
	/* How another process image can take the stream over; NULL: it cannot. */
	void (*describe)(struct transport *transport, struct transport_place *place);
	/* What describe() said in there about a ring's remote port. NULL: it does not matter. */
	void (*bound)(struct transport *transport, uint32_t remote_port);
};

struct transport {
	const struct transport_ops *ops;
};

/* The ring page's error word (spec: rings-and-domains.md section 1). */
enum transport_error { TRANSPORT_COMM = 1, TRANSPORT_RINGIDX = 2, TRANSPORT_PROTO = 3 };

/* How domains are connected. NULL members: there are no rings on this machine. */
struct rings {
	/*
	 * Connect to @domid's ring. @port: the domain's event channel, which its ring page may
	 * override. @features goes into the ring page. Returns 0 or -errno.
	 */
	int (*connect)(struct rings *rings, unsigned int domid, unsigned int port,
		       unsigned int features, struct transport **out);
	/* A second INTRODUCE: bind @port anew. Returns 0 or -errno, when nothing has changed. */
	int (*rebind)(struct rings *rings, struct transport *transport, unsigned int port);
	/* Empty both directions and answer a reconnection request. */
	void (*reset)(struct rings *rings, struct transport *transport);
	/* Answer a reconnection request, keeping what is in the ring. */
	void (*connected)(struct rings *rings, struct transport *transport);
};

struct world {
	struct logger *log;
	struct domstate *domstate;
	struct rings *rings;
	/* Milliseconds since some fixed moment, for timers. */
	uint64_t (*now)(struct world *world);
	/*
	 * An allocation failed that must not: of an answer, of a request that gives memory back, or
	 * of the privileged domain's input. Free what was put aside for this; returns whether there
	 * was something. May be NULL.
	 */
	bool (*make_room)(struct world *world);
	/* Whether that is used up: what would take more memory is refused then. May be NULL. */
	bool (*is_short)(struct world *world);
};

#endif
