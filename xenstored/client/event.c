/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Collecting events and the watched part of removed subtrees. */
#include "client/event.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"

void event_batch_init(struct event_batch *batch)
{
	memset(batch, 0, sizeof(*batch));
	TAILQ_INIT(&batch->messages);
}

static bool may_see(struct core *core, const struct client *client, const struct event_sight *sight)
{
	const struct perms *list[3] = {sight->before, sight->now, sight->parent};

	if (client->identity.privileged)
		return true;
	for (int i = 0; i < 3; i++)
		if (list[i] &&
		    (access_rights(&core->state.domains, &client->identity, list[i]) & PERM_READ))
			return true;
	return false;
}

static int ensure_cause(struct event_batch *batch, const struct client *source)
{
	if (batch->cause || !source || !client_is_limited(source))
		return 0;
	batch->cause = malloc(sizeof(*batch->cause));
	if (!batch->cause)
		return ENOMEM;
	memset(batch->cause, 0, sizeof(*batch->cause));
	batch->cause->domid = source->identity.domain->domid;
	batch->cause->record = source->identity.domain->record;
	return 0;
}

static int add_message(struct event_batch *batch, const struct client *source,
		       const struct watch *watch, const char *path, size_t len)
{
	struct message *message;
	size_t shown, payload;

	/* A relative watch is told relative paths, if the event is below the same home. */
	shown = len > watch->prefix && !memcmp(path, watch->text, watch->prefix) ? watch->prefix
										 : 0;
	payload = len - shown + 1 + watch->token_len + 1;
	if (payload > WIRE_PAYLOAD_MAX)
		return 0;
	if (ensure_cause(batch, source))
		return ENOMEM;
	message = message_new(XS_WATCH_EVENT, 0, 0, payload);
	if (!message)
		return ENOMEM;
	message->event = true;
	message->client = watch->client;
	message->header.len = (uint32_t)payload;
	memcpy(message->payload, path + shown, len - shown);
	message->payload[len - shown] = 0;
	memcpy(message->payload + len - shown + 1, watch_token(watch), watch->token_len + 1);
	TAILQ_INSERT_TAIL(&batch->messages, message, link);
	batch->count++;
	return 0;
}

int event_add(struct core *core, struct event_batch *batch, struct client *source, const char *path,
	      size_t len, enum watch_kind kind, const struct event_sight *sight)
{
	if (!core->watches.count)
		return 0;
	batch->matches.count = 0;
	if (watch_match(&core->watches, path, len, kind, &batch->matches))
		return ENOMEM;
	for (size_t i = 0; i < batch->matches.count; i++) {
		const struct watch *watch = batch->matches.watch[i];

		if (may_see(core, watch->client, sight) &&
		    add_message(batch, source, watch, path, len))
			return ENOMEM;
	}
	return 0;
}

/* A growing array of watched nodes. */
struct array {
	struct watched_node *entry;
	size_t count, room;
};

static int push(struct array *array, const struct watched_node *entry)
{
	if (array->count == array->room) {
		size_t room = array->room ? 2 * array->room : 32;
		struct watched_node *grown = realloc(array->entry, room * sizeof(*grown));

		if (!grown)
			return ENOMEM;
		array->entry = grown;
		array->room = room;
	}
	array->entry[array->count++] = *entry;
	return 0;
}

static int older_first(const void *a, const void *b)
{
	const struct watched_node *x = a, *y = b;

	return x->node->sequence < y->node->sequence ? -1 : x->node->sequence > y->node->sequence;
}

static void reverse(struct watched_node *entry, size_t count)
{
	for (size_t i = 0; i < count / 2; i++) {
		struct watched_node swap = entry[i];

		entry[i] = entry[count - 1 - i];
		entry[count - 1 - i] = swap;
	}
}

/* Push those children of @parent that exist in the store as well, in the order wanted. */
static int push_children(struct array *stack, const struct watched_node *parent, bool reversed)
{
	size_t first = stack->count;
	const struct watch_node *below;

	LIST_FOREACH(below, &parent->watched->children, sibling) {
		struct watched_node entry = {
			below, children_find(parent->node, below->name, below->name_len),
			parent->node};

		if (entry.node && push(stack, &entry))
			return ENOMEM;
	}
	if (stack->count - first > 1)
		qsort(stack->entry + first, stack->count - first, sizeof(*stack->entry),
		      older_first);
	if (reversed)
		reverse(stack->entry + first, stack->count - first);
	return 0;
}

int event_watched_below(struct core *core, struct node *top, const char *path, size_t len,
			bool parents_first, struct watched_node **found, size_t *count)
{
	struct watched_node entry = {watch_node_find(&core->watches, path, len), top, NULL};
	struct array stack = {0}, result = {0};
	int error = 0;

	*found = NULL;
	*count = 0;
	if (!entry.watched)
		return 0;
	/*
	 * What is pushed last is visited first. Reversed children give a pre-order in order of
	 * creation; children as they are give the mirror image of the post-order.
	 */
	error = push_children(&stack, &entry, parents_first);
	while (!error && stack.count) {
		entry = stack.entry[--stack.count];
		error = push(&result, &entry);
		if (!error)
			error = push_children(&stack, &entry, parents_first);
	}
	free(stack.entry);
	if (error) {
		free(result.entry);
		return error;
	}
	if (!parents_first)
		reverse(result.entry, result.count);
	*found = result.entry;
	*count = result.count;
	return 0;
}

void event_watched_path(const struct watched_node *entry, struct path *path)
{
	const struct watch_node *at = entry->watched;
	size_t end = 0;

	/* First the length, then the names from the end. The top levels are "/" or "@name". */
	for (const struct watch_node *n = at; n->parent && n->level; n = n->parent)
		end += n->name_len + 1;
	path->len = end;
	path->prefix = 0;
	path->text[end] = 0;
	for (; at->parent && at->level; at = at->parent) {
		end -= at->name_len;
		memcpy(path->text + end, at->name, at->name_len);
		path->text[--end] = '/';
	}
}

int event_add_removal(struct core *core, struct event_batch *batch, struct client *source,
		      const char *path, size_t len, struct node *node, const struct node *parent)
{
	struct event_sight sight = {NULL, node->perms, parent ? parent->perms : NULL};
	struct watched_node *found;
	struct path below;
	size_t count;
	int error;

	error = event_watched_below(core, node, path, len, false, &found, &count);
	for (size_t i = 0; !error && i < count; i++) {
		struct event_sight inner = {NULL, found[i].node->perms, found[i].parent->perms};

		if (TAILQ_EMPTY(&found[i].watched->watches))
			continue;
		event_watched_path(&found[i], &below);
		error = event_add(core, batch, source, below.text, below.len, WATCH_EXACT, &inner);
	}
	free(found);
	return error ? error : event_add(core, batch, source, path, len, WATCH_SUBTREE, &sight);
}

int event_add_special(struct core *core, struct event_batch *batch, const char *name, bool bare,
		      bool with_domid, unsigned int domid)
{
	const struct node *node = tree_find(&core->state.live, name, strlen(name));
	const struct node *root = tree_find(&core->state.live, "/", 1);
	struct event_sight sight = {NULL, node ? node->perms : NULL, root->perms};
	char text[64];
	int len, error = 0;

	if (bare)
		error = event_add(core, batch, NULL, name, strlen(name), WATCH_NODEPTH, &sight);
	if (error || !with_domid)
		return error;
	len = snprintf(text, sizeof(text), "%s/%u", name, domid);
	return event_add(core, batch, NULL, text, (size_t)len, WATCH_DEPTH, &sight);
}

void event_batch_queue(struct core *core, struct event_batch *batch, struct message *reply)
{
	struct cause *cause = batch->cause;
	struct message *message;

	if (cause) {
		struct domain *domain = domain_with_record(&core->state.domains, cause->domid,
							   cause->record);

		cause->refs = batch->count + (reply ? 1 : 0);
		if (reply)
			reply->cause = cause;
		if (domain)
			account_add(&domain->account, QUOTA_OUTSTANDING, 1);
		batch->cause = NULL;
	}
	while ((message = TAILQ_FIRST(&batch->messages))) {
		TAILQ_REMOVE(&batch->messages, message, link);
		message->cause = cause;
		client_queue(core, message->client, message);
	}
	event_batch_discard(batch);
}

void event_batch_discard(struct event_batch *batch)
{
	struct message *message;

	while ((message = TAILQ_FIRST(&batch->messages))) {
		TAILQ_REMOVE(&batch->messages, message, link);
		message_free(message);
	}
	watch_matches_deinit(&batch->matches);
	free(batch->cause);
	batch->cause = NULL;
	batch->count = 0;
}
