/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plays: scripted sessions in which chosen allocations of the core fail.
 *
 * A play is a function that sends requests and lets domains live and die. It is
 * first played without faults, and everything is written down: for each step
 * what came back (the reply and everybody's events) and what the state was
 * afterwards. Then it is played again and again, and each time another
 * allocation fails, or a run of them. Every step must then either have happened
 * fully or not at all: it is answered as it was in the first play, or with
 * ENOMEM and without a trace. What was answered with ENOMEM is asked again, so
 * that the rest of the play, down to its last state, is the same every time.
 *
 * Inside a transaction a failed request may spoil the transaction, whose end is
 * then answered with ENOMEM: the play goes through the transaction once more.
 */
#ifndef TESTS_UNIT_PLAY_H
#define TESTS_UNIT_PLAY_H

#include "faults.h"
#include "harness.h"

/* The clients of a play. GUEST_1 and so on are named by their domid, once they are introduced. */
enum actor { DOM0, OTHER, THIRD, GUEST_1, GUEST_2, GUEST_3, GUEST_4, ACTORS };

struct play;
typedef void play_script(struct play *play);

/**
 * Play @setup (never disturbed) and then @script: once for the record, then with each allocation
 * failing in turn, alone and at the start of a run of several. Fails the test at the first
 * deviation, naming script and allocation.
 */
void play_all(const char *name, const struct core_config *config, play_script *setup,
	      play_script *script);

/** The world of the play. */
struct harness *play_world(struct play *play);

/** The client, as it is now. */
struct peer *play_peer(struct play *play, enum actor who);

/** One request; in @payload each '|' stands for a NUL, and one more follows at the end. */
void play_request(struct play *play, enum actor who, uint32_t type, uint32_t tx,
		  const char *payload);

/** The same without the NUL at the end, for WRITE. */
void play_write(struct play *play, enum actor who, uint32_t tx, const char *payload);

/**
 * A request whose answer may differ from play to play, as long as it is no other error than ENOMEM,
 * and which may come together with what is not its own doing.
 */
void play_ask(struct play *play, enum actor who, uint32_t type, const char *payload);

/** INTRODUCE by the toolstack; the domain is created if need be. */
void play_introduce(struct play *play, unsigned int domid);

/** Tell the core that domains have changed, and let it do all that follows. */
void play_domains_changed(struct play *play);

/** Bytes, or a whole request, of a client, to be followed by more or by play_settle(). */
void play_push(struct play *play, enum actor who, const void *data, size_t len);
void play_send(struct play *play, enum actor who, uint32_t type, const char *payload);

/**
 * Let the core come to rest. @replies of @who must have come since then. Each may be an ENOMEM, so
 * the requests must be such that they do not change the state.
 */
void play_settle(struct play *play, enum actor who, unsigned int replies);

/**
 * A transaction. play_end() returns false when a fault has spoilt it: then the play goes back.
 *
 *	do {
 *		play_mark(play);
 *		tx = play_begin(play, DOM0);
 *		...
 *	} while (!play_end(play, DOM0, tx, "T"));
 */
void play_mark(struct play *play);
uint32_t play_begin(struct play *play, enum actor who);
bool play_end(struct play *play, enum actor who, uint32_t tx, const char *how);

#endif
