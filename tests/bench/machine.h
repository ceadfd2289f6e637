/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine: the simulated host on which a subject runs, and what a toolstack does to it.
 *
 * A subject whose socket is DIR/run/socket runs on the host in DIR/host.  Domains are created
 * there, and introduced through the subject's own socket.
 */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stdint.h>

#include "client.h"
#include "subject.h"

#define DOMIDS 0x7FF0u /* domain 0 included */

struct machine {
	const struct subject *subject;
	char directory[108];
	int control;
	unsigned char *memory;	/* of all guests: page D is domain D's ring */
	uint32_t ports[DOMIDS]; /* each domain's own port for the store, 0 = no such domain */
};

/* Connect to the subject's host. */
struct machine *machine_new(const struct subject *subject);

/* A control connection in the name of a domain. */
int machine_control(const struct machine *machine, uint32_t domid);

/* One request on such a connection; the result, or a negative errno. */
int machine_ask(int control, uint32_t op, uint64_t arg0, uint64_t arg1);

/* A connection for a domain's events; *cookie is its name in requests. */
int machine_evtchn(const struct machine *machine, uint32_t domid, uint64_t *cookie);

/* Create domains until there are count beside domain 0, or one with this domid. */
void machine_create(struct machine *machine, unsigned int count);
void machine_create_one(struct machine *machine, uint32_t domid);

/* End a domain's life; the store is not asked. */
void machine_destroy(struct machine *machine, uint32_t domid);

/* Give each of domains first to last a home of its own, and introduce it. */
void machine_homes(const struct machine *machine, struct client *dom0, uint32_t first,
		   uint32_t last);
void machine_introduce(const struct machine *machine, struct client *dom0, uint32_t first,
		       uint32_t last);

#endif
