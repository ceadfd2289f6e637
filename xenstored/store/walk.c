/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pre-order walk with its own stack. */
#include "store/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void walk_init(struct walk *walk, struct store *store, struct node *top, const char *path,
	       size_t len)
{
	walk->store = store;
	store->holders++;
	walk->top = top;
	walk->level = NULL;
	walk->depth = walk->room = 0;
	memcpy(walk->path, path, len);
	walk->path[len] = 0;
	walk->path_len = len;
}

void walk_deinit(struct walk *walk)
{
	node_unref(walk->store, walk->top);
	free(walk->level);
	walk->store->holders--;
	walk->top = NULL;
	walk->level = NULL;
}

static int enter(struct walk *walk, struct node *node)
{
	if (walk->depth == walk->room) {
		unsigned int room = walk->room ? 2 * walk->room : 16;
		struct walk_level *level = realloc(walk->level, room * sizeof(*level));

		if (!level)
			return ENOMEM;
		walk->level = level;
		walk->room = room;
	}
	walk->level[walk->depth].node = node;
	walk->level[walk->depth].next = 0;
	walk->level[walk->depth].path_len = (uint32_t)walk->path_len;
	walk->depth++;
	return 0;
}

static void append_name(struct walk *walk, const struct node *node)
{
	size_t at = walk->path_len;

	/* "/" ends with its slash already, and the nameless root has no path at all. */
	if (at && walk->path[at - 1] != '/')
		walk->path[at++] = '/';
	if (at + node->name_len >= sizeof(walk->path)) /* cannot be: paths are checked when made */
		abort();
	memcpy(walk->path + at, node->data, node->name_len);
	walk->path_len = at + node->name_len;
	walk->path[walk->path_len] = 0;
}

int walk_next(struct walk *walk, struct node **node)
{
	struct walk_level *level;

	*node = NULL;
	if (!walk->level) {
		if (enter(walk, walk->top))
			return ENOMEM;
		*node = walk->top;
		return 0;
	}
	while (walk->depth) {
		struct node *child;

		level = &walk->level[walk->depth - 1];
		child = children_at(level->node, level->next);
		walk->path_len = level->path_len;
		if (child) {
			append_name(walk, child);
			if (enter(walk, child)) {
				return ENOMEM;
			}
			walk->level[walk->depth - 2].next++;
			*node = child;
			return 0;
		}
		walk->depth--;
	}
	return 0;
}

void walk_skip(struct walk *walk)
{
	struct walk_level *level = &walk->level[walk->depth - 1];

	level->next = node_child_count(level->node);
}
