/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How two images differ: nodes by their paths, everything else by its line in
 * the output of show. What only the first image has is marked with "-", what
 * only the second one has with "+".
 */
#include "liveupdate/tool/model.h"

#include <stdlib.h>
#include <string.h>

static bool same_content(const struct tree_node *a, const struct tree_node *b)
{
	return a->value_len == b->value_len && a->perm_count == b->perm_count &&
	       !memcmp(a->value, b->value, a->value_len) &&
	       !memcmp(a->perms, b->perms, a->perm_count * sizeof(*a->perms));
}

/* Whether children that both have come in the same order. */
static bool same_order(const struct model *in_a, const struct tree_node *a,
		       const struct model *in_b, const struct tree_node *b)
{
	const struct tree_node *x = a->first, *y = b->first;

	for (;;) {
		while (x && !model_find(in_b, x->path, x->path_len))
			x = x->next;
		while (y && !model_find(in_a, y->path, y->path_len))
			y = y->next;
		if (!x || !y)
			return true;
		if (x->path_len != y->path_len || memcmp(x->path, y->path, x->path_len) != 0)
			return false;
		x = x->next;
		y = y->next;
	}
}

static void print_node(char mark, const struct tree_node *node)
{
	struct stream_record record = {.type = STREAM_NODE,
				       .node = {.path = node->path,
						.path_len = (uint16_t)node->path_len,
						.value = node->value,
						.value_len = node->value_len,
						.perms = node->perms,
						.perm_count = node->perm_count}};

	putchar(mark);
	putchar(' ');
	show_record(stdout, false, false, &record);
}

static bool diff_nodes(const struct model *a, const struct model *b)
{
	const struct tree_node *node = &a->tops;
	bool differ = false;

	while ((node = model_next(&a->tops, node))) {
		const struct tree_node *other = model_find(b, node->path, node->path_len);

		if (other && same_content(node, other)) {
			if (same_order(a, node, b, other))
				continue;
			printf("! children of %s are in another order\n", node->path);
			differ = true;
			continue;
		}
		differ = true;
		print_node('-', node);
		if (other)
			print_node('+', other);
	}
	node = &b->tops;
	while ((node = model_next(&b->tops, node))) {
		if (model_find(a, node->path, node->path_len))
			continue;
		differ = true;
		print_node('+', node);
	}
	return differ;
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of all records that are not nodes, sorted. */
static struct pointers lines_of(const struct tool_file *file)
{
	struct stream_reader reader;
	struct stream_record record;
	struct stream_error error;
	struct pointers lines = {0};

	if (stream_reader_init(&reader, file->data, file->size, &error))
		tool_fail("%s: %s", file->name, error.text);
	while (stream_next(&reader, &record, &error) == STREAM_RECORD) {
		char *text = NULL;
		size_t len = 0;
		FILE *out;

		if (record.type == STREAM_NODE || record.type == STREAM_DELTA ||
		    record.type == STREAM_PERMS)
			continue;
		/* A form that was repaired is no difference. */
		record.odd = 0;
		out = open_memstream(&text, &len);
		if (!out)
			tool_fail("out of memory");
		show_record(out, false, false, &record);
		if (fclose(out))
			tool_fail("out of memory");
		pointers_add(&lines, tool_copy(text, len));
		free(text);
	}
	if (lines.count)
		qsort(lines.item, lines.count, sizeof(*lines.item), compare_lines);
	return lines;
}

static bool diff_lines(const struct tool_file *a, const struct tool_file *b)
{
	struct pointers x = lines_of(a), y = lines_of(b);
	bool differ = false;

	for (size_t i = 0, k = 0; i < x.count || k < y.count;) {
		int order = i == x.count ? 1 : k == y.count ? -1 : strcmp(x.item[i], y.item[k]);

		if (order < 0)
			printf("- %s", (const char *)x.item[i]);
		else if (order > 0)
			printf("+ %s", (const char *)y.item[k]);
		differ = differ || order;
		i += order <= 0;
		k += order >= 0;
	}
	return differ;
}

int command_diff(const struct tool_options *options, char **args)
{
	struct stream_problem problem[20];
	struct stream_report report = {.problem = problem, .room = 20};
	struct tool_file file[2];
	struct model model[2];
	bool differ;

	(void)options;
	for (int i = 0; i < 2; i++) {
		tool_read(&file[i], args[i]);
		tool_require(&file[i], &report);
		model_load(&model[i], &file[i]);
	}
	differ = diff_lines(&file[0], &file[1]);
	differ = diff_nodes(&model[0], &model[1]) || differ;
	model_deinit(&model[0]);
	model_deinit(&model[1]);
	return differ ? EXIT_WRONG : EXIT_FINE;
}
