/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The naive model. */
#include "model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RIGHT_READ  1u
#define RIGHT_WRITE 2u
#define RIGHT_OWN   4u

static void *need(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static struct model_node *new_node(const char *name, size_t len, const struct model_perms *perms)
{
	struct model_node *node = need(calloc(1, sizeof(*node)));

	if (len >= sizeof(node->name))
		abort();
	memcpy(node->name, name, len);
	node->perms = *perms;
	return node;
}

static void append(struct model_node *parent, struct model_node *child)
{
	parent->child = need(realloc(parent->child, (parent->count + 1) * sizeof(*parent->child)));
	parent->child[parent->count++] = child;
}

static void remove_child(struct model_node *parent, unsigned int at)
{
	model_free(parent->child[at]);
	parent->count--;
	memmove(&parent->child[at], &parent->child[at + 1],
		(parent->count - at) * sizeof(*parent->child));
}

void model_free(struct model_node *node)
{
	if (!node)
		return;
	for (unsigned int i = 0; i < node->count; i++)
		model_free(node->child[i]);
	free(node->child);
	free(node);
}

struct model_node *model_copy(const struct model_node *node)
{
	struct model_node *copy = need(malloc(sizeof(*copy)));

	*copy = *node;
	copy->child = NULL;
	copy->count = 0;
	for (unsigned int i = 0; i < node->count; i++)
		append(copy, model_copy(node->child[i]));
	return copy;
}

void model_init(struct model *model, long node_limit)
{
	struct model_perms perms = {0};
	struct model_node *root, *tool;

	memset(model, 0, sizeof(*model));
	model->last_life = 100;
	model->node_limit = node_limit;
	model->domain[0].exists = model->domain[0].introduced = true;
	model->domain[0].life = ++model->last_life;
	perms.count = 1;
	perms.entry[0].letter = 'n';
	perms.entry[0].life = model->domain[0].life;
	model->live = new_node("", 0, &perms);
	root = new_node("/", 1, &perms);
	append(model->live, root);
	tool = new_node("tool", 4, &perms);
	append(root, tool);
	append(tool, new_node("xenstored", 9, &perms));
	append(model->live, new_node("@introduceDomain", 16, &perms));
	perms.count = 2;
	perms.entry[1].letter = 'r';
	perms.entry[1].domid = MODEL_ANY;
	perms.entry[1].life = MODEL_EVERYONE;
	append(model->live, new_node("@releaseDomain", 14, &perms));
}

void model_deinit(struct model *model)
{
	model_free(model->live);
	model->live = NULL;
}

static struct model_node *child_of(const struct model_node *parent, const char *name, size_t len)
{
	for (unsigned int i = 0; i < parent->count; i++)
		if (strlen(parent->child[i]->name) == len &&
		    !memcmp(parent->child[i]->name, name, len))
			return parent->child[i];
	return NULL;
}

struct model_node *model_find(struct model_node *root, const char *path,
			      struct model_node **nearest, unsigned int *missing)
{
	struct model_node *node, *last;
	const char *at = path;
	unsigned int absent = 0;
	size_t len = path[0] == '/' ? 1 : strcspn(path, "/");

	last = child_of(root, "/", 1);
	node = child_of(root, path, len);
	if (node)
		last = node;
	else
		absent = 1;
	at += len;
	while (*at) {
		at += *at == '/';
		len = strcspn(at, "/");
		node = node ? child_of(node, at, len) : NULL;
		if (node)
			last = node;
		else
			absent++;
		at += len;
	}
	if (nearest)
		*nearest = last;
	if (missing)
		*missing = absent;
	return node;
}

static bool lives(const struct model *model, unsigned int domid, uint64_t life)
{
	return domid < MODEL_DOMAINS && life && model->domain[domid].life == life;
}

bool model_entry_shown(const struct model *model, const struct model_perm *entry)
{
	return entry->life == MODEL_STALE || entry->life == MODEL_EVERYONE ||
	       lives(model, entry->domid, entry->life);
}

bool model_same_perms(const struct model_perms *a, const struct model_perms *b)
{
	if (a->count != b->count)
		return false;
	for (unsigned int i = 0; i < a->count; i++)
		if (a->entry[i].letter != b->entry[i].letter ||
		    a->entry[i].domid != b->entry[i].domid || a->entry[i].life != b->entry[i].life)
			return false;
	return true;
}

static struct model_perms shown(const struct model *model, const struct model_perms *perms)
{
	struct model_perms result = {0};

	for (unsigned int i = 0; i < perms->count; i++)
		if (!i || model_entry_shown(model, &perms->entry[i]))
			result.entry[result.count++] = perms->entry[i];
	return result;
}

bool model_same_shown(const struct model *model, const struct model_perms *a,
		      const struct model_perms *b)
{
	struct model_perms x = shown(model, a), y = shown(model, b);

	return model_same_perms(&x, &y);
}

uint64_t model_target(const struct model *model, unsigned int domid)
{
	const struct model_domain *domain = &model->domain[domid];

	return lives(model, domain->target_domid, domain->target_life) ? domain->target_life : 0;
}

static bool speaks_of(const struct model *model, unsigned int domid, const struct model_perm *entry)
{
	if (entry->life == MODEL_EVERYONE)
		return true;
	if (entry->life == MODEL_STALE)
		return false;
	return entry->life == model->domain[domid].life ||
	       entry->life == model_target(model, domid);
}

static unsigned int rights(const struct model *model, unsigned int domid,
			   const struct model_perms *perms)
{
	char letter = perms->entry[0].letter;

	if (!domid || speaks_of(model, domid, &perms->entry[0]))
		return RIGHT_READ | RIGHT_WRITE | RIGHT_OWN;
	for (unsigned int i = 1; i < perms->count; i++)
		if (speaks_of(model, domid, &perms->entry[i])) {
			letter = perms->entry[i].letter;
			break;
		}
	return letter == 'b'   ? RIGHT_READ | RIGHT_WRITE
	       : letter == 'r' ? RIGHT_READ
	       : letter == 'w' ? RIGHT_WRITE
			       : 0;
}

long model_count(const struct model *model, const struct model_node *root, unsigned int domid)
{
	const struct model_perm *owner = &root->perms.entry[0];
	long count = 0;

	/* The nameless root is nobody's. */
	if (root->name[0] && owner->life == model->domain[domid].life && owner->domid == domid)
		count = 1;
	for (unsigned int i = 0; i < root->count; i++)
		count += model_count(model, root->child[i], domid);
	return count;
}

static void clear(struct model *model, struct model_node *node, uint64_t life)
{
	for (unsigned int i = 0; i < node->count;) {
		struct model_node *child = node->child[i];

		if (child->perms.entry[0].life != life) {
			clear(model, child, life);
		} else if (child->name[0] == '/' || child->name[0] == '@') {
			/* These stay for ever, and go to the privileged domain. */
			child->perms.entry[0].domid = 0;
			child->perms.entry[0].life = model->domain[0].life;
			clear(model, child, life);
		} else {
			remove_child(node, i);
			continue;
		}
		i++;
	}
}

void model_die(struct model *model, unsigned int domid)
{
	struct model_domain *domain = &model->domain[domid];

	clear(model, model->live, domain->life);
	domain->life = domain->known_id = 0;
	domain->introduced = false;
	domain->target_life = 0;
}

uint64_t model_know(struct model *model, unsigned int domid)
{
	struct model_domain *domain;

	if (domid >= MODEL_DOMAINS)
		return 0;
	domain = &model->domain[domid];
	if (!domid)
		return domain->life;
	if (domain->life && (!domain->exists || domain->known_id != domain->unique_id))
		model_die(model, domid);
	if (!domain->exists)
		return 0;
	if (!domain->life) {
		domain->life = ++model->last_life;
		domain->known_id = domain->unique_id;
		domain->node_limit = model->node_limit;
	}
	return domain->life;
}

void model_bind(struct model *model, struct model_request *request)
{
	struct model_perms *perms = &request->perms;

	/* More entries than allowed are refused before anybody looks at them. */
	if (request->domid && perms->count > 5)
		return;
	for (unsigned int i = 0; i < perms->count; i++) {
		struct model_perm *entry = &perms->entry[i];

		if (entry->domid == MODEL_ANY)
			entry->life = MODEL_EVERYONE;
		else if (request->domid && entry->domid == request->domid)
			entry->life = model->domain[request->domid].life; /* who asks, lives */
		else
			entry->life = model_know(model, entry->domid);
	}
}

static void get_perms(const struct model *model, const struct model_node *node,
		      struct model_reply *reply)
{
	struct model_perms perms = shown(model, &node->perms);

	for (unsigned int i = 0; i < perms.count; i++)
		reply->len += (size_t)snprintf(reply->bytes + reply->len,
					       sizeof(reply->bytes) - reply->len, "%c%u",
					       perms.entry[i].letter, perms.entry[i].domid) +
			      1;
	reply->perms = node->perms;
}

static void list_children(const struct model_node *node, struct model_reply *reply)
{
	for (unsigned int i = 0; i < node->count; i++) {
		size_t len = strlen(node->child[i]->name) + 1;

		if (reply->len + len > sizeof(reply->bytes)) {
			reply->error = E2BIG;
			return;
		}
		memcpy(reply->bytes + reply->len, node->child[i]->name, len);
		reply->len += len;
	}
}

static void acknowledge(struct model_reply *reply)
{
	memcpy(reply->bytes, "OK", 3);
	reply->len = 3;
}

static void set_value(struct model_node *node, const struct model_request *request)
{
	memcpy(node->value, request->value, request->value_len);
	node->value_len = request->value_len;
}

static void create(const struct model *model, struct model_node *nearest, unsigned int missing,
		   const struct model_request *request, long held, struct model_reply *reply)
{
	const char *at = request->path + strlen(request->path);
	struct model_perms perms = shown(model, &nearest->perms);
	unsigned int owner;

	if (held != MODEL_NO_QUOTA && model->domain[request->domid].node_limit &&
	    held + (long)missing > model->domain[request->domid].node_limit) {
		reply->error = ENOSPC;
		return;
	}
	if (request->domid) {
		perms.entry[0].domid = request->domid;
		perms.entry[0].life = model->domain[request->domid].life;
	}
	/* Back to where the missing part begins. */
	for (unsigned int i = 0; i < missing; i++)
		do
			at--;
		while (*at != '/');
	for (unsigned int i = 0; i < missing; i++) {
		size_t len;
		struct model_node *node;

		at++;
		len = strcspn(at, "/");
		node = new_node(at, len, &perms);
		append(nearest, node);
		nearest = node;
		at += len;
	}
	set_value(nearest, request);
	owner = perms.entry[0].domid;
	if (owner < MODEL_DOMAINS)
		reply->nodes_of[owner] += (int)missing;
	reply->changed = true;
	acknowledge(reply);
}

static struct model_node *parent_of(struct model_node *root, const char *path, unsigned int *index)
{
	char parent[128];
	const char *slash = strrchr(path, '/');
	size_t len = (size_t)(slash - path);
	struct model_node *node;

	memcpy(parent, path, len);
	parent[len] = 0;
	node = model_find(root, len ? parent : "/", NULL, NULL);
	for (*index = 0; strcmp(node->child[*index]->name, slash + 1); ++*index)
		;
	return node;
}

static void set_perms(struct model_node *node, const struct model_request *request,
		      struct model_reply *reply)
{
	unsigned int owner = request->perms.entry[0].domid;

	if (request->domid && owner != node->perms.entry[0].domid) {
		reply->error = EPERM;
		return;
	}
	node->perms = request->perms;
	if (owner < MODEL_DOMAINS)
		reply->nodes_of[owner]++;
	reply->changed = true;
	acknowledge(reply);
}

/* The checks of SET_PERMS that come before the look-up. */
static int check_perms(const struct model_request *request)
{
	if (request->domid && request->perms.count > 5)
		return ENOSPC;
	return request->perms.entry[0].life == MODEL_STALE ? ENOENT : 0;
}

void model_run(const struct model *model, struct model_node *root,
	       const struct model_request *request, long held, struct model_reply *reply)
{
	static const unsigned int wanted[MODEL_VERBS] = {
		[MODEL_READ] = RIGHT_READ,
		[MODEL_DIRECTORY] = RIGHT_READ,
		[MODEL_GET_PERMS] = RIGHT_READ,
		[MODEL_WRITE] = RIGHT_WRITE,
		[MODEL_MKDIR] = RIGHT_WRITE,
		[MODEL_RM] = RIGHT_WRITE,
		[MODEL_SET_PERMS] = RIGHT_WRITE | RIGHT_OWN,
	};
	struct model_node *node, *nearest, *parent;
	unsigned int want = wanted[request->verb], have, missing, index;
	bool creates = request->verb == MODEL_WRITE || request->verb == MODEL_MKDIR;

	memset(reply, 0, sizeof(*reply));
	if (request->verb == MODEL_SET_PERMS && (reply->error = check_perms(request)))
		return;
	node = model_find(root, request->path, &nearest, &missing);
	have = rights(model, request->domid, &nearest->perms);
	if (node ? (have & want) != want : !(have & want)) {
		reply->error = EACCES;
		return;
	}
	if (!node) {
		if (creates)
			create(model, nearest, missing, request, held, reply);
		else if (request->verb == MODEL_RM && missing == 1)
			acknowledge(reply);
		else
			reply->error = ENOENT;
		return;
	}
	switch (request->verb) {
	case MODEL_READ:
		memcpy(reply->bytes, node->value, node->value_len);
		reply->len = node->value_len;
		break;
	case MODEL_DIRECTORY:
		list_children(node, reply);
		break;
	case MODEL_GET_PERMS:
		get_perms(model, node, reply);
		break;
	case MODEL_WRITE:
		set_value(node, request);
		reply->changed = true;
		acknowledge(reply);
		break;
	case MODEL_MKDIR:
		acknowledge(reply);
		break;
	case MODEL_RM:
		if (!strcmp(request->path, "/")) {
			reply->error = EINVAL;
			break;
		}
		parent = parent_of(root, request->path, &index);
		remove_child(parent, index);
		reply->changed = true;
		acknowledge(reply);
		break;
	case MODEL_SET_PERMS:
		set_perms(node, request, reply);
		break;
	case MODEL_VERBS:
		break;
	}
}
