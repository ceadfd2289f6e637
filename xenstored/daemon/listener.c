/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The server socket: find out who is there, then make our own, all under the directory's lock. */
#include "daemon/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Others hold the lock for a few system calls; after this long something else is wrong. */
#define LOCK_ATTEMPTS	 1000
#define LOCK_INTERVAL_NS 10000000L

__attribute__((format(printf, 3, 4))) static int fail(struct listener *listener, int ret,
						      const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(listener->error, sizeof(listener->error), format, args);
	va_end(args);
	return ret;
}

static int fail_errno(struct listener *listener, int err, const char *what, const char *path)
{
	return fail(listener, -err, "%s %s: %s", what, path, strerror(err));
}

/* Opens and locks the directory that holds @path. Closing the descriptor unlocks it. */
static int lock_directory(struct listener *listener, const char *path)
{
	const struct timespec interval = {.tv_nsec = LOCK_INTERVAL_NS};
	char directory[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *slash;
	int fd;

	snprintf(directory, sizeof(directory), "%s", path);
	slash = strrchr(directory, '/');
	if (!slash)
		snprintf(directory, sizeof(directory), ".");
	else
		slash[slash == directory ? 1 : 0] = '\0';

	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(listener, errno, "cannot open directory", directory);
	for (int i = 0; i < LOCK_ATTEMPTS; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return fd;
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK) {
			int err = errno;

			close(fd);
			return fail_errno(listener, err, "cannot lock directory", directory);
		}
		nanosleep(&interval, NULL);
	}
	close(fd);
	return fail(listener, -EBUSY, "directory %s stays locked by another process", directory);
}

/*
 * Whether somebody answers at @address: 1 yes, 0 no, or a negative errno when that cannot be
 * told. Does not wait: a full queue is an answer as well.
 */
static int somebody_listens(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	while (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0) {
		err = errno;
		if (err != EINTR)
			break;
		err = 0;
	}
	close(fd);
	switch (err) {
	case 0:
	case EAGAIN:
	case EINPROGRESS:
	case EPROTOTYPE: /* bound by somebody, as another type of socket */
		return 1;
	case ECONNREFUSED:
	case ENOENT:
		return 0;
	default:
		return -err;
	}
}

static int clear_the_way(struct listener *listener, const struct sockaddr_un *address)
{
	const char *path = address->sun_path;
	struct stat st;
	int ret;

	if (lstat(path, &st) < 0) {
		if (errno == ENOENT)
			return LISTENER_OK;
		return fail_errno(listener, errno, "cannot look at", path);
	}
	if (!S_ISSOCK(st.st_mode))
		return fail(listener, -EEXIST, "%s exists and is not a socket", path);

	ret = somebody_listens(address);
	if (ret < 0)
		return fail_errno(listener, -ret, "cannot probe socket", path);
	if (ret > 0)
		return fail(listener, LISTENER_RUNNING, "another process already serves on %s",
			    path);
	if (unlink(path) < 0 && errno != ENOENT)
		return fail_errno(listener, errno, "cannot remove old socket", path);
	return LISTENER_OK;
}

static int create(struct listener *listener, const struct sockaddr_un *address)
{
	const char *path = address->sun_path;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int ret;

	if (fd < 0)
		return fail_errno(listener, errno, "cannot create socket for", path);
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0) {
		ret = fail_errno(listener, errno, "cannot bind socket to", path);
	} else if (chmod(path, 0600) < 0) {
		ret = fail_errno(listener, errno, "cannot restrict access to socket", path);
		unlink(path);
	} else if (listen(fd, SOMAXCONN) < 0) {
		/* Nobody could connect so far, so the mode was right before it mattered. */
		ret = fail_errno(listener, errno, "cannot listen on socket", path);
		unlink(path);
	} else {
		listener->fd = fd;
		return LISTENER_OK;
	}
	close(fd);
	return ret;
}

int listener_open(struct listener *listener, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int lock, ret;

	listener->fd = -1;
	listener->error[0] = '\0';
	if (!*path)
		return fail(listener, -ENOENT, "the path of the socket is empty");
	if (strlen(path) >= sizeof(address.sun_path))
		return fail(listener, -ENAMETOOLONG,
			    "socket path of %zu bytes is too long (at most %zu): %.200s",
			    strlen(path), sizeof(address.sun_path) - 1, path);
	memcpy(address.sun_path, path, strlen(path));

	lock = lock_directory(listener, path);
	if (lock < 0)
		return lock;
	ret = clear_the_way(listener, &address);
	if (ret == LISTENER_OK)
		ret = create(listener, &address);
	close(lock);
	return ret;
}

int listener_adopt(struct listener *listener, int fd)
{
	socklen_t length = sizeof(int);
	int listening = 0, flags;

	listener->fd = -1;
	listener->error[0] = '\0';
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) < 0)
		return fail(listener, -errno, "descriptor %d is not a socket", fd);
	if (!listening)
		return fail(listener, -EINVAL, "descriptor %d does not listen", fd);
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return fail(listener, -errno, "cannot set flags of descriptor %d", fd);
	/* The former image may have been content with a short queue. */
	if (listen(fd, SOMAXCONN) < 0)
		return fail(listener, -errno, "cannot listen on descriptor %d", fd);
	listener->fd = fd;
	return LISTENER_OK;
}

void listener_close(struct listener *listener)
{
	if (listener->fd >= 0)
		close(listener->fd);
	listener->fd = -1;
}
