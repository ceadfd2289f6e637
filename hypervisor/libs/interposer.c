/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into processes of a simulated host: the files that Linux has on Xen
 * are opened here instead, and nothing else is touched. A file is
 *
 *   /proc/xen/capabilities, xsd_port   text, made up in memory
 *   /proc/xen/xsd_kva                  the machine's memory, which begins with the
 *   /dev/xen/xenbus_backend            ring page of domain 0
 *   /dev/xen/privcmd                   nothing, but it can be opened
 *
 * munmap() is watched for pages mapped by frame number, which the host counts.
 *
 * With SIMXEN_RUNDIR set, the directories of a real host's daemons that are
 * compiled into many programs (below /run and /var/log) are replaced by that one,
 * and two things are smoothed that would bring old daemons down: see setrlimit()
 * and read().
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "client.h"
#include "foreign.h"

#define CONTROL_DOMAIN "control_d\n"

/* Finds the real function behind one of ours. */
static void *next(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	if (!function)
		abort();
	return function;
}

/* The function behind ours, with its type; looked up once for each place of use. */
#define NEXT(function)                                                                             \
	(__extension__({                                                                           \
		static __typeof__(&function) found;                                                \
                                                                                                   \
		if (!found)                                                                        \
			found = (__typeof__(&function))next(#function);                            \
		found;                                                                             \
	}))

/* ---- the files of Xen ---- */

static int fail(int error)
{
	errno = -error;
	return -1;
}

/* A descriptor of the machine's memory that stands on its own. */
static int open_memory(int flags)
{
	struct simxen_client *client;
	char path[32];
	int fd, error = simxen_client_open(&client);

	if (error < 0)
		return fail(error);
	error = simxen_client_memory(client);
	if (error >= 0) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", error);
		fd = NEXT(open)(path, (flags & O_CLOEXEC) | O_RDWR);
		error = fd < 0 ? -errno : fd;
	}
	simxen_client_free(client);
	return error < 0 ? fail(error) : error;
}

static int open_text(const char *text, int flags)
{
	int fd = memfd_create("proc-xen", (flags & O_CLOEXEC) ? MFD_CLOEXEC : 0);
	size_t length = strlen(text);

	if (fd >= 0 &&
	    (write(fd, text, length) != (ssize_t)length || lseek(fd, 0, SEEK_SET) != 0)) {
		close(fd);
		return fail(-EIO);
	}
	return fd;
}

/* As the kernel gives it: without a newline. */
static int open_port(int flags)
{
	struct simxen_client *client;
	char text[16];
	int port, error = simxen_client_open(&client);

	if (error < 0)
		return fail(error);
	port = simxen_client_ask(client, SIMXEN_STORE_PORT, simxen_own_domid(), 0, 0);
	simxen_client_free(client);
	if (port < 0)
		return fail(port);
	snprintf(text, sizeof(text), "%d", port);
	return open_text(text, flags);
}

/* Opens path if it is one of Xen's. *handled tells. */
static int open_xen(const char *path, int flags, bool *handled)
{
	*handled = true;
	if (path && strncmp(path, "/proc/xen/", 10) == 0) {
		if (strcmp(path + 10, "xsd_port") == 0)
			return open_port(flags);
		if (strcmp(path + 10, "xsd_kva") == 0)
			return open_memory(flags);
		if (strcmp(path + 10, "capabilities") == 0)
			return open_text(simxen_own_domid() == 0 ? CONTROL_DOMAIN : "", flags);
	} else if (path && strncmp(path, "/dev/xen/", 9) == 0) {
		if (strcmp(path + 9, "xenbus_backend") == 0)
			return open_memory(flags);
		if (strcmp(path + 9, "privcmd") == 0)
			return NEXT(open)("/dev/null", O_RDWR | (flags & O_CLOEXEC));
	}
	*handled = false;
	return -1;
}

/* ---- the directories of the daemons ---- */

static const char *const directories[] = {"/var/run/xenstored", "/run/xenstored", "/var/run/xen",
					  "/run/xen", "/var/log/xen"};

/* The path to use for path: itself, or its counterpart, written to buffer (PATH_MAX bytes). */
static const char *place(const char *path, char *buffer)
{
	const char *rundir = getenv("SIMXEN_RUNDIR");

	for (size_t i = 0; rundir && path && i < sizeof(directories) / sizeof(*directories); i++) {
		size_t length = strlen(directories[i]);

		if (strncmp(path, directories[i], length) != 0 ||
		    (path[length] != '/' && path[length] != '\0'))
			continue;
		if (snprintf(buffer, PATH_MAX, "%s%s", rundir, path + length) < PATH_MAX)
			return buffer;
	}
	return path;
}

/* ---- the functions that programs call ---- */

/* There is a mode only with these flags; what is fetched without them is not used. */
#define FETCH_MODE(mode, flags)                                                                    \
	do {                                                                                       \
		va_list arguments;                                                                 \
                                                                                                   \
		va_start(arguments, flags);                                                        \
		if ((flags) & (O_CREAT | O_TMPFILE))                                               \
			(mode) = va_arg(arguments, mode_t);                                        \
		va_end(arguments);                                                                 \
	} while (0)

int open(const char *path, int flags, ...)
{
	char buffer[PATH_MAX];
	bool handled;
	mode_t mode = 0;
	int fd;

	FETCH_MODE(mode, flags);
	fd = open_xen(path, flags, &handled);
	return handled ? fd : NEXT(open)(place(path, buffer), flags, mode);
}

int open64(const char *path, int flags, ...)
{
	char buffer[PATH_MAX];
	bool handled;
	mode_t mode = 0;
	int fd;

	FETCH_MODE(mode, flags);
	fd = open_xen(path, flags, &handled);
	return handled ? fd : NEXT(open64)(place(path, buffer), flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
	char buffer[PATH_MAX];
	bool handled;
	mode_t mode = 0;
	int fd;

	FETCH_MODE(mode, flags);
	fd = open_xen(path, flags, &handled);
	return handled ? fd : NEXT(openat)(dir, place(path, buffer), flags, mode);
}

int openat64(int dir, const char *path, int flags, ...)
{
	char buffer[PATH_MAX];
	bool handled;
	mode_t mode = 0;
	int fd;

	FETCH_MODE(mode, flags);
	fd = open_xen(path, flags, &handled);
	return handled ? fd : NEXT(openat64)(dir, place(path, buffer), flags, mode);
}

FILE *fopen(const char *path, const char *mode)
{
	char buffer[PATH_MAX];
	bool handled;
	int fd = open_xen(path, 0, &handled);

	if (!handled)
		return NEXT(fopen)(place(path, buffer), mode);
	return fd < 0 ? NULL : fdopen(fd, mode);
}

FILE *fopen64(const char *path, const char *mode)
{
	return fopen(path, mode);
}

int munmap(void *address, size_t length)
{
	int result = NEXT(munmap)(address, length);

	if (result == 0)
		simxen_foreign_unmapped((uintptr_t)address, length);
	return result;
}

/* What can be opened also exists. */
static bool is_xen(const char *path)
{
	static const char *const files[] = {"/proc/xen/capabilities", "/proc/xen/xsd_port",
					    "/proc/xen/xsd_kva", "/dev/xen/xenbus_backend",
					    "/dev/xen/privcmd"};

	for (size_t i = 0; path && i < sizeof(files) / sizeof(*files); i++)
		if (strcmp(path, files[i]) == 0)
			return true;
	return false;
}

int access(const char *path, int mode)
{
	char buffer[PATH_MAX];

	return is_xen(path) ? 0 : NEXT(access)(place(path, buffer), mode);
}

int stat(const char *path, struct stat *status)
{
	char buffer[PATH_MAX];

	return NEXT(stat)(is_xen(path) ? "/dev/null" : place(path, buffer), status);
}

int stat64(const char *path, struct stat64 *status)
{
	char buffer[PATH_MAX];

	return NEXT(stat64)(is_xen(path) ? "/dev/null" : place(path, buffer), status);
}

int lstat(const char *path, struct stat *status)
{
	char buffer[PATH_MAX];

	return NEXT(lstat)(is_xen(path) ? "/dev/null" : place(path, buffer), status);
}

int lstat64(const char *path, struct stat64 *status)
{
	char buffer[PATH_MAX];

	return NEXT(lstat64)(is_xen(path) ? "/dev/null" : place(path, buffer), status);
}

int mkdir(const char *path, mode_t mode)
{
	char buffer[PATH_MAX];

	return NEXT(mkdir)(place(path, buffer), mode);
}

int unlink(const char *path)
{
	char buffer[PATH_MAX];

	return NEXT(unlink)(place(path, buffer));
}

int chmod(const char *path, mode_t mode)
{
	char buffer[PATH_MAX];

	return NEXT(chmod)(place(path, buffer), mode);
}

int rename(const char *from, const char *to)
{
	char from_buffer[PATH_MAX], to_buffer[PATH_MAX];

	return NEXT(rename)(place(from, from_buffer), place(to, to_buffer));
}

/* An address of the Unix family whose path belongs elsewhere; NULL when it stays. */
static const struct sockaddr *place_address(const struct sockaddr *address, socklen_t *length,
					    struct sockaddr_un *changed)
{
	char buffer[PATH_MAX];
	const char *path;

	if (!address || address->sa_family != AF_UNIX || *length > sizeof(*changed))
		return address;
	memset(changed, 0, sizeof(*changed));
	memcpy(changed, address, *length);
	changed->sun_path[sizeof(changed->sun_path) - 1] = '\0';
	path = place(changed->sun_path, buffer);
	if (path == changed->sun_path || strlen(path) >= sizeof(changed->sun_path))
		return address;
	strcpy(changed->sun_path, path);
	*length = sizeof(*changed);
	return (const struct sockaddr *)changed;
}

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
	struct sockaddr_un changed;

	address = place_address(address, &length, &changed);
	return NEXT(bind)(fd, address, length);
}

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
	struct sockaddr_un changed;

	address = place_address(address, &length, &changed);
	return NEXT(connect)(fd, address, length);
}

/*
 * oxenstored wants more descriptors than many a user may have, and does not start without. It gets
 * those that are allowed.
 */
int setrlimit(__rlimit_resource_t resource, const struct rlimit *limits)
{
	struct rlimit allowed;

	if (prlimit(0, resource, limits, NULL) == 0)
		return 0;
	if (errno != EPERM || !getenv("SIMXEN_RUNDIR") || getrlimit(resource, &allowed) < 0)
		return -1;
	allowed.rlim_cur = allowed.rlim_max;
	return prlimit(0, resource, &allowed, NULL);
}

/*
 * The C xenstored of 4.17 reports a malformed path with whatever is in errno at that moment, and
 * aborts if that is nothing. A read() that succeeds may leave anything there; this one leaves what
 * the daemon means, so that its answer depends on the request alone.
 */
ssize_t read(int fd, void *buffer, size_t count)
{
	ssize_t length = NEXT(read)(fd, buffer, count);

	if (length > 0 && getenv("SIMXEN_RUNDIR"))
		errno = EINVAL;
	return length;
}
