/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scripts: random sequences of what clients, the toolstack and the hypervisor do.
 *
 * A step names slots and clients, not states: one that makes no sense when it
 * comes (a request in a transaction that is not open) is left out. So every
 * part of a script is a script again, and a failing one can be shortened by
 * leaving out steps until none can be spared.
 */
#ifndef TESTS_UNIT_SCRIPT_H
#define TESTS_UNIT_SCRIPT_H

#include <stdint.h>
#include <stdio.h>

#include "model.h"

#define SCRIPT_SOCKETS 2u /* clients 0 and 1; client 1 + d is domain d */
#define SCRIPT_CLIENTS (SCRIPT_SOCKETS + MODEL_DOMAINS - 1)
#define SCRIPT_SLOTS   8u

enum step_kind {
	STEP_REQUEST, /* in transaction slot @slot, or direct by @client */
	STEP_START,
	STEP_END,
	STEP_WATCH,
	STEP_UNWATCH,
	STEP_RESET_WATCHES,
	STEP_CREATE, /* the hypervisor makes a domain */
	STEP_INTRODUCE,
	STEP_RELEASE,
	STEP_DESTROY, /* the domain dies and the store is told */
	STEP_VANISH,  /* the domain dies and nobody is told yet */
	STEP_REPLACE, /* the same, and another domain gets its domid */
	STEP_TELL,    /* the store is told of all changes */
	STEP_TARGET,
	STEP_QUOTA,
	STEP_SNAPSHOT, /* a live update begins */
	STEP_UPDATE,   /* it is carried out */
	STEP_READ_ALL, /* compare everything by requests */
};

struct step {
	enum step_kind kind;
	unsigned int client;
	unsigned int slot; /* 0 = none, 1 to SCRIPT_SLOTS */
	unsigned int domid, other;
	unsigned int number; /* token, quota */
	bool commit;
	struct model_request request; /* its domid is filled in when it is carried out */
};

/* A generator of random numbers, for repeatable scripts. */
struct dice {
	uint64_t state;
};

/** A number below @sides. */
unsigned int dice_roll(struct dice *dice, unsigned int sides);

/** Fill @step with @count random steps. */
void script_make(struct dice *dice, struct step *step, unsigned int count);

/** Domid of a client. */
static inline unsigned int script_domid(unsigned int client)
{
	return client < SCRIPT_SOCKETS ? 0 : client - SCRIPT_SOCKETS + 1;
}

/** One line for people. */
void script_print(FILE *out, const struct step *step);

#endif
