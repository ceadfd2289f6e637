/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A preloaded library that lets xenstoreds made for Xen 4.17 serve their socket
 * on a machine without Xen. Its world is the smallest one in which they start:
 * domain 0 runs, no other domain exists, and nothing ever happens. Event
 * channels never fire, every grant and every foreign page is refused, domain 0's
 * own ring is a page of zeros that nobody writes to.
 *
 * Some paths are compiled into these daemons. So that a peer neither needs nor
 * disturbs the real ones, everything below /var/run/xenstored, /var/run/xen and
 * /var/log/xen is redirected to the directory named by XEN_STANDIN_DIR, and the
 * files of /proc/xen are made up in memory.
 *
 * The library has the functions of libxenevtchn, libxengnttab and libxenctrl
 * that those daemons call, with the binary interfaces of Xen 4.17. The loader
 * prefers them to the real ones, which stay loaded and unused. Parameters have
 * the types of the interface's registers; handles are opaque to the callers.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Finds the real function behind one of ours; there always is one, in libc. */
static void *next(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	if (!function)
		abort();
	return function;
}

/* The function behind ours, with its type. */
#define NEXT(function) ((__typeof__(&function))next(#function))

/* Handles that are never looked into need only an address. */
static char handle;

/* ---- event channels: ports are handed out, nothing ever arrives ---- */

struct xenevtchn_handle {
	int fd;
};

static int next_port = 1;

static struct xenevtchn_handle *evtchn_handle(int fd)
{
	struct xenevtchn_handle *xce = malloc(sizeof(*xce));

	if (xce)
		xce->fd = fd;
	return xce;
}

/* An event counter that nobody raises: pollable, never readable. */
struct xenevtchn_handle *xenevtchn_open(void *logger, unsigned int flags)
{
	(void)logger;
	(void)flags;
	return evtchn_handle(eventfd(0, EFD_NONBLOCK));
}

struct xenevtchn_handle *xenevtchn_fdopen(void *logger, int fd, unsigned int flags)
{
	(void)logger;
	(void)flags;
	return evtchn_handle(fd);
}

int xenevtchn_close(struct xenevtchn_handle *xce)
{
	if (xce) {
		close(xce->fd);
		free(xce);
	}
	return 0;
}

int xenevtchn_fd(struct xenevtchn_handle *xce)
{
	return xce->fd;
}

int xenevtchn_bind_virq(struct xenevtchn_handle *xce, unsigned int virq)
{
	(void)xce;
	(void)virq;
	return next_port++;
}

int xenevtchn_bind_interdomain(struct xenevtchn_handle *xce, uint32_t domid, uint32_t remote_port)
{
	(void)xce;
	(void)remote_port;
	if (domid != 0) {
		errno = ESRCH;
		return -1;
	}
	return next_port++;
}

int xenevtchn_unbind(struct xenevtchn_handle *xce, uint32_t port)
{
	(void)xce;
	(void)port;
	return 0;
}

int xenevtchn_notify(struct xenevtchn_handle *xce, uint32_t port)
{
	(void)xce;
	(void)port;
	return 0;
}

int xenevtchn_pending(struct xenevtchn_handle *xce)
{
	(void)xce;
	errno = EAGAIN;
	return -1;
}

int xenevtchn_unmask(struct xenevtchn_handle *xce, uint32_t port)
{
	(void)xce;
	(void)port;
	return 0;
}

/* ---- grants: none is valid ---- */

void *xengnttab_open(void *logger, unsigned int flags)
{
	(void)logger;
	(void)flags;
	return &handle;
}

int xengnttab_close(void *xgt)
{
	(void)xgt;
	return 0;
}

int xengnttab_set_max_grants(void *xgt, uint32_t count)
{
	(void)xgt;
	(void)count;
	return 0;
}

/* EINVAL is what Linux' gntdev makes of a domain that does not exist. */
void *xengnttab_map_grant_ref(void *xgt, uint32_t domid, uint32_t ref, int prot)
{
	(void)xgt;
	(void)domid;
	(void)ref;
	(void)prot;
	errno = EINVAL;
	return NULL;
}

int xengnttab_unmap(void *xgt, void *address, uint32_t count)
{
	(void)xgt;
	(void)address;
	(void)count;
	return 0;
}

/* ---- domain information: domain 0 runs, and that is all ---- */

void *xc_interface_open(void *logger, void *dombuild_logger, unsigned int flags)
{
	(void)logger;
	(void)dombuild_logger;
	(void)flags;
	return &handle;
}

int xc_interface_close(void *xch)
{
	(void)xch;
	return 0;
}

/* The head of xc_dominfo_t; callers ask for more, but look at nothing beyond. */
struct dominfo_head {
	uint32_t domid;
	uint32_t ssidref;
	uint32_t flags;
};

#define DOMINFO_RUNNING (1U << 5)

/* Answers for the first domain with an id of at least first; there is only 0. */
int xc_domain_getinfo(void *xch, uint32_t first, unsigned int max, void *info)
{
	struct dominfo_head *head = info;

	(void)xch;
	if (first > 0 || max == 0)
		return 0;
	head->domid = 0;
	head->ssidref = 0;
	head->flags = DOMINFO_RUNNING;
	return 1;
}

/* The head of xen_domctl_getdomaininfo. */
struct getdomaininfo_head {
	uint16_t domid;
	uint16_t pad;
	uint32_t flags;
};

int xc_domain_getinfolist(void *xch, uint32_t first, unsigned int max, void *info)
{
	struct getdomaininfo_head *head = info;

	(void)xch;
	if (first > 0 || max == 0)
		return 0;
	head->domid = 0;
	head->pad = 0;
	head->flags = DOMINFO_RUNNING;
	return 1;
}

void *xc_map_foreign_range(void *xch, uint32_t domid, int size, int prot, unsigned long mfn)
{
	(void)xch;
	(void)domid;
	(void)size;
	(void)prot;
	(void)mfn;
	errno = EINVAL;
	return NULL;
}

/* xc_error: a code and a text. The real function would look into our handle. */
struct last_error {
	int code;
	char message[1024];
};

const struct last_error *xc_get_last_error(void *xch)
{
	static const struct last_error none;

	(void)xch;
	return &none;
}

/*
 * oxenstored wants as many descriptors as the kernel can give and does not start
 * with fewer. Without the privilege for that it gets as many as we are allowed.
 */
int setrlimit(__rlimit_resource_t resource, const struct rlimit *limits)
{
	struct rlimit allowed;

	if (prlimit(0, resource, limits, NULL) == 0)
		return 0;
	if (errno != EPERM || getrlimit(resource, &allowed) < 0)
		return -1;
	allowed.rlim_cur = allowed.rlim_max;
	return prlimit(0, resource, &allowed, NULL);
}

/*
 * The C daemon of 4.17 answers a path argument that is missing or malformed with
 * whatever errno the last failure left, and aborts when there was none; EINVAL is
 * what it means to say. A successful read() may leave any errno, so ours leaves
 * that one: no request can bring the peer down in this way, and its answers
 * depend on the request alone.
 */
ssize_t read(int fd, void *buffer, size_t count)
{
	static __typeof__(&read) real;
	ssize_t length;

	if (!real)
		real = NEXT(read);
	length = real(fd, buffer, count);
	if (length > 0)
		errno = EINVAL;
	return length;
}

/* ---- files ---- */

static const char *const redirected[] = {"/var/run/xenstored", "/var/run/xen", "/var/log/xen",
					 "/run/xenstored"};

/*
 * Returns the path to use in place of path: itself, or its counterpart below
 * XEN_STANDIN_DIR, written to buffer (of PATH_MAX bytes).
 */
static const char *redirect(const char *path, char *buffer)
{
	const char *directory = getenv("XEN_STANDIN_DIR");

	for (size_t i = 0; directory && path && i < sizeof(redirected) / sizeof(*redirected); i++) {
		size_t length = strlen(redirected[i]);

		if (strncmp(path, redirected[i], length) != 0)
			continue;
		if (path[length] != '/' && path[length] != '\0')
			continue;
		if (snprintf(buffer, PATH_MAX, "%s%s", directory, path + length) >= PATH_MAX)
			abort();
		return buffer;
	}
	return path;
}

/* A descriptor for a file of /proc/xen, or -1 when path is not one of them. */
static int open_proc_xen(const char *path)
{
	static const char port[] = "1"; /* as the kernel gives it, without a newline */
	int fd;

	if (path && strcmp(path, "/proc/xen/xsd_port") == 0) {
		fd = memfd_create("xsd_port", MFD_CLOEXEC);
		if (fd < 0 || write(fd, port, sizeof(port) - 1) < 0 || lseek(fd, 0, SEEK_SET) < 0)
			abort();
		return fd;
	}
	if (path && strcmp(path, "/proc/xen/xsd_kva") == 0) {
		fd = memfd_create("xsd_kva", MFD_CLOEXEC);
		if (fd < 0 || ftruncate(fd, 4096) < 0)
			abort();
		return fd;
	}
	return -1;
}

static int open_with(const char *function, const char *path, int flags, mode_t mode)
{
	int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))next(function);
	char buffer[PATH_MAX];
	int fd = open_proc_xen(path);

	return fd >= 0 ? fd : real(redirect(path, buffer), flags, mode);
}

/* Without O_CREAT there is no mode; what is fetched then is not used. */
int open(const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode = 0;

	va_start(arguments, flags);
	if (flags & O_CREAT)
		mode = va_arg(arguments, mode_t);
	va_end(arguments);
	return open_with("open", path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode = 0;

	va_start(arguments, flags);
	if (flags & O_CREAT)
		mode = va_arg(arguments, mode_t);
	va_end(arguments);
	return open_with("open64", path, flags, mode);
}

FILE *fopen(const char *path, const char *mode)
{
	char buffer[PATH_MAX];

	return NEXT(fopen)(redirect(path, buffer), mode);
}

int mkdir(const char *path, mode_t mode)
{
	char buffer[PATH_MAX];

	return NEXT(mkdir)(redirect(path, buffer), mode);
}

int unlink(const char *path)
{
	char buffer[PATH_MAX];

	return NEXT(unlink)(redirect(path, buffer));
}

int chmod(const char *path, mode_t mode)
{
	char buffer[PATH_MAX];

	return NEXT(chmod)(redirect(path, buffer), mode);
}

int rename(const char *from, const char *to)
{
	char from_buffer[PATH_MAX], to_buffer[PATH_MAX];

	return NEXT(rename)(redirect(from, from_buffer), redirect(to, to_buffer));
}

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
	struct sockaddr_un changed;
	char buffer[PATH_MAX];
	const char *path;

	if (address->sa_family != AF_UNIX || length > sizeof(changed))
		return NEXT(bind)(fd, address, length);
	memset(&changed, 0, sizeof(changed));
	memcpy(&changed, address, length);
	/* An address that fills the structure has no terminator; ours is the shorter kind. */
	changed.sun_path[sizeof(changed.sun_path) - 1] = '\0';
	path = redirect(changed.sun_path, buffer);
	if (path == changed.sun_path)
		return NEXT(bind)(fd, address, length);
	if (strlen(path) >= sizeof(changed.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(changed.sun_path, path);
	return NEXT(bind)(fd, (struct sockaddr *)&changed, sizeof(changed));
}
