/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Index of ownership roots by path and by domain. */
#include "state/ownership.h"

#include <stdlib.h>
#include <string.h>

void ownership_init(struct ownership *ownership, const struct hash_secret *secret)
{
	hash_init(&ownership->roots);
	ownership->secret = secret;
	ownership->bytes = 0;
}

void ownership_deinit(struct ownership *ownership)
{
	hash_deinit(&ownership->roots);
}

struct ownership_root *ownership_reserve(const char *path, size_t len)
{
	struct ownership_root *root = malloc(sizeof(*root) + len + 1);

	if (!root)
		return NULL;
	memset(root, 0, sizeof(*root));
	root->len = (uint32_t)len;
	memcpy(root->path, path, len);
	root->path[len] = 0;
	return root;
}

void ownership_unreserve(struct ownership_root *root)
{
	free(root);
}

struct ownership_root *ownership_find_any(const struct ownership *ownership, const char *path,
					  size_t len, const struct ownership_root *after)
{
	uint64_t hash = hash_bytes(ownership->secret, 0, path, len);
	struct hash_link *link = after ? (struct hash_link *)(uintptr_t)&after->link : NULL;

	while ((link = hash_find(&ownership->roots, hash, link))) {
		struct ownership_root *root = hash_entry(link, struct ownership_root, link);

		if (root->len == len && !memcmp(root->path, path, len))
			return root;
	}
	return NULL;
}

struct ownership_root *ownership_find(const struct ownership *ownership,
				      const struct domain *domain, const char *path, size_t len)
{
	struct ownership_root *root = NULL;

	while ((root = ownership_find_any(ownership, path, len, root)))
		if (root->domain == domain)
			return root;
	return NULL;
}

void ownership_add(struct ownership *ownership, struct domain *domain, struct ownership_root *root)
{
	struct ownership_root *present = ownership_find(ownership, domain, root->path, root->len);

	if (present) {
		ownership_unreserve(root);
		return;
	}
	root->domain = domain;
	LIST_INSERT_HEAD(&domain->roots, root, of_domain);
	hash_insert(&ownership->roots, &root->link,
		    hash_bytes(ownership->secret, 0, root->path, root->len));
	ownership->bytes += sizeof(*root) + root->len + 1;
}

void ownership_remove(struct ownership *ownership, struct ownership_root *root)
{
	hash_remove(&ownership->roots, &root->link);
	LIST_REMOVE(root, of_domain);
	ownership->bytes -= sizeof(*root) + root->len + 1;
	free(root);
}
