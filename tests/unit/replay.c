/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Core and model side by side. */
#include "replay.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "control/control.h"
#include "harness.h"

#define NODE_LIMIT	  8
#define WATCH_LIMIT	  4u
#define TRANSACTION_LIMIT 3u
#define TOKENS		  6u

/* A request that a transaction made, and what it was told. */
struct entry {
	struct model_request request;
	struct model_reply reply;
	bool creates;	   /* the path was missing */
	char nearest[128]; /* what the transaction saw of the path: all of it, or an ancestor */
};

struct slot {
	bool open, lost, wrote, created;
	unsigned int client;
	uint32_t id;
	uint64_t target;
	struct model_node *base, *branch;
	struct entry *entry;
	unsigned int count;
	int nodes_of[MODEL_DOMAINS];
};

struct trial {
	struct harness *harness;
	struct model model;
	struct peer *socket[SCRIPT_SOCKETS];
	struct slot slot[SCRIPT_SLOTS];
	unsigned int watched[SCRIPT_CLIENTS]; /* a bit for each token */
	struct replay_counts *counts;
	char *why;
	size_t why_size;
};

static bool disagree(struct trial *trial, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool disagree(struct trial *trial, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(trial->why, trial->why_size, format, args);
	va_end(args);
	return false;
}

static const char *name_of(int error)
{
	return error ? wire_error_name(error) : "OK";
}

static struct peer *peer_of(struct trial *trial, unsigned int client)
{
	if (client < SCRIPT_SOCKETS)
		return trial->socket[client];
	return trial->model.domain[script_domid(client)].introduced
		       ? harness_find_guest(trial->harness, script_domid(client))
		       : NULL;
}

static void close_slot(struct slot *slot)
{
	model_free(slot->base);
	model_free(slot->branch);
	free(slot->entry);
	memset(slot, 0, sizeof(*slot));
}

/* All that a client holds is gone. */
static void forget_client(struct trial *trial, unsigned int client)
{
	trial->watched[client] = 0;
	for (unsigned int i = 0; i < SCRIPT_SLOTS; i++)
		if (trial->slot[i].open && trial->slot[i].client == client)
			close_slot(&trial->slot[i]);
}

/* After domains may have died: what they held. */
static void forget_dead(struct trial *trial)
{
	for (unsigned int client = SCRIPT_SOCKETS; client < SCRIPT_CLIENTS; client++)
		if (!trial->model.domain[script_domid(client)].introduced)
			forget_client(trial, client);
}

static unsigned int open_slots(const struct trial *trial, unsigned int client)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < SCRIPT_SLOTS; i++)
		count += trial->slot[i].open && trial->slot[i].client == client;
	return count;
}

static unsigned int open_of_domain(const struct trial *trial, unsigned int domid)
{
	unsigned int count = 0;

	for (unsigned int client = 0; client < SCRIPT_CLIENTS; client++)
		if (script_domid(client) == domid)
			count += open_slots(trial, client);
	return count;
}

static unsigned int watches_of_domain(const struct trial *trial, unsigned int domid)
{
	unsigned int count = 0;

	for (unsigned int client = 0; client < SCRIPT_CLIENTS; client++)
		if (script_domid(client) == domid)
			count += (unsigned int)__builtin_popcount(trial->watched[client]);
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
				       request->perms.entry[i].domid) + 1;
	return len;
}

static const uint32_t types[MODEL_VERBS] = {
	[MODEL_READ] = XS_READ,		  [MODEL_DIRECTORY] = XS_DIRECTORY,
	[MODEL_GET_PERMS] = XS_GET_PERMS, [MODEL_WRITE] = XS_WRITE,
	[MODEL_MKDIR] = XS_MKDIR,	  [MODEL_RM] = XS_RM,
	[MODEL_SET_PERMS] = XS_SET_PERMS,
};

/*
 * Would the reply @then be given now, too? The end of a domain makes its entries in permission lists
 * invisible without being a change of the nodes (spec: protocol.md section 11), so these entries
 * are left out of the comparison.
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
static bool ask(struct trial *trial, struct peer *peer, uint32_t tx,
		const struct model_request *request, const struct model_reply *expected)
{
	char payload[1024];
	struct answer answer;
	size_t len = make_payload(request, payload);
	int error = peer_request(peer, types[request->verb], tx, payload, len, &answer);

	peer_forget_events(peer);
	trial->counts->requests++;
	if (error != expected->error)
		return disagree(trial, "reply is %s, expected %s", name_of(error),
				name_of(expected->error));
	if (!error && (answer.header.len != expected->len ||
		       memcmp(answer.payload, expected->bytes, expected->len) != 0))
		return disagree(trial, "reply is \"%.*s\" (%u bytes), expected \"%.*s\" (%zu bytes)",
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
		  request->domid ? model_count(model, model->live, request->domid)
				 : MODEL_NO_QUOTA,
		  &reply);
	trial->counts->quota_hits += reply.error == ENOSPC;
	return ask(trial, peer, 0, request, &reply);
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
		return ask(trial, peer, slot->id, request, &reply);
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
	return ask(trial, peer, slot->id, request, &reply);
}

static bool do_request(struct trial *trial, const struct step *step)
{
	struct slot *slot = step->slot ? &trial->slot[step->slot - 1] : NULL;
	unsigned int client = slot && slot->open ? slot->client : step->client;
	struct peer *peer = peer_of(trial, client);
	struct model_request request = step->request;
	bool agreed;

	if ((slot && !slot->open) || !peer) {
		trial->counts->skipped++;
		return true;
	}
	request.domid = script_domid(client);
	agreed = slot ? run_inside(trial, slot, peer, &request) : run_direct(trial, peer, &request);
	forget_dead(trial);
	return agreed;
}

static bool do_start(struct trial *trial, const struct step *step)
{
	struct slot *slot = &trial->slot[step->slot - 1];
	struct peer *peer = peer_of(trial, step->client);
	unsigned int domid = script_domid(step->client);
	int error, expected = 0;

	if (slot->open || !peer)
		return true;
	if (domid && open_slots(trial, step->client) >= TRANSACTION_LIMIT)
		expected = ENOSPC;
	error = peer_start(peer, &slot->id);
	if (error != expected)
		return disagree(trial, "start gives %s, expected %s", name_of(error),
				name_of(expected));
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
		model_run(&trial->model, *result, &entry->request, MODEL_NO_QUOTA,
			  &reply);
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
	return disagree(trial, "EAGAIN although nothing that it depends on has changed");
}

static bool check_commit(struct trial *trial, struct slot *slot, int error)
{
	struct model_node *result;
	int differs;
	bool agreed = true;

	if (slot->lost) {
		trial->counts->refused++;
		trial->counts->refused_identity++;
		return error == EAGAIN ? true
				       : disagree(trial, "commit of what a dead domain would own gives %s",
						  name_of(error));
	}
	if (!slot->wrote) {
		trial->counts->read_only++;
		return !error ? true : disagree(trial, "read-only commit gives %s", name_of(error));
	}
	differs = run_again(trial, slot, &result);
	if (error == EAGAIN) {
		agreed = justified(trial, slot, differs);
	} else if (differs >= 0) {
		agreed = disagree(trial, "commit gives %s although request %d (on %s) would be "
				  "answered otherwise now", name_of(error), differs,
				  slot->entry[differs].request.path);
	} else if (over_quota(trial, slot, result)) {
		trial->counts->quota_commits++;
		if (error != ENOSPC)
			agreed = disagree(trial, "commit over quota gives %s", name_of(error));
	} else if (error) {
		agreed = disagree(trial, "commit gives %s", name_of(error));
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

static bool do_end(struct trial *trial, const struct step *step)
{
	struct slot *slot = &trial->slot[step->slot - 1];
	struct peer *peer;
	bool agreed = true;
	int error;

	if (!slot->open)
		return true;
	peer = peer_of(trial, slot->client);
	error = peer_end(peer, slot->id, step->commit);
	peer_forget_events(peer);
	if (step->commit)
		agreed = check_commit(trial, slot, error);
	else if (error)
		agreed = disagree(trial, "abort gives %s", name_of(error));
	close_slot(slot);
	return agreed;
}

static bool do_watch(struct trial *trial, const struct step *step)
{
	struct peer *peer = peer_of(trial, step->client);
	unsigned int *watched = &trial->watched[step->client], bit = 1u << step->number % TOKENS;
	int error, expected = 0;
	char token[8];

	if (!peer)
		return true;
	snprintf(token, sizeof(token), "t%u", step->number % TOKENS);
	if (step->kind == STEP_UNWATCH) {
		expected = *watched & bit ? 0 : ENOENT;
		error = peer_unwatch(peer, "/a/b", token);
		*watched &= ~bit;
	} else {
		if (*watched & bit)
			expected = EEXIST;
		else if (step->client >= SCRIPT_SOCKETS &&
			 (unsigned int)__builtin_popcount(*watched) >= WATCH_LIMIT)
			expected = ENOSPC;
		error = peer_watch(peer, "/a/b", token);
		if (!expected)
			*watched |= bit;
	}
	peer_forget_events(peer);
	return error == expected ? true
				 : disagree(trial, "watch request gives %s, expected %s",
					    name_of(error), name_of(expected));
}

static bool do_reset_watches(struct trial *trial, const struct step *step)
{
	struct peer *peer = peer_of(trial, step->client);
	int error;

	if (!peer)
		return true;
	error = peer_request(peer, XS_RESET_WATCHES, 0, "", 1, NULL);
	forget_client(trial, step->client);
	return error ? disagree(trial, "RESET_WATCHES gives %s", name_of(error)) : true;
}

/* A request of the toolstack: words with a NUL behind each. */
static bool toolstack(struct trial *trial, uint32_t type, const char *words, int expected)
{
	char payload[128];
	size_t len = strlen(words) + 1;
	int error;

	memcpy(payload, words, len);
	for (size_t i = 0; i < len; i++)
		if (payload[i] == ' ')
			payload[i] = 0;
	error = peer_request(trial->harness->dom0, type, 0, payload, len, NULL);
	return error == expected ? true
				 : disagree(trial, "%s of \"%s\" gives %s, expected %s",
					    wire_type_name(type), words, name_of(error),
					    name_of(expected));
}

/* What the store finds out when it is told to look. */
static void learn(struct model *model, struct replay_counts *counts)
{
	for (unsigned int domid = 1; domid < MODEL_DOMAINS; domid++) {
		struct model_domain *domain = &model->domain[domid];

		if (domain->life && (!domain->exists || domain->known_id != domain->unique_id)) {
			model_die(model, domid);
			counts->deaths++;
		}
	}
}

static void create_domain(struct trial *trial, unsigned int domid)
{
	harness_create(trial->harness, domid);
	trial->model.domain[domid].exists = true;
	trial->model.domain[domid].unique_id = trial->harness->domain[domid].unique_id;
}

static bool do_introduce(struct trial *trial, const struct step *step)
{
	struct model_domain *domain = &trial->model.domain[step->domid];
	char words[32];

	model_know(&trial->model, step->domid);
	forget_dead(trial);
	if (domain->introduced)
		forget_client(trial, SCRIPT_SOCKETS + step->domid - 1);
	domain->introduced = domain->exists;
	snprintf(words, sizeof(words), "%u 1 %u", step->domid, step->domid + 100);
	return toolstack(trial, XS_INTRODUCE, words, domain->exists ? 0 : ENOENT);
}

static bool do_release(struct trial *trial, const struct step *step)
{
	char words[16];
	int expected = trial->model.domain[step->domid].introduced ? 0 : ENOENT;

	if (!expected) {
		model_die(&trial->model, step->domid);
		trial->counts->deaths++;
	}
	forget_dead(trial);
	snprintf(words, sizeof(words), "%u", step->domid);
	return toolstack(trial, XS_RELEASE, words, expected);
}

/* A request needs an introduced domain and makes sure that it is still there. */
static bool still_introduced(struct trial *trial, unsigned int domid)
{
	if (trial->model.domain[domid].introduced)
		model_know(&trial->model, domid);
	forget_dead(trial);
	return trial->model.domain[domid].introduced;
}

static bool do_target(struct trial *trial, const struct step *step)
{
	struct model_domain *domain = &trial->model.domain[step->domid];
	const struct model_domain *target = &trial->model.domain[step->other];
	int expected = ENOENT;
	char words[32];

	if (still_introduced(trial, step->domid) && still_introduced(trial, step->other)) {
		expected = 0;
		for (unsigned int i = 0; i < SCRIPT_SLOTS && domain->target_life != target->life; i++)
			if (script_domid(trial->slot[i].client) == step->domid)
				trial->slot[i].target = UINT64_MAX; /* never the same again */
		domain->target_domid = step->other;
		domain->target_life = target->life;
	}
	snprintf(words, sizeof(words), "%u %u", step->domid, step->other);
	return toolstack(trial, XS_SET_TARGET, words, expected);
}

static bool do_quota(struct trial *trial, const struct step *step)
{
	uint64_t life = model_know(&trial->model, step->domid);
	char words[32];

	forget_dead(trial);
	if (life)
		trial->model.domain[step->domid].node_limit = (long)step->number;
	snprintf(words, sizeof(words), "%u nodes %u", step->domid, step->number);
	return toolstack(trial, XS_SET_QUOTA, words, life ? 0 : ENOENT);
}

/* What happens to domains without a request. */
static void happen(struct trial *trial, const struct step *step)
{
	struct model_domain *domain = &trial->model.domain[step->domid];

	switch (step->kind) {
	case STEP_CREATE:
		if (!domain->exists)
			create_domain(trial, step->domid);
		return;
	case STEP_VANISH:
	case STEP_DESTROY:
	case STEP_REPLACE:
		harness_destroy_silently(trial->harness, step->domid);
		domain->exists = false;
		if (step->kind == STEP_REPLACE)
			create_domain(trial, step->domid);
		if (step->kind != STEP_DESTROY)
			return;
		break;
	default:
		break;
	}
	harness_tell(trial->harness);
	learn(&trial->model, trial->counts);
	forget_dead(trial);
}

/* Everything by requests of the privileged domain. */
static bool read_all(struct trial *trial, const struct model_node *node, const char *parent)
{
	static const enum model_verb verbs[] = {MODEL_READ, MODEL_DIRECTORY, MODEL_GET_PERMS};
	struct model_request request = {0};
	struct model_reply reply;

	snprintf(request.path, sizeof(request.path), "%s%s%s", parent,
		 *parent && strcmp(parent, "/") ? "/" : "", node->name);
	for (unsigned int i = 0; i < 3 && node->name[0]; i++) {
		if (node->name[0] == '@' && verbs[i] != MODEL_GET_PERMS)
			continue;
		request.verb = verbs[i];
		model_run(&trial->model, trial->model.live, &request, MODEL_NO_QUOTA, &reply);
		if (!ask(trial, trial->harness->dom0, 0, &request, &reply))
			return false;
	}
	for (unsigned int i = 0; i < node->count; i++)
		if (!read_all(trial, node->child[i], node->name[0] ? request.path : ""))
			return false;
	return true;
}

static bool read_accounts(struct trial *trial)
{
	for (unsigned int domid = 0; domid < MODEL_DOMAINS; domid++) {
		char payload[32], text[128];
		struct answer answer;
		size_t len = (size_t)snprintf(payload, sizeof(payload), "quota%c%u", 0, domid) + 1;
		int error = peer_request(trial->harness->dom0, XS_CONTROL, 0, payload, len, &answer);

		if (error != (trial->model.domain[domid].life ? 0 : ENOENT))
			return disagree(trial, "CONTROL quota %u gives %s", domid, name_of(error));
		if (error)
			continue;
		snprintf(text, sizeof(text), "\nnodes            : %8ld (max",
			 model_count(&trial->model, trial->model.live, domid));
		if (!strstr(answer.payload, text))
			return disagree(trial, "CONTROL quota %u: not \"%s\" in\n%s", domid, text + 1,
					answer.payload);
	}
	return true;
}

static bool check(struct trial *trial)
{
	struct compare_use use[MODEL_DOMAINS];

	for (unsigned int domid = 0; domid < MODEL_DOMAINS; domid++) {
		use[domid].watches = watches_of_domain(trial, domid);
		use[domid].transactions = open_of_domain(trial, domid);
	}
	return compare_core(trial->harness->core, &trial->model, use, trial->why, trial->why_size);
}

static bool do_step(struct trial *trial, const struct step *step)
{
	switch (step->kind) {
	case STEP_REQUEST:
		return do_request(trial, step);
	case STEP_START:
		return do_start(trial, step);
	case STEP_END:
		return do_end(trial, step);
	case STEP_WATCH:
	case STEP_UNWATCH:
		return do_watch(trial, step);
	case STEP_RESET_WATCHES:
		return do_reset_watches(trial, step);
	case STEP_INTRODUCE:
		return do_introduce(trial, step);
	case STEP_RELEASE:
		return do_release(trial, step);
	case STEP_TARGET:
		return do_target(trial, step);
	case STEP_QUOTA:
		return do_quota(trial, step);
	case STEP_READ_ALL:
		return read_all(trial, trial->model.live, "") && read_accounts(trial);
	case STEP_CREATE:
	case STEP_DESTROY:
	case STEP_VANISH:
	case STEP_REPLACE:
	case STEP_TELL:
		happen(trial, step);
		return true;
	}
	return true;
}

static const struct control_ops no_process;

int replay(const struct step *step, unsigned int count, struct replay_counts *counts, char *why,
	   size_t size)
{
	struct core_config config = harness_config();
	struct trial trial = {.counts = counts, .why = why, .why_size = size};
	unsigned int i;

	config.quota.hard[QUOTA_NODES] = NODE_LIMIT;
	config.quota.hard[QUOTA_WATCHES] = WATCH_LIMIT;
	config.quota.hard[QUOTA_TRANSACTIONS] = TRANSACTION_LIMIT;
	trial.harness = harness_new_with(&config);
	trial.harness->core->control = &no_process;
	model_init(&trial.model, NODE_LIMIT);
	for (i = 0; i < SCRIPT_SOCKETS; i++)
		trial.socket[i] = harness_socket(trial.harness);
	harness_run(trial.harness);
	for (i = 0; i < count; i++) {
		/* Long enough for everybody's write credit. */
		trial.harness->now += 1000;
		counts->steps++;
		if (!do_step(&trial, &step[i]) || !check(&trial))
			break;
	}
	for (unsigned int k = 0; k < SCRIPT_SLOTS; k++)
		close_slot(&trial.slot[k]);
	model_deinit(&trial.model);
	harness_free(trial.harness);
	return i < count ? (int)i : -1;
}
