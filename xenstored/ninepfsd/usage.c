/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much of a share is in use. It is counted by walking over the directory, and then kept up to
 * date by what the domain does. Others may add and remove files as well (an administrator,
 * logrotate), so before anything is refused it is counted again, but not more than once a second:
 * a guest at its limit must not keep the disk busy.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ninepfsd/share.h"

/* Files to be deleted for one request. */
#define DELETE_MAX 1024U

#define COUNT_INTERVAL 1000

struct count {
	struct share *share;
	uint64_t space, files;
	/* The oldest file that the domain does not have open. */
	struct stat oldest;
	char oldest_path[SHARE_PATH_MAX + 1];
	bool has_oldest;
	char path[SHARE_PATH_MAX + 1]; /* of the directory that is being counted */
	size_t length;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool older(const struct stat *a, const struct stat *b)
{
	if (a->st_mtim.tv_sec != b->st_mtim.tv_sec)
		return a->st_mtim.tv_sec < b->st_mtim.tv_sec;
	return a->st_mtim.tv_nsec < b->st_mtim.tv_nsec;
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
	if (!share->limits.auto_delete || (count->has_oldest && !older(file, &count->oldest)) ||
	    (share->is_open && share->is_open(share->context, file)))
		return;
	count->oldest = *file;
	count->has_oldest = true;
	memcpy(count->oldest_path, count->path, count->length + 1);
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

static void count(struct share *share, struct count *count)
{
	*count = (struct count){.share = share};
	count_directory(count, openat(share->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0);
	if (share->unnamed)
		count->space += share->unnamed(share->context);
	share->space = count->space;
	share->files = count->files;
	share->counted = now_ms();
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

int share_reserve(struct share *share, uint64_t space, uint64_t files)
{
	struct count counted;
	unsigned int deleted = 0;

	if (!share->limits.max_space && !share->limits.max_files)
		return 0;
	if (share->counted < 0)
		count(share, &counted);
	if (fits(share, space, files))
		return 0;
	if (!share->limits.auto_delete && now_ms() - share->counted < COUNT_INTERVAL)
		return -ENOSPC;
	count(share, &counted);
	/* Nothing is deleted for what could not fit into an empty directory either. */
	if (over(0, space, share->limits.max_space) || over(0, files, share->limits.max_files))
		return -ENOSPC;
	while (!fits(share, space, files) && share->limits.auto_delete && counted.has_oldest &&
	       deleted++ < DELETE_MAX) {
		if (share_remove(share, counted.oldest_path, &counted.oldest) < 0)
			break;
		count(share, &counted);
	}
	return fits(share, space, files) ? 0 : -ENOSPC;
}
