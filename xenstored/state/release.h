/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Release: taking a removed subtree off the accounts of its owners.
 *
 * Removing a subtree detaches its top, which costs the depth. Its nodes are
 * taken off the accounts by a walk that is cut into slices; nobody can see the
 * subtree meanwhile. A request that would be refused only because of what is
 * still to be released waits for it.
 */
#ifndef XENSTORED_STATE_RELEASE_H
#define XENSTORED_STATE_RELEASE_H

#include <stdbool.h>
#include <sys/queue.h>

#include "store/walk.h"

struct state;

struct release_job {
	TAILQ_ENTRY(release_job) link;
	struct walk walk;
};

TAILQ_HEAD(release_list, release_job);

/** Memory for a job. NULL: none. */
struct release_job *release_reserve(void);

/** Start releasing @top, which stood at @path; the reference and the job are taken over. */
void release_start(struct state *state, struct release_job *job, struct node *top, const char *path,
		   size_t len);

/**
 * Work on the jobs, and free dead nodes, for about @work nodes. Returns 0, or ENOMEM when it could
 * not go on for now.
 */
int release_some(struct state *state, long work);

#endif
