/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bulk: many requests of which only the result matters.
 *
 * Loading a server with a million nodes one round trip at a time would take longer than
 * everything that is measured, so a window of requests is kept in flight.
 */
#ifndef BENCH_BULK_H
#define BENCH_BULK_H

#include <stddef.h>
#include <stdint.h>

#include "client.h"

#define BULK_WINDOW 64

struct bulk {
	struct client *client;
	size_t queued;
	uint32_t type[BULK_WINDOW];
	uint32_t id[BULK_WINDOW];
};

/* Queue a request to be answered with OK: a path and len more bytes. */
void bulk_put(struct bulk *bulk, uint32_t type, const char *path, const void *more, size_t len);

/* Send what is queued and check the replies. */
void bulk_finish(struct bulk *bulk);

/* Create nodes below an existing or new root, in directories of at most width, each with the
 * standard value.  Directories and root count as nodes: count nodes exist in the end.  Returns
 * the number of leaves; tree_leaf() names them. */
size_t tree_create(struct client *client, const char *root, size_t count, size_t width);

/* The path of the leaf with this number in a tree of that width. */
void tree_leaf(char *path, size_t size, const char *root, size_t width, size_t leaf);

#endif
