/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process' side of the simulated host: the "hypercall" and the two kinds of
 * connection that protocol.h describes. The look-alikes of the Xen libraries and
 * the commands of simxen are thin layers on top.
 *
 * Failures are negative errno values. Nothing here aborts; when the host is gone
 * every call fails with ENODEV.
 */
#ifndef HYPERVISOR_LIBS_CLIENT_H
#define HYPERVISOR_LIBS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hypervisor/host/protocol.h"

/* A control connection. May be used by several threads. */
struct simxen_client;

/* The directory of the host: $SIMXEN_DIR, or one of this user's below /tmp. */
const char *simxen_directory(char *buffer, size_t size);

/* The domain that this process belongs to: $SIMXEN_DOMID, or 0. */
uint32_t simxen_own_domid(void);

/*
 * Connects to the host in a directory, as a process of the given domain. Returns 0
 * and the client, which simxen_client_free() ends; ENOENT or ECONNREFUSED when
 * there is no host.
 */
int simxen_client_new(const char *directory, uint32_t domid, struct simxen_client **client);

/* The same for the directory and domain that the environment names. */
int simxen_client_open(struct simxen_client **client);

void simxen_client_free(struct simxen_client *client);

/* The descriptor, for polling and for the libraries that hand theirs out. */
int simxen_client_fd(const struct simxen_client *client);

/*
 * One request and its answer, which replaces *message. data goes with the request;
 * data of the answer is stored in reply (at most *reply_length bytes, then set to
 * what came). Either may be NULL. Returns the answer's result. EFAULT when data or
 * reply is not accessible memory.
 */
int simxen_client_call(struct simxen_client *client, struct simxen_message *message,
		       const void *data, size_t length, void *reply, size_t *reply_length);

/* The same with a descriptor that goes with the request, -1: none. It stays the caller's. */
int simxen_client_call_with(struct simxen_client *client, struct simxen_message *message,
			    const void *data, size_t length, int descriptor, void *reply,
			    size_t *reply_length);

/* A request without data; returns the result. */
int simxen_client_ask(struct simxen_client *client, uint32_t op, uint64_t arg0, uint64_t arg1,
		      uint64_t arg2);

/* Maps one page of the machine's memory, shared and writable if asked. NULL and errno. */
void *simxen_client_map_page(struct simxen_client *client, uint64_t page, int prot, void *where);

/* A descriptor of the machine's memory; the client keeps it. */
int simxen_client_memory(struct simxen_client *client);

/* A new evtchn connection: a descriptor or a negative errno. */
int simxen_evtchn_connect(const char *directory, uint32_t domid, bool close_on_exec);

/* The name of an evtchn connection in requests. */
int simxen_evtchn_cookie(int fd, uint64_t *cookie);

/* Sends one word (see protocol.h), waiting for room if necessary. */
int simxen_evtchn_send(int fd, uint32_t word);

#endif
