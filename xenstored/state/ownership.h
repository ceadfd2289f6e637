/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ownership roots: where a domain's nodes are.
 *
 * For each domain the paths are kept whose owner it is while the parent's owner
 * is somebody else. Every node of the domain is such a path or below one, so its
 * death costs what it owned and not a walk over the store. Removal of a subtree
 * takes the paths below it out (release.h does that, in slices).
 *
 * When a node with children is given to another owner, the old owner may still
 * have nodes below it: its entry stays, marked as a cover, and at its death that
 * one subtree is searched.
 */
#ifndef XENSTORED_STATE_OWNERSHIP_H
#define XENSTORED_STATE_OWNERSHIP_H

#include <stdbool.h>
#include <sys/queue.h>

#include "bytes/hash.h"
#include "state/domain.h"

struct ownership_root {
	struct hash_link link; /* by path */
	LIST_ENTRY(ownership_root) of_domain;
	struct domain *domain; /* NULL while it is only reserved */
	bool cover;
	uint32_t len;
	char path[];
};

struct ownership {
	struct hash roots;
	const struct hash_secret *secret;
	size_t bytes;
};

void ownership_init(struct ownership *ownership, const struct hash_secret *secret);
void ownership_deinit(struct ownership *ownership);

/** Memory for an entry, so that ownership_add() cannot fail. NULL: no memory. */
struct ownership_root *ownership_reserve(const char *path, size_t len);

/** Give back what was not used. May be NULL. */
void ownership_unreserve(struct ownership_root *root);

/** Put a reserved entry in for @domain. An equal one that is there already makes it superfluous. */
void ownership_add(struct ownership *ownership, struct domain *domain, struct ownership_root *root);

/** The entry of @domain for @path, or NULL. */
struct ownership_root *ownership_find(const struct ownership *ownership,
				      const struct domain *domain, const char *path, size_t len);

/** Take an entry out and free it. */
void ownership_remove(struct ownership *ownership, struct ownership_root *root);

/** The entries for @path, of all domains: the first one for @after NULL, NULL at the end. */
struct ownership_root *ownership_find_any(const struct ownership *ownership, const char *path,
					  size_t len, const struct ownership_root *after);

#endif
