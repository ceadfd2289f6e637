/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * While the scan goes on, the list is a heap with the newest on top, which is what has to go when
 * an older one comes and there is no room. See oldest.h.
 */
#include "ninepfsd/oldest.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int compare_times(const struct timespec *a, const struct timespec *b)
{
	if (a->tv_sec != b->tv_sec)
		return a->tv_sec < b->tv_sec ? -1 : 1;
	return (a->tv_nsec > b->tv_nsec) - (a->tv_nsec < b->tv_nsec);
}

static int compare(const void *a, const void *b)
{
	return compare_times(&((const struct oldest_file *)a)->changed,
			     &((const struct oldest_file *)b)->changed);
}

static bool newer(const struct oldest_file *a, const struct oldest_file *b)
{
	return compare(a, b) > 0;
}

static void swap(struct oldest_file *a, struct oldest_file *b)
{
	struct oldest_file other = *a;

	*a = *b;
	*b = other;
}

static void move_up(struct oldest *oldest, size_t at)
{
	for (; at > 0 && newer(&oldest->files[at], &oldest->files[(at - 1) / 2]); at = (at - 1) / 2)
		swap(&oldest->files[at], &oldest->files[(at - 1) / 2]);
}

static void move_down(struct oldest *oldest)
{
	for (size_t at = 0, child = 1; child < oldest->count; at = child, child = 2 * at + 1) {
		if (child + 1 < oldest->count &&
		    newer(&oldest->files[child + 1], &oldest->files[child]))
			child++;
		if (!newer(&oldest->files[child], &oldest->files[at]))
			return;
		swap(&oldest->files[child], &oldest->files[at]);
	}
}

void oldest_note(struct oldest *oldest, const char *path, size_t length, const struct stat *file)
{
	struct oldest_file note = {.changed = file->st_mtim, .inode = file->st_ino};
	bool full = oldest->count == OLDEST_MAX;

	if (!oldest->files)
		oldest->files = calloc(OLDEST_MAX, sizeof(*oldest->files));
	if (!oldest->files || (full && !newer(&oldest->files[0], &note)))
		return;
	note.path = strndup(path, length);
	if (!note.path)
		return;
	if (full) {
		free(oldest->files[0].path);
		oldest->files[0] = note;
		move_down(oldest);
	} else {
		oldest->files[oldest->count] = note;
		move_up(oldest, oldest->count++);
	}
}

void oldest_sort(struct oldest *oldest)
{
	if (oldest->count)
		qsort(oldest->files, oldest->count, sizeof(*oldest->files), compare);
	oldest->next = 0;
}

const struct oldest_file *oldest_take(struct oldest *oldest)
{
	return oldest->next < oldest->count ? &oldest->files[oldest->next++] : NULL;
}

void oldest_clear(struct oldest *oldest)
{
	for (size_t i = 0; i < oldest->count; i++)
		free(oldest->files[i].path);
	oldest->count = oldest->next = 0;
}

void oldest_deinit(struct oldest *oldest)
{
	oldest_clear(oldest);
	free(oldest->files);
	*oldest = (struct oldest){0};
}
