/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which nodes there are after so many records: a set of paths.
 *
 * It does not copy paths but remembers where in the image they stand, so a
 * million nodes take 24 MB. Setting and removing are numbered: a node is there
 * if it was set later than it or any of its ancestors was removed, so removing
 * a subtree is one entry. A set can be laid over another one, for a transaction:
 * what it knows nothing about is as it is below.
 */
#ifndef LIVEUPDATE_STREAM_PATHS_H
#define LIVEUPDATE_STREAM_PATHS_H

#include <stddef.h>
#include <stdint.h>

#include "bytes/hash.h"

struct stream_path_entry {
	uint64_t where;	       /* offset and length of the text, and some bits of the hash */
	uint32_t set, removed; /* when last, 0 = never */
};

/* Starts as all zero, but for the secret. */
struct stream_paths {
	const struct hash_secret *secret;
	struct stream_path_entry *entry;
	uint32_t *slots; /* 1 + index of the entry */
	size_t count, room, mask;
	uint32_t now, last_removal;
};

enum stream_presence { STREAM_UNKNOWN, STREAM_PRESENT, STREAM_ABSENT };

/** What the set knows of @path. @image: what the offsets refer to. */
enum stream_presence stream_paths_state(const struct stream_paths *paths, const uint8_t *image,
					const char *path, size_t len);

/** The node at @path, which stands in @image, is there now. Returns 0 or ENOMEM. */
int stream_paths_set(struct stream_paths *paths, const uint8_t *image, const char *path,
		     size_t len);

/** It is gone, with all below. Returns 0 or ENOMEM. */
int stream_paths_remove(struct stream_paths *paths, const uint8_t *image, const char *path,
			size_t len);

void stream_paths_deinit(struct stream_paths *paths);

#endif
