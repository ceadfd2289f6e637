/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What belongs to queued messages: when they expire, and which request caused them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "liveupdate/image.h"

void image_number_causes(struct core *core)
{
	core->image_causes = 0;
	core->images++;
}

/* Causes are numbered from 1 in the order in which they come. */
static uint64_t number_of(struct core *core, struct cause *cause)
{
	if (cause->image != core->images) {
		cause->image = core->images;
		cause->number = ++core->image_causes;
	}
	return cause->number;
}

int save_events(struct core *core, const struct client *client, uint32_t id,
		struct stream_writer *writer)
{
	struct stream_events events = {.conn_id = id};
	struct stream_event *list = NULL;
	const struct message *message;
	uint32_t number = 0, room = 0;
	int error = 0;

	TAILQ_FOREACH(message, &client->output, link) {
		/* Once a part of it is out, it stays. */
		bool expires = message->expires && !message->sent;

		if (expires || message->cause) {
			struct stream_event *entry;

			if (events.events.count == room) {
				struct stream_event *grown;

				room = room ? 2 * room : 16;
				grown = realloc(list, room * sizeof(*list));
				if (!grown) {
					free(list);
					return ENOMEM;
				}
				list = grown;
			}
			entry = &list[events.events.count++];
			memset(entry, 0, sizeof(*entry));
			entry->message = number;
			entry->flags = expires ? STREAM_EVENT_EXPIRES : 0;
			entry->deadline = expires ? message->deadline : 0;
			if (message->cause) {
				entry->cause = number_of(core, message->cause);
				entry->cause_domid = message->cause->domid;
				entry->cause_record = message->cause->record;
			}
		}
		number++;
	}
	events.events.data = list;
	if (events.events.count)
		error = stream_put_own(writer, STREAM_EVENTS, &events);
	free(list);
	return error;
}

/* Have a place for the event's cause, which may be the next new one. Returns 0, ENOMEM or EINVAL.
 */
static int know_cause(struct restore *restore, const struct stream_event *event)
{
	if (!event->cause || event->cause > restore->causes + 1)
		return EINVAL;
	if (event->cause <= restore->causes)
		return 0;
	if (restore->causes == restore->cause_room) {
		size_t room = restore->cause_room ? 2 * restore->cause_room : 64;
		struct cause **list = realloc(restore->cause, room * sizeof(*list));

		if (!list)
			return ENOMEM;
		restore->cause = list;
		restore->cause_room = room;
	}
	restore->cause[restore->causes++] = NULL;
	return 0;
}

/* NULL without memory. */
static struct cause *cause_of(struct restore *restore, const struct stream_event *event)
{
	struct cause **cause = &restore->cause[event->cause - 1];

	if (*cause)
		return *cause;
	*cause = calloc(1, sizeof(**cause));
	if (*cause) {
		(*cause)->domid = event->cause_domid;
		(*cause)->record = event->cause_record;
	}
	return *cause;
}

/* What an earlier process said about a queued message. Returns 0, ENOMEM or EINVAL. */
static int restore_event(struct restore *restore, struct message *message,
			 const struct stream_event *event)
{
	struct core *core = restore->core;
	struct domain *domain;
	int error;

	if (message->expires)
		message->deadline = event->deadline;
	if (!event->cause_record)
		return 0;
	error = know_cause(restore, event);
	if (error)
		return error;
	message->cause = cause_of(restore, event);
	if (!message->cause)
		return ENOMEM;
	domain = domain_with_record(&core->state.domains, message->cause->domid,
				    message->cause->record);
	if (!message->cause->refs++ && domain)
		account_add(&domain->account, QUOTA_OUTSTANDING, 1);
	if (message->counted) {
		message->counted = false;
		account_add(client_account(message->client), QUOTA_OUTSTANDING, -1);
	}
	return 0;
}

int restore_events(struct restore *restore, const struct stream_events *events)
{
	struct client *client = image_client(restore, events->conn_id);
	struct message *message;
	uint32_t number = 0, next = 0;
	int error = 0;

	/* Those of a client that could not be restored keep their numbers; others may share them.
	 */
	for (; !client && next < events->events.count && !error; next++)
		if (events->events.data[next].cause_record)
			error = know_cause(restore, &events->events.data[next]);
	if (!client)
		return error;
	TAILQ_FOREACH(message, &client->output, link) {
		if (next < events->events.count && events->events.data[next].message == number)
			error = restore_event(restore, message, &events->events.data[next++]);
		if (error)
			break;
		number++;
	}
	return error;
}

static int by_deadline(const void *a, const void *b)
{
	const struct message *x = *(struct message *const *)a, *y = *(struct message *const *)b;

	return x->deadline < y->deadline ? -1 : x->deadline > y->deadline;
}

/* What expires is in order of time, whoever it belongs to. */
int restore_deadlines(struct restore *restore)
{
	struct core *core = restore->core;
	struct message *message, **list;
	size_t count = 0, i = 0;

	TAILQ_FOREACH(message, &core->expiring, expiry)
		count++;
	if (!count)
		return 0;
	list = malloc(count * sizeof(*list));
	if (!list)
		return ENOMEM;
	TAILQ_FOREACH(message, &core->expiring, expiry)
		list[i++] = message;
	qsort(list, count, sizeof(*list), by_deadline);
	TAILQ_INIT(&core->expiring);
	for (i = 0; i < count; i++)
		TAILQ_INSERT_TAIL(&core->expiring, list[i], expiry);
	free(list);
	return 0;
}
