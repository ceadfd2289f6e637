/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host process: one machine, and everybody who is connected to it.
 *
 *   start      the machine is switched on
 *   server     the loop, and what the mechanism calls
 *   memory     the frames
 *   control    control connections: reads a request, calls, answers
 *   handle     evtchn connections: whose port is it, and which events wait
 *   domains    what a domain has besides what the mechanism knows: page, port, name
 *   mappings   which connection holds which mapping
 *
 * The mechanism's callbacks may not call it back, so what they tell is noted and
 * host_settle() acts on it after each operation. What cannot be noted for want of memory
 * is found again by looking at everything.
 */
#ifndef HYPERVISOR_HOST_HOST_H
#define HYPERVISOR_HOST_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hypervisor/host/live-update.h"
#include "hypervisor/host/memory.h"
#include "hypervisor/host/protocol.h"
#include "hypervisor/hypervisor.h"

/* Xen before this release does not have the get-domain-state operation. */
#define HOST_DOMAIN_STATE_SINCE ((4U << 16) | 21U)

struct hand_over;
struct host;
struct handle;
struct control;

/* Something in the loop. ready() is called with events of epoll. */
struct source {
	int fd;
	void (*ready)(struct host *host, struct source *source, uint32_t events);
};

/* Whose port it is. */
struct port_owner {
	struct handle *handle; /* NULL: nobody's */
	bool keeps_open;       /* the port outlives the handle */
};

/* What the host knows of a domid, beside the mechanism. */
struct host_domain {
	char name[SIMXEN_NAME_MAX];
	uint32_t store_port;
	bool introduced;
	bool bare; /* never to be introduced by the host */
	struct port_owner *ports;
	uint32_t port_count;	 /* elements of ports */
	struct control **shares; /* who shares the page, by reference; see shares.c */
	uint32_t share_count;
};

/* A mapping of a page by a connection. */
struct host_mapping {
	struct control *owner; /* NULL: free */
	uint32_t handle;       /* the mechanism's */
	uint32_t next;	       /* of the same owner or of the free ones; index + 1 */
	uint32_t previous;
};

/* One that was noted in a callback. */
struct noted_event {
	uint16_t domid;
	uint32_t port;
};

struct host {
	struct hypervisor hv;
	uint32_t xen_version; /* major << 16 | minor */
	int epoll;
	struct hv_memory machine;
	int memory;	       /* the file of all frames */
	unsigned char *frames; /* where it is mapped */
	int lock;	       /* of the directory, held by having it open */
	bool stopping;
	int64_t reclaim_at; /* milliseconds, 0: nothing to free */
	char directory[4096];
	char store_rundir[256]; /* of the process that bound the virq for dead domains last */
	struct source control_listener, evtchn_listener;
	struct source **sources; /* by descriptor */
	size_t source_room;
	struct control *controls;
	struct handle *handles;
	struct handle *dirty; /* with events to be sent */
	unsigned int control_count, handle_count;

	struct host_domain *domains; /* by domid */

	struct host_mapping *mappings; /* by id */
	uint32_t mapping_count, mapping_free, mapping_used;

	struct update update;

	bool missed; /* something could not be noted or delivered for want of memory */
	struct noted_event *events; /* noted in callbacks */
	size_t event_count, event_room;
	uint16_t *freed;
	size_t freed_count, freed_room;
};

struct host_options {
	const char *directory;
	const struct hv_id_kind *ids;
	uint32_t xen_version;
	int lock;		  /* of the directory */
	int hand_over;		  /* the file of a host that this one takes over, -1: none */
	const char *command_line; /* of the hypervisor */
};

/* ---- start.c ---- */

/* Switches the machine on. On failure (a negative errno) the process has to end. */
int host_init(struct host *host, const struct host_options *options);

/* Tells the host's pid in its directory's file. */
void host_write_pid(int lock);

/* Takes the sockets on which new connections come, which may be waited for already. */
int host_listen(struct host *host, int control, int evtchn);

/* The same as far as a former host's process told: what it has open, and its directory. */
void host_adopt(struct host *host, const struct hand_over *head);

/* Removes the host's files and frees all. */
void host_deinit(struct host *host);

/* ---- server.c ---- */

/* Runs the machine until it is stopped. ready_fd is written to when it can be used, and closed. */
int host_run(const struct host_options *options, int ready_fd);

/*
 * A source is entered, so that its descriptor leads to it, and waited for, so that the loop calls
 * it. Behind an update the loop waits already. Both return 0 or a negative errno.
 */
int host_enter_source(struct host *host, struct source *source);
int host_wait_for(struct host *host, const struct source *source);
void host_change_source(struct host *host, struct source *source, uint32_t events);

/* Closes the descriptor. */
void host_drop_source(struct host *host, struct source *source);

/* The mechanism's own memory, which ends with this process. May be used by several threads. */
extern const struct hv_allocator host_allocator;

/* What the mechanism gets from this process; what to do about ids is still to be filled in. */
struct hv_config host_config(struct host *host);

/* Delivers noted events, and cleans up after freed domains. What lacks memory (missed is set then)
 * is tried again the next time, and in the loop. */
void host_settle(struct host *host);

/* Lets a helper tell a new xenstored of the domains there are. */
void host_spawn_introducer(struct host *host);

/* With signals blocked: one that came before and has not ended the host yet comes again, for the
 * program that this process executes. */
void host_keep_signal(void);

/* ---- control.c ---- */

struct control {
	struct source source;
	uint32_t domid;
	bool greeted;
	char rundir[256];
	uint32_t first_mapping; /* index + 1 */
	struct control *next, **link;
};

/* A connection on a descriptor that it owns from now on; NULL without memory. Not waited for yet.
 */
struct control *control_new(struct host *host, int fd);

/* Answers a request that was put off. Ends the connection if it does not take it. */
void control_answer(struct host *host, struct control *control, int result, const void *data,
		    size_t length);
void control_accept(struct host *host, struct source *listener, uint32_t events);
void control_close(struct host *host, struct control *control);

/* ---- handle.c ---- */

struct handle {
	struct source source;
	uint32_t domid;
	bool greeted;
	bool had_dom_exc; /* bound the virq for dead domains once */
	uint64_t cookie;
	unsigned char partial[sizeof(struct simxen_evtchn_hello)];
	size_t partial_length;
	uint32_t *queue; /* ports to be sent, a ring */
	size_t queue_room, queue_start, queue_count;
	size_t sent_bytes; /* of the first in the queue */
	uint32_t place;	   /* in a hand-over file */
	bool blocked, dirty;
	struct handle *next, **link, *next_dirty;
};

/* As control_new(). */
struct handle *handle_new(struct host *host, int fd);
void handle_accept(struct host *host, struct source *listener, uint32_t events);
struct handle *handle_by_cookie(struct host *host, uint64_t cookie);

/* Closes the connection and its ports. */
void handle_close(struct host *host, struct handle *handle);

/* Makes the handle owner of a port of its domain, whose events it gets from now on. */
int handle_attach(struct host *host, struct handle *handle, uint32_t port, bool keeps_open);

/* The same, but the mask stays as it is. */
int handle_own(struct host *host, struct handle *handle, uint32_t port, bool keeps_open);

/* Queues a port number to be sent. 0 or -ENOMEM. */
int handle_queue(struct handle *handle, uint32_t port);

/* Nobody owns the port any more. */
void handle_detach(struct host *host, uint32_t domid, uint32_t port);

/* The owner of a port. */
struct handle *handle_of_port(struct host *host, uint32_t domid, uint32_t port);

/* Takes the port's event and queues it for the owner, if it has one. Without memory it stays
 * pending, and host->missed says so. */
void handle_deliver(struct host *host, uint32_t domid, uint32_t port);

/* The same for all ports of a domain that have one, whether anybody has told of it or not. */
void handle_deliver_all(struct host *host, uint32_t domid);

/* Sends what is queued. */
void handle_flush_dirty(struct host *host);

/* The same for all handles that have something and do not wait for room. */
void handle_flush_all(struct host *host);

/* ---- domains.c ---- */

/* Makes the mechanism's domain 0 and the table. */
int domains_boot(struct host *host);
void domains_free(struct host *host);
int domains_create(struct host *host, uint32_t caller, uint32_t domid, uint32_t flags,
		   uint64_t pages, const char *name, struct simxen_domain *created);
int domains_destroy(struct host *host, uint32_t caller, uint32_t domid);
/* The processes of a domain end with it: they see the end of their connections. */
void domains_end_processes(struct host *host, uint32_t domid);
/* Up to most domains from first on; the number, or a negative errno. */
int domains_list(struct host *host, uint32_t caller, uint32_t first, size_t most,
		 struct simxen_domain *list);
/* After the mechanism freed a domain: its page is empty again. */
void domains_freed(struct host *host, uint32_t domid);

/* ---- mappings.c ---- */

/* Notes a mapping of the mechanism; returns its id or a negative errno. */
int64_t mappings_add(struct host *host, struct control *owner, uint32_t handle);
/* The same for a given id and a mapping that exists already. -ESRCH when it does not, -EINVAL when
 * the id is taken, -ENOMEM. Behind the last one, mappings_link_free() is needed. */
int mappings_put(struct host *host, struct control *owner, uint32_t id, uint32_t handle);
void mappings_link_free(struct host *host);
int mappings_remove(struct host *host, uint64_t id);
void mappings_remove_all(struct host *host, struct control *owner);

/* ---- hypercall-kexec.c ---- */

/* When the machine is there, and before it goes. */
void host_kexec_init(struct host *host);
void host_kexec_deinit(struct host *host);

/*
 * The kexec hypercall of @caller, whose memory is the file @memory (-1: none). An exec that begins
 * is answered later; see live_update_begin(). After a failure update.kexec.message says why, if
 * there is more to say than the error does.
 */
int host_kexec(struct host *host, struct control *caller, unsigned int command, uint64_t address,
	       int memory, uint64_t flags, uint64_t patience);

/* ---- shares.c ---- */

/* Grants a new page of the owner's domain to another; the reference or a negative errno. */
int shares_add(struct host *host, struct control *owner, uint32_t to, bool writable,
	       uint64_t *frame);
int shares_end(struct host *host, struct control *owner, uint32_t ref);

/* Page number nr is shared already, by this owner. -EINVAL, -ENOMEM. */
int shares_put(struct host *host, struct control *owner, uint32_t nr);
void shares_end_all(struct host *host, struct control *owner);

#endif
