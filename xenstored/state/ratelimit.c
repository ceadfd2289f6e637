/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Credits, reserve, refill. */
#include "state/ratelimit.h"

#include <string.h>

void ratelimit_init(struct ratelimit *limit)
{
	memset(limit, 0, sizeof(*limit));
	TAILQ_INIT(&limit->active);
}

/*
 * Handing out looks at all active credits. With many of them a share of a moment is next to
 * nothing, so they wait for it a little: never more than a third of a percent of the time that one
 * unit takes, and the work in a millisecond stays the same.
 */
#define CREDITS_PER_MS 64u

static uint64_t interval(const struct ratelimit *limit)
{
	return limit->active_count / CREDITS_PER_MS;
}

static void to_reserve(struct ratelimit *limit, int64_t points)
{
	limit->reserve += points;
	if (limit->reserve > RATELIMIT_RESERVE)
		limit->reserve = RATELIMIT_RESERVE;
}

static void activate(struct ratelimit *limit, struct credit *credit)
{
	if (credit->active || credit->points >= RATELIMIT_CAP)
		return;
	credit->active = true;
	TAILQ_INSERT_TAIL(&limit->active, credit, link);
	limit->active_count++;
}

static void deactivate(struct ratelimit *limit, struct credit *credit)
{
	if (!credit->active)
		return;
	credit->active = false;
	TAILQ_REMOVE(&limit->active, credit, link);
	limit->active_count--;
}

/* Hand out what has come up since the last time. */
static void refill(struct ratelimit *limit, uint64_t now)
{
	int64_t pool, share, full;
	struct credit *credit, *next;
	uint64_t passed;

	if (!limit->domains || now <= limit->refilled) {
		if (!limit->domains || now < limit->refilled)
			limit->refilled = now;
		return;
	}
	passed = now - limit->refilled;
	if (passed < interval(limit))
		return;
	if (passed > 3600000)
		passed = 3600000; /* everything is full long before */
	pool = (int64_t)passed * RATELIMIT_PER_MS;
	limit->refilled = now;
	full = limit->domains - limit->active_count;
	to_reserve(limit, pool * full / limit->domains);
	for (credit = TAILQ_FIRST(&limit->active); credit; credit = next) {
		next = TAILQ_NEXT(credit, link);
		credit->rest += pool;
		share = credit->rest / limit->domains;
		credit->rest -= share * limit->domains;
		credit->points += share;
		if (credit->points < 0 && limit->reserve > 0) {
			int64_t lift = -credit->points;

			if (lift > limit->reserve)
				lift = limit->reserve;
			credit->points += lift;
			limit->reserve -= lift;
		}
		if (credit->points >= RATELIMIT_CAP) {
			to_reserve(limit, credit->points - RATELIMIT_CAP);
			credit->points = RATELIMIT_CAP;
			deactivate(limit, credit);
		}
	}
}

void ratelimit_join(struct ratelimit *limit, struct credit *credit, uint64_t now)
{
	int64_t points = limit->reserve + RATELIMIT_NEW_DEBT;

	if (credit->joined)
		return;
	refill(limit, now);
	if (points > RATELIMIT_CAP)
		points = RATELIMIT_CAP;
	if (points < 0)
		points = 0;
	limit->reserve -= points;
	credit->joined = true;
	credit->points = points;
	credit->rest = 0;
	limit->domains++;
	activate(limit, credit);
}

void ratelimit_restore(struct ratelimit *limit, struct credit *credit, int64_t points, int64_t rest)
{
	if (credit->joined)
		return;
	credit->joined = true;
	credit->points = points < RATELIMIT_CAP ? points : RATELIMIT_CAP;
	credit->rest = rest;
	limit->domains++;
	activate(limit, credit);
}

void ratelimit_leave(struct ratelimit *limit, struct credit *credit)
{
	if (!credit->joined)
		return;
	deactivate(limit, credit);
	if (credit->points > 0)
		to_reserve(limit, credit->points);
	credit->joined = false;
	limit->domains--;
}

void ratelimit_charge(struct ratelimit *limit, struct credit *credit, uint64_t now)
{
	if (!credit->joined)
		return;
	refill(limit, now);
	credit->points -= RATELIMIT_UNIT;
	activate(limit, credit);
}

uint64_t ratelimit_wait(struct ratelimit *limit, struct credit *credit, uint64_t now)
{
	uint64_t need;

	if (!credit->joined || credit->points >= 0)
		return 0;
	refill(limit, now);
	if (credit->points >= 0)
		return 0;
	limit->last_effect = now;
	/* Counted from the last time that something was handed out. */
	need = (uint64_t)((-credit->points * (int64_t)limit->domains - credit->rest +
			   RATELIMIT_PER_MS - 1) /
			  RATELIMIT_PER_MS);
	if (need < interval(limit))
		need = interval(limit);
	need += limit->refilled;
	return need > now ? need - now : 1;
}
