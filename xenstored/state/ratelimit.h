/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Write credits: an unprivileged writer must not starve other people's
 * transactions (spec: quotas.md section 6).
 *
 * All introduced domains share 200 units of work a second. A domain may save
 * up to 10 units; what it cannot save goes to a common reserve, from which
 * newcomers and domains in debt draw. Only domains that have used credit
 * lately are looked at; all others have their 10 units, which need no
 * bookkeeping, so that the cost does not depend on the number of domains.
 *
 * Points: 1 unit = 1000 points.
 */
#ifndef XENSTORED_STATE_RATELIMIT_H
#define XENSTORED_STATE_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define RATELIMIT_UNIT	   1000
#define RATELIMIT_PER_MS   200 /* points a millisecond, shared by all */
#define RATELIMIT_CAP	   (10 * RATELIMIT_UNIT)
#define RATELIMIT_RESERVE  (1000 * RATELIMIT_UNIT)
#define RATELIMIT_NEW_DEBT (50 * RATELIMIT_UNIT)
#define RATELIMIT_QUIET_MS 120000u

struct credit {
	bool joined;
	bool told;   /* the administrator knows that the domain is affected */
	bool active; /* below the cap, in the list */
	int64_t points;
	int64_t rest; /* of the division by the number of domains, in points * domains */
	TAILQ_ENTRY(credit) link;
};

struct ratelimit {
	TAILQ_HEAD(, credit) active;
	unsigned int domains, active_count;
	int64_t reserve;
	uint64_t refilled;    /* when, in ms */
	uint64_t last_effect; /* when somebody was last held up, 0 = never */
	bool quiet_reported;
};

void ratelimit_init(struct ratelimit *limit);

/** A domain is introduced: it draws its first credit from the reserve. */
void ratelimit_join(struct ratelimit *limit, struct credit *credit, uint64_t now);

/** A domain is introduced with the credit it had in an earlier process. */
void ratelimit_restore(struct ratelimit *limit, struct credit *credit, int64_t points,
		       int64_t rest);

/** A domain is gone; what it saved goes to the reserve. May be called for one that never joined. */
void ratelimit_leave(struct ratelimit *limit, struct credit *credit);

/** Charge one unit of work at time @now (ms). */
void ratelimit_charge(struct ratelimit *limit, struct credit *credit, uint64_t now);

/**
 * How many ms @credit must wait until it is not negative any more; 0 = may go on.
 */
uint64_t ratelimit_wait(struct ratelimit *limit, struct credit *credit, uint64_t now);

#endif
