/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access to the files of a share. See share.h.
 */
#include "ninepfsd/share.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Resolution may be disturbed by renames; the kernel then asks to try again. */
#define RESOLVE_TRIES 16

/* However little space there may be. */
#define SHARE_FILES_MIN 16U

/* An open below the directory @at, or -errno. */
static int open_beneath(int at, const char *path, int flags, unsigned int mode)
{
	struct open_how how = {
		.flags = (unsigned int)(flags | O_CLOEXEC),
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_XDEV,
	};

	for (int i = 0; i < RESOLVE_TRIES; i++) {
		long fd = syscall(SYS_openat2, at, *path ? path : ".", &how, sizeof(how));

		if (fd >= 0)
			return (int)fd;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return -EAGAIN;
}

/* Makes each directory on the way to @directory, and it. */
static int make_directories(const char *directory)
{
	char path[4096];
	size_t length = strlen(directory);

	if (directory[0] != '/' || length >= sizeof(path))
		return -EINVAL;
	memcpy(path, directory, length + 1);
	for (size_t i = 1; i <= length; i++) {
		if (path[i] != '/' && path[i])
			continue;
		path[i] = '\0';
		if (mkdir(path, i == length ? 0700 : 0755) < 0 && errno != EEXIST)
			return -errno;
		path[i] = i == length ? '\0' : '/';
	}
	return 0;
}

int share_init(struct share *share, const char *directory, const struct share_limits *limits)
{
	int error = make_directories(directory);
	struct stat stat;

	*share = (struct share){.root = -1, .limits = *limits, .counted = -1};
	if (!share->limits.max_open)
		share->limits.max_open = SHARE_OPEN_DEFAULT;
	if (share->limits.max_open > SHARE_OPEN_MAX)
		share->limits.max_open = SHARE_OPEN_MAX;
	if (!share->limits.max_files && share->limits.max_space)
		share->limits.max_files = share->limits.max_space / SHARE_FILE_SPACE +
					  SHARE_FILES_MIN;
	if (error < 0)
		return error;
	share->root = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (share->root < 0 || fstat(share->root, &stat) < 0)
		return -errno;
	share->device = stat.st_dev;
	return 0;
}

void share_deinit(struct share *share)
{
	if (share->root >= 0)
		close(share->root);
	share->root = -1;
	oldest_deinit(&share->oldest);
}

bool share_name_ok(const char *name, size_t length)
{
	if (length == 0 || length > SHARE_NAME_MAX || memchr(name, '\0', length) ||
	    memchr(name, '/', length))
		return false;
	return !(name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.')));
}

int share_find(const struct share *share, const char *path, struct stat *stat)
{
	int fd = open_beneath(share->root, path, O_PATH, 0);

	if (fd < 0)
		return fd;
	if (fstat(fd, stat) == 0 && (S_ISREG(stat->st_mode) || S_ISDIR(stat->st_mode)))
		return fd;
	close(fd);
	return -EACCES;
}

int share_reopen(int found, int flags)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", found);
	fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

mode_t share_mode(unsigned int mode, bool directory)
{
	return directory ? (mode & 0750) | 0700 : mode & 0640;
}

/* The directory in which something is to be made, and its permissions. */
static int find_directory(const struct share *share, const char *path, struct stat *stat)
{
	int fd = share_find(share, path, stat);

	if (fd >= 0 && !S_ISDIR(stat->st_mode)) {
		close(fd);
		return -ENOTDIR;
	}
	return fd;
}

/* Takes a new name in the directory @at into account: 0, -EEXIST, -ENOSPC. */
static int reserve_name(struct share *share, int at, const char *name)
{
	/* Nothing is removed to make room for what will not be made. */
	if (faccessat(at, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	return share_reserve(share, 0, 1);
}

int share_create(struct share *share, const char *directory, const char *name, int flags,
		 unsigned int mode)
{
	struct stat stat;
	int at = find_directory(share, directory, &stat), fd;

	if (at < 0)
		return at;
	fd = reserve_name(share, at, name);
	if (fd == 0)
		fd = open_beneath(at, name, flags | O_CREAT | O_EXCL | O_NONBLOCK | O_NOCTTY,
				  share_mode(mode & stat.st_mode, false));
	close(at);
	share->files += fd >= 0;
	return fd;
}

int share_mkdir(struct share *share, const char *directory, const char *name, unsigned int mode)
{
	struct stat stat;
	int at = find_directory(share, directory, &stat), fd;

	if (at < 0)
		return at;
	fd = reserve_name(share, at, name);
	if (fd == 0 && mkdirat(at, name, share_mode(mode & stat.st_mode, true)) < 0)
		fd = -errno;
	if (fd == 0) {
		share->files++;
		fd = open_beneath(at, name, O_RDONLY | O_DIRECTORY, 0);
	}
	close(at);
	return fd;
}

void share_freed(struct share *share, uint64_t space)
{
	share->space -= space < share->space ? space : share->space;
}

int share_remove(struct share *share, const char *path, const struct stat *expected)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char directory[SHARE_PATH_MAX + 1] = "";
	struct stat parent, now;
	int at, error = 0;

	if (!*path)
		return -EBUSY;
	if (slash)
		memcpy(directory, path, (size_t)(slash - path));
	at = find_directory(share, directory, &parent);
	if (at < 0)
		return at;
	if (fstatat(at, name, &now, AT_SYMLINK_NOFOLLOW) < 0)
		error = -errno;
	else if (now.st_ino != expected->st_ino || now.st_dev != expected->st_dev)
		error = -ENOENT;
	else if (unlinkat(at, name, S_ISDIR(now.st_mode) ? AT_REMOVEDIR : 0) < 0)
		error = -errno;
	close(at);
	if (error)
		return error;
	if (share->files)
		share->files--;
	/* As long as it is open it keeps its space. */
	if (S_ISREG(now.st_mode) && !(share->is_open && share->is_open(share->context, &now)))
		share_freed(share, (uint64_t)now.st_size);
	return 0;
}

/* Takes a change of a file's length into account. */
static void account(struct share *share, int fd, uint64_t before)
{
	struct stat stat;

	if (fstat(fd, &stat) < 0)
		return;
	share->space += (uint64_t)stat.st_size;
	share_freed(share, before);
}

/* Asks for what the file would grow. @before: its length now. */
static int reserve_growth(struct share *share, int fd, uint64_t end, uint64_t *before)
{
	struct stat stat;

	if (end > INT64_MAX)
		return -EFBIG;
	if (fstat(fd, &stat) < 0)
		return -errno;
	*before = (uint64_t)stat.st_size;
	return end > *before ? share_reserve(share, end - *before, 0) : 0;
}

ssize_t share_write(struct share *share, int fd, const void *bytes, size_t length, uint64_t offset,
		    bool at_end)
{
	uint64_t before;
	struct stat stat;
	ssize_t done;
	int error;

	if (at_end && fstat(fd, &stat) == 0)
		offset = (uint64_t)stat.st_size;
	if (offset > INT64_MAX - length)
		return -EFBIG;
	if (length == 0)
		return 0;
	error = reserve_growth(share, fd, offset + length, &before);
	if (error < 0)
		return error;
	do {
		done = pwrite(fd, bytes, length, (off_t)offset);
	} while (done < 0 && errno == EINTR);
	if (done < 0)
		return -errno;
	account(share, fd, before);
	return done;
}

int share_truncate(struct share *share, int fd, uint64_t length)
{
	uint64_t before;
	int error = reserve_growth(share, fd, length, &before);

	if (error < 0)
		return error;
	if (ftruncate(fd, (off_t)length) < 0)
		return -errno;
	account(share, fd, before);
	return 0;
}
