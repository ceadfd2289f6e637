/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The index of watches against a search over all of them (spec: protocol.md section 10). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state/watch.h"

#define WATCHES 60u

static const struct hash_secret secret = {8, 9};

struct entry {
	struct watch *watch;
	char path[64], token[8];
	uint64_t client_id;
	int depth;
};

static struct watch *add(struct watches *watches, uint64_t client_id, const char *text,
			 const char *token, int depth)
{
	struct path path;

	assert_int_equal(path_make(&path, text, strlen(text), 1, true, 0), 0);
	return watch_add(watches, NULL, client_id, &path, token, strlen(token), depth);
}

static void roll_path(char *out)
{
	unsigned int depth = (unsigned int)rand() % 5;

	if (rand() % 8 == 0) {
		strcpy(out, rand() % 2 ? "@releaseDomain" : "@introduceDomain");
		if (rand() % 2)
			sprintf(out + strlen(out), "/%d", rand() % 3);
		return;
	}
	strcpy(out, depth ? "" : "/");
	while (depth--)
		strcat(out, (const char *[]){"/a", "/b", "/ab"}[rand() % 3]);
}

/* Levels of @path below @top; -1: it is not below it. Written from the table of the notes. */
static int levels_below(const char *top, const char *path)
{
	size_t len = strlen(top);
	int levels = 0;

	if (!strcmp(top, path))
		return 0;
	if (!strcmp(top, "/"))
		len = 0;
	if (strncmp(top, path, len) != 0 || path[len] != '/')
		return -1;
	for (const char *at = path + len; *at; at++)
		levels += *at == '/';
	return levels;
}

static bool should_match(const struct entry *entry, const char *path, enum watch_kind kind)
{
	int below = levels_below(entry->path, path);

	switch (kind) {
	case WATCH_SUBTREE:
		return below >= 0 && (entry->depth < 0 || below <= entry->depth);
	case WATCH_EXACT:
		return below == 0;
	case WATCH_NODEPTH:
		return below == 0 && entry->depth < 0;
	case WATCH_DEPTH:
		return below == 0 || (below > 0 && entry->depth > 0 && below <= entry->depth);
	}
	return false;
}

static void check_event(const struct watches *watches, const struct entry *entries,
			const char *path, enum watch_kind kind)
{
	struct watch_matches matches = {0};
	uint64_t before = 0;
	size_t expected = 0;

	assert_int_equal(watch_match(watches, path, strlen(path), kind, &matches), 0);
	for (unsigned int i = 0; i < WATCHES; i++) {
		bool found = false;

		if (!entries[i].watch)
			continue;
		for (size_t k = 0; k < matches.count; k++)
			found |= matches.watch[k] == entries[i].watch;
		assert_int_equal(found, should_match(&entries[i], path, kind));
		expected += found;
	}
	assert_int_equal(matches.count, expected);
	for (size_t k = 0; k < matches.count; k++) {
		assert_true(matches.watch[k]->sequence > before); /* order of registration */
		before = matches.watch[k]->sequence;
	}
	watch_matches_deinit(&matches);
}

static void change(struct watches *watches, struct entry *entry)
{
	if (entry->watch) {
		watch_remove(watches, entry->watch);
		entry->watch = NULL;
		return;
	}
	roll_path(entry->path);
	sprintf(entry->token, "t%d", rand() % 4);
	entry->client_id = (uint64_t)rand() % 3;
	entry->depth = rand() % 2 ? WATCH_NO_DEPTH : rand() % 4;
	if (!watch_find(watches, entry->client_id, entry->path, strlen(entry->path), entry->token,
			strlen(entry->token)))
		entry->watch = add(watches, entry->client_id, entry->path, entry->token,
				   entry->depth);
}

static void test_matches_as_a_search_does(void **state)
{
	static struct entry entries[WATCHES];
	struct watches watches;
	size_t empty;
	char path[64];

	(void)state;
	srand(5);
	assert_int_equal(watches_init(&watches, &secret), 0);
	empty = watches.bytes;
	for (int i = 0; i < 4000; i++) {
		struct entry *entry = &entries[(unsigned int)rand() % WATCHES];

		change(&watches, entry);
		for (enum watch_kind kind = WATCH_SUBTREE; kind <= WATCH_DEPTH; kind++) {
			roll_path(path);
			check_event(&watches, entries, path, kind);
		}
		if (entry->watch)
			assert_ptr_equal(watch_find(&watches, entry->client_id, entry->path,
						    strlen(entry->path), entry->token,
						    strlen(entry->token)),
					 entry->watch);
	}
	for (unsigned int i = 0; i < WATCHES; i++)
		if (entries[i].watch)
			watch_remove(&watches, entries[i].watch);
	/* Nothing of the watched paths is left in the index. */
	assert_int_equal(watches.count, 0);
	assert_int_equal(watches.bytes, empty);
	assert_int_equal(watches.nodes.count, 0);
	watches_deinit(&watches);
}

static void test_key_of_a_watch(void **state)
{
	struct watches watches;
	struct watch *one, *two;

	(void)state;
	assert_int_equal(watches_init(&watches, &secret), 0);
	one = add(&watches, 1, "/a", "bc", WATCH_NO_DEPTH);
	two = add(&watches, 2, "/a", "bc", 3);
	assert_ptr_equal(watch_find(&watches, 1, "/a", 2, "bc", 2), one);
	assert_ptr_equal(watch_find(&watches, 2, "/a", 2, "bc", 2), two);
	assert_null(watch_find(&watches, 3, "/a", 2, "bc", 2));
	assert_null(watch_find(&watches, 1, "/a", 2, "b", 1));
	assert_null(watch_find(&watches, 1, "/ab", 3, "c", 1));
	assert_string_equal(watch_token(one), "bc");
	watch_remove(&watches, one);
	assert_null(watch_find(&watches, 1, "/a", 2, "bc", 2));
	watch_remove(&watches, two);
	watches_deinit(&watches);
}

/* The way down the index, and what stays of it when a watch in the middle goes. */
static void test_nodes_of_the_index(void **state)
{
	struct watches watches;
	struct watch *deep, *middle, *relative;

	(void)state;
	assert_int_equal(watches_init(&watches, &secret), 0);
	deep = add(&watches, 1, "/a/b/c", "t", WATCH_NO_DEPTH);
	middle = add(&watches, 1, "/a/b", "t", WATCH_NO_DEPTH);
	relative = add(&watches, 1, "data", "t", WATCH_NO_DEPTH);
	assert_string_equal(relative->text, "/local/domain/1/data");
	assert_int_equal(relative->prefix, strlen("/local/domain/1/"));
	assert_non_null(watch_node_find(&watches, "/a", 2));
	assert_null(watch_node_find(&watches, "/a/x", 4));
	assert_null(watch_node_find(&watches, "/a/b/c/d", 8));
	watch_remove(&watches, middle);
	assert_non_null(watch_node_find(&watches, "/a/b", 4));
	watch_remove(&watches, deep);
	assert_null(watch_node_find(&watches, "/a", 2));
	assert_non_null(watch_node_find(&watches, "/local/domain", 13));
	watch_remove(&watches, relative);
	watches_deinit(&watches);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matches_as_a_search_does),
		cmocka_unit_test(test_key_of_a_watch),
		cmocka_unit_test(test_nodes_of_the_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
