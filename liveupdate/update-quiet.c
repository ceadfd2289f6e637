/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Before another xenstored takes over: no transaction is open, since it cannot take them, and no
 * request is half way. On a busy host that comes about only if nobody begins anything meanwhile.
 */
#include <stdio.h>

#include "client/client.h"
#include "liveupdate/update-session.h"

/* How soon open transactions are looked at again. */
#define WAIT_MS 100

/* The same for requests that cannot be handled yet, and how long they are waited for. */
#define DRAIN_AGAIN_MS 5
#define DRAIN_MS       1000u

/* Whether @client has had transactions open all the time for at least @ms. */
static bool is_long(const struct core *core, const struct client *client, uint64_t ms)
{
	return client->transaction_count && core->now - client->transactions_since >= ms;
}

/* Whether whoever waits for the answer has some open, which cannot be ended until it comes. */
static bool is_stuck(const struct update_session *session)
{
	const struct client *client = session->requester.client;

	return client && client->transaction_count;
}

/*
 * Whether it is of no use to wait for any client that has transactions open: it has had some for at
 * least @ms, or is stuck.
 */
static bool all_are_long(const struct update_session *session, uint64_t ms)
{
	const struct core *core = session->core;
	const struct client *client;

	TAILQ_FOREACH(client, &core->clients, link)
		if (client->transaction_count && client != session->requester.client &&
		    !is_long(core, client, ms))
			return false;
	return true;
}

/* Who has had transactions open for at least @ms. */
static const char *list_long(const struct core *core, uint64_t ms)
{
	static char text[WIRE_PAYLOAD_MAX - 64];
	const struct client *client;
	size_t start, used;

	start = used = (size_t)snprintf(text, sizeof(text),
					"Domains with long running transactions:");
	TAILQ_FOREACH(client, &core->clients, link)
		if (is_long(core, client, ms) && used < sizeof(text) - 64)
			used += (size_t)snprintf(
				text + used, sizeof(text) - used, "\nDomain %u: %llu s",
				client->identity.domid,
				(unsigned long long)((core->now - client->transactions_since) /
						     1000));
	return used > start ? text : "Overlapping transactions";
}

/*
 * Wait, or let force decide. Nobody has to wait for those that have been open too long already
 * (spec: cli-and-control.md section 7).
 */
static bool may_lose_transactions(const struct update_session *session, const char **why)
{
	const struct core *core = session->core;
	uint64_t timeout = (uint64_t)session->timeout * 1000;
	bool waited = core->now - session->since >= timeout;

	if (!core->transaction_count)
		return true;
	if (session->force)
		return waited || all_are_long(session, timeout);
	if (is_stuck(session)) /* in a stub domain, with all of domain 0 */
		*why = "A transaction is open on the connection that asks, and cannot end "
		       "meanwhile: "
		       "try again.";
	else if (waited)
		*why = list_long(core, timeout);
	return false;
}

/*
 * Whether all requests that have been received are through. Those that are in an image other
 * xenstoreds carry out in any order, the last one first, and behind what they receive themselves.
 * A guest that is not served for its quotas, and what stands behind the start, are not waited for.
 */
static bool is_drained(struct update_session *session)
{
	struct core *core = session->core;
	const struct client *client;

	if (!session->drained_since)
		session->drained_since = core->now ? core->now : 1;
	core_hold_input(core, true);
	TAILQ_FOREACH(client, &core->clients, link) {
		if (client == session->requester.client || client->ignored ||
		    !client_has_request(client))
			continue;
		if (core->now - session->drained_since < DRAIN_MS)
			return false;
		core_log(core, LOG_WARNING,
			 "live-update: requests of domain %u that cannot be handled now may be "
			 "carried out in another order",
			 client->identity.domid);
	}
	return true;
}

int update_session_become_quiet(struct update_session *session, const char **why)
{
	*why = NULL;
	core_hold_transactions(session->core, true);
	if (!may_lose_transactions(session, why))
		return *why ? 0 : WAIT_MS;
	return is_drained(session) ? 0 : DRAIN_AGAIN_MS;
}
