/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests on nodes, and the judgement over commits. */
#include "trial.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"

bool trial_disagree(struct trial *trial, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(trial->why, trial->why_size, format, args);
	va_end(args);
	return false;
}

const char *trial_error_name(int error)
{
	return error ? wire_error_name(error) : "OK";
}

struct peer *trial_peer(struct trial *trial, unsigned int client)
{
	if (client < SCRIPT_SOCKETS)
		return trial->socket[client];
	return trial->model.domain[script_domid(client)].introduced
		       ? harness_find_guest(trial->harness, script_domid(client))
		       : NULL;
}

void trial_close_slot(struct slot *slot)
{
	model_free(slot->base);
	model_free(slot->branch);
	free(slot->entry);
	memset(slot, 0, sizeof(*slot));
}

/* All that a client holds is gone. */
void trial_forget_client(struct trial *trial, unsigned int client)
{
	trial->watched[client] = 0;
	for (unsigned int i = 0; i < SCRIPT_SLOTS; i++)
		if (trial->slot[i].open && trial->slot[i].client == client)
			trial_close_slot(&trial->slot[i]);
}

/* After domains may have died: what they held. */
void trial_forget_dead(struct trial *trial)
{
	for (unsigned int client = SCRIPT_SOCKETS; client < SCRIPT_CLIENTS; client++)
		if (!trial->model.domain[script_domid(client)].introduced)
			trial_forget_client(trial, client);
}

unsigned int trial_open_slots(const struct trial *trial, unsigned int client)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < SCRIPT_SLOTS; i++)
		count += trial->slot[i].open && trial->slot[i].client == client;
	return count;
}

static size_t make_payload(const struct model_request *request, char *payload)
{
	size_t len = strlen(request->path) + 1;

	memcpy(payload, request->path, len);
	if (request->verb == MODEL_WRITE) {
		memcpy(payload + len, request->value, request->value_len);
		len += request->value_len;
	}
	for (unsigned int i = 0; request->verb == MODEL_SET_PERMS && i < request->perms.count; i++)
		len += (size_t)sprintf(payload + len, "%c%u", request->perms.entry[i].letter,
				       request->perms.entry[i].domid) +
		       1;
	return len;
}

static const uint32_t types[MODEL_VERBS] = {
	[MODEL_READ] = XS_READ,		  [MODEL_DIRECTORY] = XS_DIRECTORY,
	[MODEL_GET_PERMS] = XS_GET_PERMS, [MODEL_WRITE] = XS_WRITE,
	[MODEL_MKDIR] = XS_MKDIR,	  [MODEL_RM] = XS_RM,
	[MODEL_SET_PERMS] = XS_SET_PERMS,
};

/*
 * Would the reply @then be given now, too? The end of a domain makes its entries in permission
 * lists invisible without being a change of the nodes (spec: protocol.md section 11), so these
 * entries are left out of the comparison.
 */
static bool same_reply(const struct model *model, const struct model_reply *then,
		       const struct model_reply *now)
{
	if (then->error || now->error)
		return then->error == now->error;
	if (then->perms.count)
		return model_same_shown(model, &then->perms, &now->perms);
	return then->len == now->len && !memcmp(then->bytes, now->bytes, now->len);
}

/* Send @request and compare the answer with @expected. */
bool trial_ask(struct trial *trial, struct peer *peer, uint32_t tx,
	       const struct model_request *request, const struct model_reply *expected)
{
	char payload[1024];
	struct answer answer;
	size_t len = make_payload(request, payload);
	int error = peer_request(peer, types[request->verb], tx, payload, len, &answer);

	peer_forget_events(peer);
	trial->counts->requests++;
	if (error != expected->error)
		return trial_disagree(trial, "reply is %s, expected %s", trial_error_name(error),
				      trial_error_name(expected->error));
	if (!error && (answer.header.len != expected->len ||
		       memcmp(answer.payload, expected->bytes, expected->len) != 0))
		return trial_disagree(trial,
				      "reply is \"%.*s\" (%u bytes), expected \"%.*s\" (%zu bytes)",
				      (int)answer.header.len, answer.payload, answer.header.len,
				      (int)expected->len, expected->bytes, expected->len);
	return true;
}

static bool run_direct(struct trial *trial, struct peer *peer, struct model_request *request)
{
	struct model *model = &trial->model;
	struct model_reply reply;

	if (request->verb == MODEL_SET_PERMS)
		model_bind(model, request);
	model_run(model, model->live, request,
		  request->domid ? model_count(model, model->live, request->domid) : MODEL_NO_QUOTA,
		  &reply);
	trial->counts->quota_hits += reply.error == ENOSPC;
	return trial_ask(trial, peer, 0, request, &reply);
}

/* The part of @path that exists when its last @missing components do not. */
static void existing_part(const char *path, unsigned int missing, char *out)
{
	strcpy(out, path);
	for (; missing; missing--) {
		char *slash = strrchr(out, '/');

		if (!slash || slash == out) {
			strcpy(out, "/");
			return;
		}
		*slash = 0;
	}
}

static void keep(struct slot *slot, const struct model_request *request,
		 const struct model_reply *reply, bool creates, unsigned int missing)
{
	struct entry *entry = realloc(slot->entry, (slot->count + 1) * sizeof(*entry));

	if (!entry)
		abort();
	slot->entry = entry;
	entry += slot->count++;
	entry->request = *request;
	entry->reply = *reply;
	entry->creates = creates;
	existing_part(request->path, missing, entry->nearest);
}

/* The owner of what dom0 would create: nobody can own anything after his death. */
static bool creates_for_dead(const struct trial *trial, const struct model_node *nearest)
{
	const struct model_perm *owner = &nearest->perms.entry[0];

	return !model_entry_shown(&trial->model, owner);
}

static bool run_inside(struct trial *trial, struct slot *slot, struct peer *peer,
		       struct model_request *request)
{
	struct model *model = &trial->model;
	struct model_node *tree = slot->branch, *nearest;
	struct model_reply reply;
	unsigned int missing;
	long held = MODEL_NO_QUOTA;
	bool creates = request->verb == MODEL_WRITE || request->verb == MODEL_MKDIR;

	if (request->verb == MODEL_SET_PERMS)
		model_bind(model, request);
	if (request->domid)
		held = model_count(model, model->live, request->domid);
	if (slot->lost) {
		/* Whatever it does, it will be refused. */
		tree = model_copy(model->live);
		model_run(model, tree, request, held, &reply);
		model_free(tree);
		return trial_ask(trial, peer, slot->id, request, &reply);
	}
	if (request->domid)
		held += model_count(model, slot->branch, request->domid) -
			model_count(model, slot->base, request->domid);
	model_find(tree, request->path, &nearest, &missing);
	creates = creates && missing;
	if (creates && !request->domid && creates_for_dead(trial, nearest))
		slot->lost = true;
	model_run(model, tree, request, held, &reply);
	keep(slot, request, &reply, creates, missing);
	trial->counts->quota_hits += reply.error == ENOSPC;
	trial->counts->in_transaction++;
	if (reply.changed && !slot->lost) {
		slot->wrote = true;
		slot->created |= creates;
		for (unsigned int i = 0; i < MODEL_DOMAINS; i++)
			slot->nodes_of[i] += reply.nodes_of[i];
	}
	return trial_ask(trial, peer, slot->id, request, &reply);
}

bool trial_request(struct trial *trial, const struct step *step)
{
	struct slot *slot = step->slot ? &trial->slot[step->slot - 1] : NULL;
	unsigned int client = slot && slot->open ? slot->client : step->client;
	struct peer *peer = trial_peer(trial, client);
	struct model_request request = step->request;
	bool agreed;

	if ((slot && !slot->open) || !peer) {
		trial->counts->skipped++;
		return true;
	}
	request.domid = script_domid(client);
	agreed = slot ? run_inside(trial, slot, peer, &request) : run_direct(trial, peer, &request);
	trial_forget_dead(trial);
	return agreed;
}

bool trial_start(struct trial *trial, const struct step *step)
{
	struct slot *slot = &trial->slot[step->slot - 1];
	struct peer *peer = trial_peer(trial, step->client);
	unsigned int domid = script_domid(step->client);
	int error, expected = 0;

	if (slot->open || !peer)
		return true;
	if (domid && trial_open_slots(trial, step->client) >= TRIAL_TRANSACTION_LIMIT)
		expected = ENOSPC;
	error = peer_start(peer, &slot->id);
	if (error != expected)
		return trial_disagree(trial, "start gives %s, expected %s", trial_error_name(error),
				      trial_error_name(expected));
	if (error)
		return true;
	slot->open = true;
	slot->client = step->client;
	slot->target = domid ? model_target(&trial->model, domid) : 0;
	slot->base = model_copy(trial->model.live);
	slot->branch = model_copy(trial->model.live);
	return true;
}

static bool other_perms(const struct trial *trial, const struct slot *slot, const char *path)
{
	struct model_node *before, *now;

	model_find(slot->base, path, &before, NULL);
	model_find(trial->model.live, path, &now, NULL);
	return !model_same_perms(&before->perms, &now->perms);
}

/* Has something changed that the request depended on, although its reply would be the same? */
static bool dependency_changed(const struct trial *trial, const struct slot *slot,
			       const struct entry *entry)
{
	const struct model_request *request = &entry->request;
	unsigned int missing_before, missing_now;

	model_find(slot->base, request->path, NULL, &missing_before);
	model_find(trial->model.live, request->path, NULL, &missing_now);
	if (missing_before != missing_now)
		return true;
	/* Lists that differ in dead domains' entries only count as different, too. */
	return (request->domid || entry->creates || request->verb == MODEL_GET_PERMS) &&
	       (other_perms(trial, slot, request->path) ||
		other_perms(trial, slot, entry->nearest));
}

/* Would a domain that the transaction gave nodes to have too many of them in @result? */
static bool over_quota(const struct trial *trial, const struct slot *slot,
		       const struct model_node *result)
{
	const struct model *model = &trial->model;

	if (!script_domid(slot->client) || !slot->created)
		return false;
	for (unsigned int domid = 1; domid < MODEL_DOMAINS; domid++) {
		long limit = model->domain[domid].node_limit, count;

		if (!model->domain[domid].life || !slot->nodes_of[domid] || !limit)
			continue;
		count = model_count(model, result, domid);
		if (count > limit && count >= model_count(model, model->live, domid))
			return true;
	}
	return false;
}

/*
 * Do the transaction's requests again on the present store. Returns the number of the first whose
 * reply is another one now, or -1; @result is the store after them.
 */
static int run_again(struct trial *trial, const struct slot *slot, struct model_node **result)
{
	*result = model_copy(trial->model.live);
	for (unsigned int i = 0; i < slot->count; i++) {
		const struct entry *entry = &slot->entry[i];
		struct model_reply reply;

		/* What the quota refused then was not done; quotas are judged at the end. */
		if (entry->reply.error == ENOSPC)
			continue;
		model_run(&trial->model, *result, &entry->request, MODEL_NO_QUOTA, &reply);
		if (entry->request.verb == MODEL_SET_PERMS && reply.changed &&
		    !model_entry_shown(&trial->model, &entry->request.perms.entry[0]))
			return (int)i;
		if (!same_reply(&trial->model, &entry->reply, &reply))
			return (int)i;
	}
	return -1;
}

static bool justified(struct trial *trial, const struct slot *slot, int differs)
{
	struct replay_counts *counts = trial->counts;

	counts->refused++;
	if (differs >= 0) {
		counts->refused_reply++;
		return true;
	}
	for (unsigned int i = 0; i < slot->count; i++)
		if (dependency_changed(trial, slot, &slot->entry[i])) {
			counts->refused_dependency++;
			return true;
		}
	if (script_domid(slot->client) &&
	    slot->target != model_target(&trial->model, script_domid(slot->client))) {
		counts->refused_identity++;
		return true;
	}
	return trial_disagree(trial, "EAGAIN although nothing that it depends on has changed");
}

static bool check_commit(struct trial *trial, struct slot *slot, int error)
{
	struct model_node *result;
	int differs;
	bool agreed = true;

	if (slot->lost) {
		trial->counts->refused++;
		trial->counts->refused_identity++;
		return error == EAGAIN
			       ? true
			       : trial_disagree(trial,
						"commit of what a dead domain would own gives %s",
						trial_error_name(error));
	}
	if (!slot->wrote) {
		trial->counts->read_only++;
		return !error ? true
			      : trial_disagree(trial, "read-only commit gives %s",
					       trial_error_name(error));
	}
	differs = run_again(trial, slot, &result);
	if (error == EAGAIN) {
		agreed = justified(trial, slot, differs);
	} else if (differs >= 0) {
		agreed = trial_disagree(trial,
					"commit gives %s although request %d (on %s) would be "
					"answered otherwise now",
					trial_error_name(error), differs,
					slot->entry[differs].request.path);
	} else if (over_quota(trial, slot, result)) {
		trial->counts->quota_commits++;
		if (error != ENOSPC)
			agreed = trial_disagree(trial, "commit over quota gives %s",
						trial_error_name(error));
	} else if (error) {
		agreed = trial_disagree(trial, "commit gives %s", trial_error_name(error));
	} else {
		struct model_node *old = trial->model.live;

		trial->counts->commits++;
		trial->counts->over_others += !compare_models(old, slot->base);
		trial->model.live = result;
		result = old;
	}
	model_free(result);
	return agreed;
}

bool trial_end(struct trial *trial, const struct step *step)
{
	struct slot *slot = &trial->slot[step->slot - 1];
	struct peer *peer;
	bool agreed = true;
	int error;

	if (!slot->open)
		return true;
	peer = trial_peer(trial, slot->client);
	error = peer_end(peer, slot->id, step->commit);
	peer_forget_events(peer);
	if (step->commit)
		agreed = check_commit(trial, slot, error);
	else if (error)
		agreed = trial_disagree(trial, "abort gives %s", trial_error_name(error));
	trial_close_slot(slot);
	return agreed;
}
