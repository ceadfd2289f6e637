/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parallel walk over two trees. */
#include "store/difference.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A directory that is being compared; @from NULL: it is new, with all below. */
struct level {
	const struct node *from;
	const struct node *to;
	uint32_t next; /* child of @to to look at */
	uint32_t path_len;
};

struct comparison {
	const struct difference_ops *ops;
	void *data;
	struct level *level;
	unsigned int depth, room;
	size_t path_len;
	char path[PATH_SIZE];
};

static int enter(struct comparison *cmp, const struct node *from, const struct node *to)
{
	if (cmp->depth == cmp->room) {
		unsigned int room = cmp->room ? 2 * cmp->room : 16;
		struct level *level = realloc(cmp->level, room * sizeof(*level));

		if (!level)
			return ENOMEM;
		cmp->level = level;
		cmp->room = room;
	}
	cmp->level[cmp->depth++] = (struct level){
		.from = from, .to = to, .path_len = (uint32_t)cmp->path_len};
	return 0;
}

static size_t append(struct comparison *cmp, size_t at, const struct node *child)
{
	if (at && cmp->path[at - 1] != '/')
		cmp->path[at++] = '/';
	memcpy(cmp->path + at, child->data, child->name_len + 1u);
	return at + child->name_len;
}

/* The same child, though perhaps changed: a node that was made anew has another sequence number. */
static const struct node *counterpart(const struct node *parent, const struct node *child)
{
	const struct node *other = parent ? children_find(parent, child->data, child->name_len)
					  : NULL;

	return other && other->sequence == child->sequence ? other : NULL;
}

static int tell_removed(struct comparison *cmp, const struct level *level)
{
	void *const *run;
	uint32_t count;

	if (!level->from || level->from->by_sequence == level->to->by_sequence)
		return 0;
	for (uint32_t i = 0; (run = children_run(level->from, i, &count)); i += count)
		for (uint32_t k = 0; k < count; k++) {
			const struct node *child = run[k];
			size_t len;
			int error;

			if (counterpart(level->to, child))
				continue;
			len = append(cmp, level->path_len, child);
			error = cmp->ops->removed(cmp->data, cmp->path, len);
			if (error)
				return error;
		}
	return 0;
}

/* One step in the innermost directory. */
static int step(struct comparison *cmp)
{
	struct level *level = &cmp->level[cmp->depth - 1];
	struct node *child = children_at(level->to, level->next++);
	const struct node *other;
	int error = 0;

	if (!child || (level->from && level->from->by_sequence == level->to->by_sequence)) {
		cmp->depth--;
		return 0;
	}
	other = counterpart(level->from, child);
	if (other == child)
		return 0;
	cmp->path_len = append(cmp, level->path_len, child);
	if (!other || other->perms != child->perms || other->value_len != child->value_len ||
	    memcmp(node_value((struct node *)(uintptr_t)other), node_value(child),
		   child->value_len) != 0)
		error = cmp->ops->set(cmp->data, cmp->path, cmp->path_len, child);
	if (!error)
		error = enter(cmp, other, child);
	if (!error)
		error = tell_removed(cmp, &cmp->level[cmp->depth - 1]);
	return error;
}

int difference(const struct tree *from, const struct tree *to, const struct difference_ops *ops,
	       void *data)
{
	struct comparison *cmp;
	int error;

	if (from->root == to->root)
		return 0;
	cmp = calloc(1, sizeof(*cmp));
	if (!cmp)
		return ENOMEM;
	cmp->ops = ops;
	cmp->data = data;
	error = enter(cmp, from->root, to->root);
	while (!error && cmp->depth)
		error = step(cmp);
	free(cmp->level);
	free(cmp);
	return error;
}
