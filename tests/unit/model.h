/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The naive model: what a store should do, written down as plainly as possible.
 *
 * A store is nested lists of nodes, each with its own copy of everything. A
 * snapshot is a copy of all. Permissions are evaluated by reading the list. The
 * model is slow, has no cleverness that could be wrong, and shares no code with
 * what it is compared with (spec: protocol.md sections 5, 8, 11, 12).
 */
#ifndef TESTS_UNIT_MODEL_H
#define TESTS_UNIT_MODEL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_DOMAINS	6u /* domids 0 to 5 */
#define MODEL_PERMS_MAX 8u
#define MODEL_VALUE_MAX 64u
#define MODEL_REPLY_MAX 4096u
#define MODEL_ANY	32757u /* DOMID_ANY */

#define MODEL_NO_QUOTA LONG_MIN

/* What a permission entry is bound to: a life of a domain, or one of these. */
#define MODEL_STALE    0u
#define MODEL_EVERYONE 1u

struct model_perm {
	char letter; /* n, r, w, b */
	unsigned int domid;
	uint64_t life;
};

struct model_perms {
	unsigned int count;
	struct model_perm entry[MODEL_PERMS_MAX];
};

struct model_node {
	char name[24];
	char value[MODEL_VALUE_MAX];
	size_t value_len;
	struct model_perms perms;
	struct model_node **child;
	unsigned int count;
};

struct model_domain {
	/* what the hypervisor says */
	bool exists;
	uint64_t unique_id;
	/* what the store knows */
	uint64_t life; /* 0 = nothing known */
	uint64_t known_id;
	bool introduced;
	unsigned int target_domid;
	uint64_t target_life;
	long node_limit;
};

struct model {
	struct model_node *live; /* nameless; its children are "/" and the special nodes */
	struct model_domain domain[MODEL_DOMAINS];
	uint64_t last_life;
	long node_limit; /* what new lives start with */
};

enum model_verb {
	MODEL_READ,
	MODEL_DIRECTORY,
	MODEL_GET_PERMS,
	MODEL_WRITE,
	MODEL_MKDIR,
	MODEL_RM,
	MODEL_SET_PERMS,
	MODEL_VERBS,
};

struct model_request {
	enum model_verb verb;
	unsigned int domid; /* who asks; 0 is privileged */
	char path[128];	    /* absolute */
	char value[MODEL_VALUE_MAX];
	size_t value_len;
	struct model_perms perms; /* lives filled in by model_bind() */
};

struct model_reply {
	int error; /* 0 or an errno value */
	bool changed;
	size_t len;
	char bytes[MODEL_REPLY_MAX];
	int nodes_of[MODEL_DOMAINS]; /* nodes that the request made or took over, by owner */
	struct model_perms perms;    /* of GET_PERMS: the list with what is not shown */
};

/** The initial store, with domain 0 only. */
void model_init(struct model *model, long node_limit);
void model_deinit(struct model *model);

struct model_node *model_copy(const struct model_node *node);
void model_free(struct model_node *node);

/**
 * The node at @path, or NULL. @nearest: it or its nearest existing ancestor; @missing: how many
 * components do not exist. Both may be NULL.
 */
struct model_node *model_find(struct model_node *root, const char *path,
			      struct model_node **nearest, unsigned int *missing);

/** Whether @entry is bound to a life that goes on, or to none. */
bool model_entry_shown(const struct model *model, const struct model_perm *entry);

/** Equal entries, bound to the same lives. */
bool model_same_perms(const struct model_perms *a, const struct model_perms *b);

/** Equal as far as entries are shown now. */
bool model_same_shown(const struct model *model, const struct model_perms *a,
		      const struct model_perms *b);

/** The life of a target that lends its rights to @domid now, or 0. */
uint64_t model_target(const struct model *model, unsigned int domid);

/** Number of nodes below @root that the present life of @domid owns. */
long model_count(const struct model *model, const struct model_node *root, unsigned int domid);

/**
 * A request names @domid: the store looks what the hypervisor says. May end a life, and may begin
 * one. Returns the life, 0 if there is no such domain.
 */
uint64_t model_know(struct model *model, unsigned int domid);

/** Domain @domid is gone: its nodes go as well. */
void model_die(struct model *model, unsigned int domid);

/** Bind the entries of a SET_PERMS to lives, as its execution does first. */
void model_bind(struct model *model, struct model_request *request);

/**
 * Carry out @request on the tree @root.
 * @held: how many nodes the asking domain has already as far as the quota is concerned, which may
 *        be negative in a transaction that removes what others have removed; or MODEL_NO_QUOTA
 */
void model_run(const struct model *model, struct model_node *root,
	       const struct model_request *request, long held, struct model_reply *reply);

#endif
