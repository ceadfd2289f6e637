/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steps of a script, and the comparison after each. */
#include "replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "control/control.h"
#include "migrate.h"
#include "trial.h"

#define NODE_LIMIT  8
#define WATCH_LIMIT 4u
#define TOKENS	    6u

static unsigned int open_of_domain(const struct trial *trial, unsigned int domid)
{
	unsigned int count = 0;

	for (unsigned int client = 0; client < SCRIPT_CLIENTS; client++)
		if (script_domid(client) == domid)
			count += trial_open_slots(trial, client);
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

static bool do_watch(struct trial *trial, const struct step *step)
{
	struct peer *peer = trial_peer(trial, step->client);
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
	return error == expected
		       ? true
		       : trial_disagree(trial, "watch request gives %s, expected %s",
					trial_error_name(error), trial_error_name(expected));
}

static bool do_reset_watches(struct trial *trial, const struct step *step)
{
	struct peer *peer = trial_peer(trial, step->client);
	int error;

	if (!peer)
		return true;
	error = peer_request(peer, XS_RESET_WATCHES, 0, "", 1, NULL);
	trial_forget_client(trial, step->client);
	return error ? trial_disagree(trial, "RESET_WATCHES gives %s", trial_error_name(error))
		     : true;
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
	return error == expected
		       ? true
		       : trial_disagree(trial, "%s of \"%s\" gives %s, expected %s",
					wire_type_name(type), words, trial_error_name(error),
					trial_error_name(expected));
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
	trial_forget_dead(trial);
	if (domain->introduced)
		trial_forget_client(trial, SCRIPT_SOCKETS + step->domid - 1);
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
	trial_forget_dead(trial);
	snprintf(words, sizeof(words), "%u", step->domid);
	return toolstack(trial, XS_RELEASE, words, expected);
}

/* A request needs an introduced domain and makes sure that it is still there. */
static bool still_introduced(struct trial *trial, unsigned int domid)
{
	if (trial->model.domain[domid].introduced)
		model_know(&trial->model, domid);
	trial_forget_dead(trial);
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
		for (unsigned int i = 0; i < SCRIPT_SLOTS && domain->target_life != target->life;
		     i++)
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

	trial_forget_dead(trial);
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
	trial_forget_dead(trial);
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
		if (!trial_ask(trial, trial->harness->dom0, 0, &request, &reply))
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
		int error = peer_request(trial->harness->dom0, XS_CONTROL, 0, payload, len,
					 &answer);

		if (error != (trial->model.domain[domid].life ? 0 : ENOENT))
			return trial_disagree(trial, "CONTROL quota %u gives %s", domid,
					      trial_error_name(error));
		if (error)
			continue;
		snprintf(text, sizeof(text), "\nnodes            : %8ld (max",
			 model_count(&trial->model, trial->model.live, domid));
		if (!strstr(answer.payload, text))
			return trial_disagree(trial, "CONTROL quota %u: not \"%s\" in\n%s", domid,
					      text + 1, answer.payload);
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

static bool do_update(struct trial *trial, struct migration *migration)
{
	trial->counts->updates++;
	migration_begin(migration, trial->harness);
	return migration_finish(migration, trial->why, trial->why_size);
}

static bool do_step(struct trial *trial, struct migration *migration, const struct step *step)
{
	switch (step->kind) {
	case STEP_SNAPSHOT:
		migration_begin(migration, trial->harness);
		return true;
	case STEP_UPDATE:
		return do_update(trial, migration);
	case STEP_REQUEST:
		return trial_request(trial, step);
	case STEP_START:
		return trial_start(trial, step);
	case STEP_END:
		return trial_end(trial, step);
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

static void client_gone(void *data, const struct client *client)
{
	(void)data;
	(void)client;
}

/* Of its commands only those are used that need no process. */
static const struct control_ops no_process = {.client_gone = client_gone};

int replay(const struct step *step, unsigned int count, struct replay_counts *counts, char *why,
	   size_t size)
{
	struct core_config config = harness_config();
	struct migration migration = {0};
	struct trial trial = {.counts = counts, .why = why, .why_size = size};
	unsigned int i;

	config.quota.hard[QUOTA_NODES] = NODE_LIMIT;
	config.quota.hard[QUOTA_WATCHES] = WATCH_LIMIT;
	config.quota.hard[QUOTA_TRANSACTIONS] = TRIAL_TRANSACTION_LIMIT;
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
		migration_some(&migration, step[i].number % 3);
		if (!do_step(&trial, &migration, &step[i]) || !check(&trial))
			break;
	}
	for (unsigned int k = 0; k < SCRIPT_SLOTS; k++)
		trial_close_slot(&trial.slot[k]);
	model_deinit(&trial.model);
	migration_abandon(&migration);
	harness_free(trial.harness);
	return i < count ? (int)i : -1;
}
