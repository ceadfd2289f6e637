/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A whole world in memory for tests of the core: clients that are buffers, a
 * hypervisor that is a table, a clock that is set by hand.
 *
 * A test sends bytes as a client, lets the core run until it has nothing to do,
 * and looks at the bytes that come back. Guests are introduced through the same
 * INTRODUCE that a toolstack sends.
 */
#ifndef TESTS_UNIT_HARNESS_H
#define TESTS_UNIT_HARNESS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/core.h"

struct harness;

/* One end of a connection: a socket client's, or a guest's. */
struct peer {
	struct transport transport; /* the core's end */
	struct harness *harness;
	struct client *client; /* NULL once the core has closed it */
	int number;	       /* stands for a descriptor */
	unsigned int domid;    /* of a guest */
	bool is_guest;
	bool closed;	     /* by the core */
	bool kept;	     /* while the core is replaced: it goes on with the next one */
	bool hung_up;	     /* by the test: the core sees the end of the stream */
	int failed;	     /* enum transport_error given by the core, 0 = none */
	unsigned int resets; /* how often the ring was reset */
	unsigned int port;
	unsigned int features; /* written to the ring page at the introduction */
	size_t take_max; /* bytes that the core may send before the test drains; SIZE_MAX = all */
	char *to_core, *from_core;
	size_t to_len, from_len, from_at;
	struct peer *next;
};

/* A domain of the simulated hypervisor. */
struct fake_domain {
	unsigned int state; /* DOMSTATE_*; 0 = does not exist */
	uint64_t unique_id;
	bool changed;
	int connect_error; /* what mapping its ring gives, 0 or a positive errno */
	int bind_error;	   /* what binding again gives */
};

struct harness {
	struct world world;
	struct logger logger;
	struct domstate domstate;
	struct rings rings;
	struct core_config config;
	struct core *core;
	uint64_t now; /* ms; set by the test */
	uint64_t next_unique_id;
	struct fake_domain domain[DOMID_FIRST_RESERVED];
	struct peer *peers; /* all that were made; freed with the harness */
	struct peer *dom0;  /* a socket for the harness' own requests */
	char log[65536];    /* messages to syslog, a line each */
	size_t log_len;
	bool identities_unknown; /* domain state without unique ids, as from older hypervisors */
};

/* A message from the core. */
struct answer {
	struct wire_header header;
	char payload[WIRE_PAYLOAD_MAX + 1]; /* with a NUL put behind */
};

/** A world with domain 0 (privileged, and the daemon's own) and nobody else. NULL: no memory. */
struct harness *harness_new(void);

/** The same with other identities and settings; start from harness_config(). */
struct harness *harness_new_with(const struct core_config *config);
struct core_config harness_config(void);
void harness_free(struct harness *harness);

/** Let the core run until it waits for something outside (bounded: fails the test if it never
 * does). */
void harness_run(struct harness *harness);

/**
 * The same without telling the core that its clients' transports are ready: what happens is what
 * time, or one client's doing, brings about for the others.
 */
void harness_run_untold(struct harness *harness);

/** A new socket client. */
struct peer *harness_socket(struct harness *harness);

/** The hypervisor creates a domain (a fresh unique id); nobody is told yet. */
void harness_create(struct harness *harness, unsigned int domid);

/** harness_create() if needed, then INTRODUCE by the toolstack. Returns the guest's end. */
struct peer *harness_guest(struct harness *harness, unsigned int domid);

/** The guest's end of an introduced domain, or NULL. */
struct peer *harness_find_guest(struct harness *harness, unsigned int domid);

/** The domain shuts down / is dead and gone; the core is told (VIRQ_DOM_EXC) and run. */
void harness_shutdown(struct harness *harness, unsigned int domid);
void harness_destroy(struct harness *harness, unsigned int domid);

/** The same without telling the core, and telling it of all that changed. */
void harness_destroy_silently(struct harness *harness, unsigned int domid);
void harness_tell(struct harness *harness);

/** Put raw bytes into a client's stream, without running the core. */
void peer_push(struct peer *peer, const void *data, size_t len);

/** Put a request in, without running the core. */
void peer_send(struct peer *peer, uint32_t type, uint32_t tx_id, const void *payload, size_t len);

/** The next message that came back, reply or event; false when there is none. */
bool peer_receive(struct peer *peer, struct answer *answer);

/**
 * One request and its answer. Events that come before it are kept for peer_event().
 * Returns 0, or the errno of an ERROR reply. @answer may be NULL.
 */
int peer_request(struct peer *peer, uint32_t type, uint32_t tx_id, const void *payload, size_t len,
		 struct answer *answer);

/**
 * A request whose payload is @text with each blank standing for a NUL, and one more at the end:
 * "5 1 105" is an INTRODUCE's. Returns 0, or the errno of an ERROR reply; @answer may be NULL.
 */
int peer_ask(struct peer *peer, uint32_t type, uint32_t tx_id, const char *text,
	     struct answer *answer);

/** Shorthands; paths and tokens are C strings. All return 0 or the errno of the reply. */
int peer_write(struct peer *peer, uint32_t tx, const char *path, const char *value);
int peer_read(struct peer *peer, uint32_t tx, const char *path, struct answer *answer);
int peer_mkdir(struct peer *peer, uint32_t tx, const char *path);
int peer_rm(struct peer *peer, uint32_t tx, const char *path);
int peer_directory(struct peer *peer, uint32_t tx, const char *path, struct answer *answer);
/* @perms: letters and domids separated by blanks, "n0 r5" */
int peer_set_perms(struct peer *peer, uint32_t tx, const char *path, const char *perms);
/* the permissions in that form in answer->payload */
int peer_get_perms(struct peer *peer, uint32_t tx, const char *path, struct answer *answer);
int peer_watch(struct peer *peer, const char *path, const char *token);
int peer_unwatch(struct peer *peer, const char *path, const char *token);
int peer_start(struct peer *peer, uint32_t *tx);
int peer_end(struct peer *peer, uint32_t tx, bool commit);

/**
 * The next watch event that has come in since the last call, as "path token"; "" when there is
 * none. The string is valid until the next call.
 */
const char *peer_event(struct peer *peer);

/** Forget all events that have come in. */
void peer_forget_events(struct peer *peer);

/** How often @text is in the log. */
unsigned int harness_log_count(const struct harness *harness, const char *text);

/** Whether the log has a line with @text in it. */
bool harness_logged(const struct harness *harness, const char *text);

#endif
