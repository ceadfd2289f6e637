/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replay: a script carried out by the core and by the naive model side by side.
 *
 * The model keeps a copy of the whole store for each open transaction and a
 * list of its requests with their replies. At a commit it does these requests
 * again, alone, on the store as it is now. If a reply differs, the core must
 * have refused the commit; if the core has refused, a reply must differ or
 * something that the requests depended on must have changed.
 */
#ifndef TESTS_UNIT_REPLAY_H
#define TESTS_UNIT_REPLAY_H

#include "script.h"

/* What happened, over all scripts: a test in which nothing happens proves nothing. */
struct replay_counts {
	unsigned long steps, skipped, requests, in_transaction;
	unsigned long commits, read_only,
		over_others; /* over_others: committed after others were */
	unsigned long refused, refused_reply, refused_dependency, refused_identity;
	unsigned long quota_hits, quota_commits, deaths, updates;
};

/**
 * Carry out a script. Returns -1 when core and model agreed to the end, else the number of the step
 * at which they did not, with the reason in @why.
 */
int replay(const struct step *step, unsigned int count, struct replay_counts *counts, char *why,
	   size_t size);

#endif
