/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An open-addressed hash set of texts that stand in an image. */
#include "liveupdate/stream-paths.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes/path.h"

/* What an entry's first word is made of; the rest are bits of the hash. */
#define OFFSET_BITS 40
#define LENGTH_BITS 13
#define PLACE_BITS  (OFFSET_BITS + LENGTH_BITS)
#define OFFSET_MASK ((1ull << OFFSET_BITS) - 1)
#define LENGTH_MASK ((1ull << LENGTH_BITS) - 1)
#define PLACE_MASK  ((1ull << PLACE_BITS) - 1)

_Static_assert(PATH_SIZE <= LENGTH_MASK, "the length of a path has to fit");

static const char *entry_text(const struct stream_path_entry *entry, const uint8_t *image)
{
	return (const char *)image + (entry->where & OFFSET_MASK);
}

static size_t entry_len(const struct stream_path_entry *entry)
{
	return (entry->where >> OFFSET_BITS) & LENGTH_MASK;
}

static bool is_entry(const struct stream_path_entry *entry, const uint8_t *image, const char *path,
		     size_t len, uint64_t hash)
{
	return (entry->where ^ hash) >> PLACE_BITS == 0 && entry_len(entry) == len &&
	       !memcmp(entry_text(entry, image), path, len);
}

static struct stream_path_entry *find(const struct stream_paths *paths, const uint8_t *image,
				      const char *path, size_t len, uint64_t hash)
{
	if (!paths->slots)
		return NULL;
	for (size_t slot = hash & paths->mask; paths->slots[slot];
	     slot = (slot + 1) & paths->mask) {
		struct stream_path_entry *entry = &paths->entry[paths->slots[slot] - 1];

		if (is_entry(entry, image, path, len, hash))
			return entry;
	}
	return NULL;
}

static uint64_t hash_of(const struct stream_paths *paths, const char *path, size_t len)
{
	return hash_bytes(paths->secret, 0, path, len);
}

enum stream_presence stream_paths_state(const struct stream_paths *paths, const uint8_t *image,
					const char *path, size_t len)
{
	struct stream_path_entry *entry = find(paths, image, path, len, hash_of(paths, path, len));
	uint32_t set = entry ? entry->set : 0, removed = entry ? entry->removed : 0;

	/* Ancestors matter only if something was removed since. */
	while (paths->last_removal > set && (len = path_parent_len(path, len)) > 0) {
		entry = find(paths, image, path, len, hash_of(paths, path, len));
		if (entry && entry->removed > removed)
			removed = entry->removed;
		if (path_is_root(path, len))
			break;
	}
	if (set > removed)
		return STREAM_PRESENT;
	return removed ? STREAM_ABSENT : STREAM_UNKNOWN;
}

static void place(struct stream_paths *paths, uint64_t hash, uint32_t number)
{
	size_t slot = hash & paths->mask;

	while (paths->slots[slot])
		slot = (slot + 1) & paths->mask;
	paths->slots[slot] = number;
}

static int grow(struct stream_paths *paths, const uint8_t *image)
{
	size_t room = paths->room ? paths->room * 2 : 64;
	struct stream_path_entry *entry;
	uint32_t *slots;

	if (room > UINT32_MAX / 2)
		return ENOMEM;
	entry = realloc(paths->entry, room * sizeof(*entry));
	if (!entry)
		return ENOMEM;
	paths->entry = entry;
	slots = calloc(room * 2, sizeof(*slots));
	if (!slots)
		return ENOMEM;
	free(paths->slots);
	paths->slots = slots;
	paths->mask = room * 2 - 1;
	paths->room = room;
	for (size_t i = 0; i < paths->count; i++)
		place(paths, hash_of(paths, entry_text(&entry[i], image), entry_len(&entry[i])),
		      (uint32_t)i + 1);
	return 0;
}

static struct stream_path_entry *find_or_add(struct stream_paths *paths, const uint8_t *image,
					     const char *path, size_t len)
{
	uint64_t hash = hash_of(paths, path, len), offset;
	struct stream_path_entry *entry = find(paths, image, path, len, hash);

	if (entry)
		return entry;
	if (paths->count == paths->room && grow(paths, image))
		return NULL;
	offset = (uint64_t)((const uint8_t *)path - image);
	if (offset > OFFSET_MASK || len > LENGTH_MASK)
		return NULL;
	entry = &paths->entry[paths->count++];
	*entry = (struct stream_path_entry){.where = (hash & ~PLACE_MASK) |
						     (uint64_t)len << OFFSET_BITS | offset};
	place(paths, hash, (uint32_t)paths->count);
	return entry;
}

int stream_paths_set(struct stream_paths *paths, const uint8_t *image, const char *path, size_t len)
{
	struct stream_path_entry *entry = find_or_add(paths, image, path, len);

	if (!entry)
		return ENOMEM;
	entry->set = ++paths->now;
	return 0;
}

int stream_paths_remove(struct stream_paths *paths, const uint8_t *image, const char *path,
			size_t len)
{
	struct stream_path_entry *entry = find_or_add(paths, image, path, len);

	if (!entry)
		return ENOMEM;
	entry->removed = ++paths->now;
	paths->last_removal = paths->now;
	return 0;
}

void stream_paths_deinit(struct stream_paths *paths)
{
	free(paths->entry);
	free(paths->slots);
	*paths = (struct stream_paths){.secret = paths->secret};
}
