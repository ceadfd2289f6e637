/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much of a share is in use. It is counted by walking over the directory, and then kept up to
 * date by what the domain does. Others may add and remove files as well (an administrator,
 * logrotate), so before anything is refused or removed it is counted again, but not more than once
 * a second, nor for more than a part of the time: a guest at its limit must not keep the disk busy.
 *
 * The scan that counts notes the oldest files as well. Removing them to make room costs no further
 * scan until they are used up; then there may be another one at once if the domain has asked often
 * enough since. So the work grows with the requests, not with their product with what is there.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ninepfsd/share.h"

/* Files to be removed for one request. */
#define REMOVE_MAX 1024U

/* Milliseconds between two scans, and how many times longer that is than the last one took. */
#define COUNT_INTERVAL 1000
#define COUNT_REST     10

/* A request of the domain pays for looking at this many entries. */
#define ENTRIES_PER_REQUEST 64U

struct count {
	struct share *share;
	uint64_t space, files, fixed;
	char path[SHARE_PATH_MAX + 1]; /* of the directory that is being counted */
	size_t length;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Appends a name to the path; false: too long. */
static bool enter(struct count *count, const char *name)
{
	size_t length = strlen(name), slash = count->length ? 1 : 0;

	if (count->length + slash + length > SHARE_PATH_MAX)
		return false;
	if (slash)
		count->path[count->length] = '/';
	memcpy(count->path + count->length + slash, name, length + 1);
	count->length += slash + length;
	return true;
}

static void note_file(struct count *count, const struct stat *file)
{
	struct share *share = count->share;

	count->space += (uint64_t)file->st_size;
	if (share->limits.auto_delete)
		oldest_note(&share->oldest, count->path, count->length, file);
}

/* Counts what is in the directory @at, which is closed. */
static void count_directory(struct count *count, int at, unsigned int depth)
{
	DIR *directory = at < 0 ? NULL : fdopendir(at);
	struct dirent *entry;
	size_t length = count->length;

	if (!directory) {
		if (at >= 0)
			close(at);
		return;
	}
	while ((entry = readdir(directory))) {
		struct stat stat;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
		    fstatat(dirfd(directory), entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		count->files++;
		count->fixed += !S_ISREG(stat.st_mode);
		if (!enter(count, entry->d_name))
			continue;
		if (S_ISREG(stat.st_mode))
			note_file(count, &stat);
		else if (S_ISDIR(stat.st_mode) && depth < SHARE_DEPTH_MAX &&
			 stat.st_dev == count->share->device)
			count_directory(count,
					openat(dirfd(directory), entry->d_name,
					       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
					depth + 1);
		count->length = length;
		count->path[length] = '\0';
	}
	closedir(directory);
}

static void count_all(struct share *share)
{
	struct count count = {.share = share};
	struct share_held held = {0};
	int64_t begin = now_ms();

	oldest_clear(&share->oldest);
	count_directory(&count, openat(share->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0);
	oldest_sort(&share->oldest);
	if (share->held)
		share->held(share->context, &held);
	share->space = count.space + held.unnamed;
	share->files = count.files;
	share->fixed = count.fixed;
	share->looked += count.files;
	share->asked = 0;
	share->counted = now_ms();
	share->rest = (share->counted - begin) * COUNT_REST;
	if (share->rest < COUNT_INTERVAL)
		share->rest = COUNT_INTERVAL;
}

/* Whether the disk may be looked over now. */
static bool may_count(const struct share *share)
{
	return share->counted < 0 || now_ms() - share->counted >= share->rest;
}

/* Whether it may be so at once, because that was paid for. */
static bool may_count_at_once(const struct share *share)
{
	return share->limits.auto_delete && share->asked >= share->files / ENTRIES_PER_REQUEST;
}

static bool over(uint64_t used, uint64_t more, uint64_t limit)
{
	return limit && more && (more > limit || used > limit - more);
}

static bool fits(const struct share *share, uint64_t space, uint64_t files)
{
	return !over(share->space, space, share->limits.max_space) &&
	       !over(share->files, files, share->limits.max_files);
}

/* Whether it would fit if everything were removed that may be. */
static bool could_fit(const struct share *share, uint64_t space, uint64_t files)
{
	struct share_held held = {0};

	if (share->held)
		share->held(share->context, &held);
	return !over(held.space, space, share->limits.max_space) &&
	       !over(share->fixed + held.files, files, share->limits.max_files);
}

/* Removes a file if nobody has used it since it was found. */
static bool remove_old(struct share *share, const struct oldest_file *file)
{
	struct stat stat;
	int found = share_find(share, file->path, &stat);

	if (found < 0)
		return false;
	close(found);
	if (!S_ISREG(stat.st_mode) || stat.st_ino != file->inode ||
	    stat.st_mtim.tv_sec != file->changed.tv_sec ||
	    stat.st_mtim.tv_nsec != file->changed.tv_nsec ||
	    (share->is_open && share->is_open(share->context, &stat)))
		return false;
	return share_remove(share, file->path, &stat) == 0;
}

/* Removes the oldest files that are known until there is room. False: there is not. */
static bool make_room(struct share *share, uint64_t space, uint64_t files)
{
	const struct oldest_file *file;
	unsigned int removed = 0;

	if (!share->limits.auto_delete || !could_fit(share, space, files))
		return false;
	while (!fits(share, space, files) && removed < REMOVE_MAX &&
	       (file = oldest_take(&share->oldest)))
		removed += remove_old(share, file);
	return fits(share, space, files);
}

int share_reserve(struct share *share, uint64_t space, uint64_t files)
{
	if (!share->limits.max_space && !share->limits.max_files)
		return 0;
	share->asked++;
	if (share->counted < 0)
		count_all(share);
	if (fits(share, space, files))
		return 0;
	if (may_count(share))
		count_all(share);
	if (fits(share, space, files) || make_room(share, space, files))
		return 0;
	if (!may_count_at_once(share))
		return -ENOSPC;
	count_all(share);
	return fits(share, space, files) || make_room(share, space, files) ? 0 : -ENOSPC;
}
