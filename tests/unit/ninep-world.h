/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A world for the 9pfs front-end: nodes in a table, a clock that a test sets, pages in memory, and
 * the real server behind the real rings as the back-end, unless the test plays it itself.
 */
#ifndef TESTS_UNIT_NINEP_WORLD_H
#define TESTS_UNIT_NINEP_WORLD_H

#include "ninep/frontend.h"
#include "ninepfsd/link.h"
#include "ninepfsd/share.h"

#define FRONT "device/9pfs/0"
#define BACK  "/local/domain/0/backend/xen_9pfs/7/0"

struct world_node {
	char path[96], value[64];
};

struct ninep_world {
	struct ninep_platform platform;
	struct ninep_memory memory;
	struct ninep_saved saved;
	struct ninep *fe;
	uint64_t now;
	struct world_node nodes[64];
	unsigned int node_count, writes; /* writes: of the front-end */
	char message[256];		 /* the last one */
	unsigned int messages;
	/* Grants: who may map which page, by reference. */
	struct {
		void *page;
		unsigned int domid;
		bool mapped;
	} grants[32];
	uint32_t ports; /* bit n: port n is open */
	bool fail_grants;

	/* The back-end. */
	char directory[64];
	struct share_limits limits;
	struct p9_server *server;
	struct p9_link link;
	bool linked;
	bool silent; /* it does not take requests */
	bool dead;   /* it does not look at nodes either */
	/* Instead of the real one: called when the front-end waits or the world runs. */
	void (*peer)(struct ninep_world *world);
	void *context;
};

/** Make the world, with a share in a new directory, and a front-end in it. */
void world_init(struct ninep_world *world, unsigned int order);

/** End all; the directory is removed. */
void world_deinit(struct ninep_world *world);

/** What a toolstack and a back-end that begins write. */
void world_offer(struct ninep_world *world);

/** Let both ends do what they can. */
void world_run(struct ninep_world *world);

/** The back-end's process ends; then another one begins. */
void world_backend_dies(struct ninep_world *world);
void world_backend_begins(struct ninep_world *world);

/** Another program takes over the front-end. */
void world_kexec(struct ninep_world *world);

/** A node's value, or NULL. */
const char *world_node(struct ninep_world *world, const char *path);
void world_set(struct ninep_world *world, const char *path, const char *value);
void world_unset(struct ninep_world *world, const char *path);

/** The content of a file of the share; @length may be NULL. Freed by the next call. NULL: none. */
const char *world_file(struct ninep_world *world, const char *name, size_t *length);
void world_put_file(struct ninep_world *world, const char *name, const void *bytes, size_t length);

#endif
