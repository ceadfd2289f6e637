/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pid file. Content is only ever written under the lock, so that a second daemon that is
 * turned away has not harmed the first one's file.
 */
#include "daemon/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Attempts before a file whose lock or name changes hands all the time counts as locked. */
#define ATTEMPTS 100

static int lock(struct pidfile *pidfile, int fd)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		struct flock request = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

		if (fcntl(fd, F_SETLK, &request) == 0)
			return PIDFILE_OK;
		if (errno == EINTR)
			continue;
		if (errno != EACCES && errno != EAGAIN)
			return -errno;

		request = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
		if (fcntl(fd, F_GETLK, &request) < 0)
			return -errno;
		if (request.l_type != F_UNLCK) {
			/* A holder outside of our pid namespace has no number here. */
			pidfile->holder = request.l_pid > 0 ? request.l_pid : 0;
			return PIDFILE_LOCKED;
		}
		/* Gone between the two calls: the lock is free now. */
	}
	return PIDFILE_LOCKED;
}

static int write_pid(int fd)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	ssize_t written;

	do {
		written = pwrite(fd, text, (size_t)length, 0);
	} while (written < 0 && errno == EINTR);
	if (written < 0)
		return -errno;
	if (written != length)
		return -ENOSPC;
	/* Shortened last: a reader never finds the file empty once there was a pid in it. */
	if (ftruncate(fd, length) < 0)
		return -errno;
	return 0;
}

/* Whether @path still names the file that @fd has open; else the lock protects nothing. */
static bool still_named(const char *path, int fd)
{
	struct stat named, opened;

	return stat(path, &named) == 0 && fstat(fd, &opened) == 0 &&
	       named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

int pidfile_adopt(struct pidfile *pidfile, int fd)
{
	int ret;

	pidfile->holder = 0;
	ret = lock(pidfile, fd);
	if (ret)
		return ret;
	ret = write_pid(fd);
	if (ret)
		return ret;
	/* It was inheritable for the exec that brought it here. */
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	pidfile->fd = fd;
	return PIDFILE_OK;
}

int pidfile_open(struct pidfile *pidfile, const char *path)
{
	pidfile->fd = -1;
	pidfile->holder = 0;

	for (int i = 0; i < ATTEMPTS; i++) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
		int ret;

		if (fd < 0)
			return -errno;
		ret = pidfile_adopt(pidfile, fd);
		if (ret) {
			close(fd);
			return ret;
		}
		if (still_named(path, fd))
			return PIDFILE_OK;
		/* Removed or replaced before we had the lock: try the new file. */
		pidfile_close(pidfile);
	}
	return -EBUSY;
}

void pidfile_close(struct pidfile *pidfile)
{
	if (pidfile->fd >= 0)
		close(pidfile->fd);
	pidfile->fd = -1;
}
