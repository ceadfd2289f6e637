/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Socket clients: accepting them, and the transport that moves their bytes.
 */
#ifndef XENSTORED_DAEMON_SOCKETS_H
#define XENSTORED_DAEMON_SOCKETS_H

#include "client/client.h"
#include "daemon/loop.h"

/* The listening socket as a source of clients. */
struct sockets {
	struct loop_source source;
	struct loop *loop;
	bool full; /* out of descriptors or memory: not listening until a client goes, or a while */
	uint64_t retry_at; /* ms, on the core's clock */
	uint64_t told;	   /* when the shortage was last logged, 0 = never */
};

/** Listen again after a while. Returns the ms until it is to be called again, -1 = not needed. */
int sockets_retry(struct sockets *sockets);

/** Accept clients from the listening descriptor @fd. Returns 0 or a negative errno. */
int sockets_open(struct sockets *sockets, struct loop *loop, int fd);

/** A client on the socket @fd of an earlier process image. NULL: it is no socket, or no memory. */
struct client *sockets_adopt(struct sockets *sockets, int fd);

#endif
