/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading a server with nodes, see bulk.h.
 */
#define _GNU_SOURCE 1
#include "bulk.h"

#include <stdio.h>

void bulk_finish(struct bulk *bulk)
{
	struct reply reply;

	client_flush(bulk->client);
	for (size_t i = 0; i < bulk->queued; i++) {
		client_take(bulk->client, &reply);
		client_check(bulk->client, &reply, bulk->type[i], bulk->id[i], 0, "OK", 3);
	}
	bulk->queued = 0;
}

void bulk_put(struct bulk *bulk, uint32_t type, const char *path, const void *more, size_t len)
{
	bulk->type[bulk->queued] = type;
	bulk->id[bulk->queued] = client_put_path(bulk->client, type, 0, path, more, len);
	if (++bulk->queued == BULK_WINDOW)
		bulk_finish(bulk);
}

void tree_leaf(char *path, size_t size, const char *root, size_t width, size_t leaf)
{
	snprintf(path, size, "%s/d%zu/n%zu", root, leaf / width, leaf % width);
}

size_t tree_create(struct client *client, const char *root, size_t count, size_t width)
{
	struct bulk bulk = {.client = client};
	size_t leaves = 0, nodes = 1;
	char path[256];

	bulk_put(&bulk, XS_WRITE, root, value_text(VALUE_SIZE), VALUE_SIZE);
	while (nodes < count) {
		if (leaves % width == 0 && nodes++ == count - 1)
			break; /* no room for a directory and a leaf */
		tree_leaf(path, sizeof(path), root, width, leaves);
		bulk_put(&bulk, XS_WRITE, path, value_text(VALUE_SIZE), VALUE_SIZE);
		leaves++;
		nodes++;
	}
	bulk_finish(&bulk);
	return leaves;
}
