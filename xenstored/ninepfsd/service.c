/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One loop over the Xenstore's events, the ends of connections and signals. Everything that may
 * wait for a front-end or a disk is in the connections' threads; everything that may wait for the
 * Xenstore is here.
 */
#include "ninepfsd/service.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xenstore.h>

#include "daemon/daemonize.h"
#include "daemon/limits.h"
#include "daemon/log.h"
#include "daemon/notify.h"
#include "daemon/pidfile.h"
#include "daemon/privileges.h"
#include "ninepfsd/backend.h"
#include "ninepfsd/confine.h"
#include "ninepfsd/nodes.h"

#define ROOT_TOKEN    "root"
#define RELEASE_TOKEN "release"

/* libxl waits for this before it offers a device to a domain. */
#define STATE_NODE "libxl/xen-9pfs"

struct service {
	struct xs_handle *xs;
	struct backend *devices;
	int wake, signals;
	bool scan, released;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- devices ---- */

static struct backend *find(struct service *service, unsigned int domid, unsigned int number)
{
	for (struct backend *device = service->devices; device; device = device->next)
		if (device->domid == domid && device->number == number)
			return device;
	return NULL;
}

/* A number in decimal digits alone. */
static bool parse(const char *text, unsigned int *value)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || number > UINT16_MAX)
		return false;
	*value = (unsigned int)number;
	return true;
}

static void note(struct service *service, unsigned int domid, unsigned int number)
{
	struct backend *device = find(service, domid, number);

	if (device) {
		device->dirty = true;
		return;
	}
	device = backend_new(domid, number);
	if (!device)
		return;
	device->next = service->devices;
	service->devices = device;
}

/* Everything that toolstacks have described. */
static void scan(struct service *service)
{
	unsigned int domains, numbers, domid, number;
	char **names = xs_directory(service->xs, XBT_NULL, BACKEND_ROOT, &domains);

	for (unsigned int i = 0; names && i < domains; i++) {
		char path[64], **inner;

		if (!parse(names[i], &domid))
			continue;
		snprintf(path, sizeof(path), BACKEND_ROOT "/%u", domid);
		inner = xs_directory(service->xs, XBT_NULL, path, &numbers);
		for (unsigned int k = 0; inner && k < numbers; k++)
			if (parse(inner[k], &number))
				note(service, domid, number);
		free(inner);
	}
	free(names);
	for (struct backend *device = service->devices; device; device = device->next)
		device->dirty = true;
}

/* One event: which device does it concern? What cannot be told concerns all. */
static void take_watch(struct service *service, const char *path, const char *token)
{
	unsigned int domid, number;
	char rest;

	if (strcmp(token, RELEASE_TOKEN) == 0)
		service->released = true;
	else if (strcmp(token, ROOT_TOKEN) != 0 && sscanf(token, "%u/%u", &domid, &number) == 2) {
		if (find(service, domid, number))
			note(service, domid, number);
	} else if (sscanf(path, BACKEND_ROOT "/%u/%u/%c", &domid, &number, &rest) == 3 &&
		   find(service, domid, number))
		note(service, domid, number);
	else
		service->scan = true;
}

/* False: the Xenstore is gone. */
static bool take_watches(struct service *service)
{
	char **event;

	while ((event = xs_check_watch(service->xs))) {
		take_watch(service, event[XS_WATCH_PATH], event[XS_WATCH_TOKEN]);
		free(event);
	}
	return errno == EAGAIN;
}

static void look_at_devices(struct service *service)
{
	if (service->scan)
		scan(service);
	service->scan = false;
	if (service->released)
		for (struct backend *device = service->devices; device; device = device->next)
			backend_domain_released(device, service->xs);
	service->released = false;
	for (struct backend **link = &service->devices; *link;) {
		struct backend *device = *link;

		if (device->dirty) {
			device->dirty = false;
			if (!backend_look(device, service->xs, service->wake, now_ms())) {
				*link = device->next;
				backend_free(device, service->xs);
				continue;
			}
		}
		link = &device->next;
	}
}

/* Milliseconds until a device that has to wait may be looked at again; -1: there is none. */
static int next_timeout(struct service *service)
{
	int64_t now = now_ms(), next = -1;

	for (struct backend *device = service->devices; device; device = device->next) {
		if (!device->not_before)
			continue;
		if (device->not_before <= now) {
			device->not_before = 0;
			device->dirty = true;
			return 0;
		}
		if (next < 0 || device->not_before - now < next)
			next = device->not_before - now;
	}
	return (int)next;
}

static bool any_dirty(const struct service *service)
{
	for (const struct backend *device = service->devices; device; device = device->next)
		if (device->dirty)
			return true;
	return false;
}

/* ---- the process ---- */

static void loop(struct service *service)
{
	struct pollfd fds[] = {
		{.fd = xs_fileno(service->xs), .events = POLLIN},
		{.fd = service->wake, .events = POLLIN},
		{.fd = service->signals, .events = POLLIN},
	};
	uint64_t count;

	for (;;) {
		int timeout = next_timeout(service);

		if (any_dirty(service))
			timeout = 0;
		if (poll(fds, 3, timeout) < 0 && errno != EINTR)
			fatal_errno(errno, "poll");
		if (fds[2].revents)
			return;
		if (fds[0].revents && !take_watches(service))
			fatal("the connection to the Xenstore is lost");
		if (fds[1].revents && read(service->wake, &count, sizeof(count)) > 0)
			for (struct backend *device = service->devices; device;
			     device = device->next)
				device->dirty = true;
		look_at_devices(service);
	}
}

static int block_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static void open_pid_file(struct pidfile *pidfile, const char *path)
{
	int error = pidfile_open(pidfile, path);

	if (error == PIDFILE_LOCKED)
		fatal("already running, as process %ld", (long)pidfile->holder);
	if (error < 0)
		fatal_errno(error, "%s", path);
}

/*
 * What others may not open is open now: the pid file and the way to the Xenstore, which is used by
 * one thread as yet. From here on: no capabilities, and only files, devices and sockets that our
 * user may use.
 */
static void drop_privileges(const struct service_options *options)
{
	int error = privileges_drop(options->user);

	if (error == -ENOENT)
		fatal("there is no user %s", options->user);
	if (error < 0)
		fatal_errno(error, "cannot give up privileges");
	if (!confine_possible())
		log_message(LOG_NOTICE, "this kernel cannot confine threads to directories");
}

static void begin_watching(struct service *service)
{
	if (!xs_watch(service->xs, BACKEND_ROOT, ROOT_TOKEN) ||
	    !xs_watch(service->xs, "@releaseDomain", RELEASE_TOKEN))
		fatal_errno(errno, "cannot watch the Xenstore");
	if (!nodes_write(service->xs, XBT_NULL, STATE_NODE, "state", "running"))
		fatal_errno(errno, "cannot write to the Xenstore");
}

int service_run(const struct service_options *options)
{
	struct daemonize daemonize = DAEMONIZE_INIT;
	struct pidfile pidfile = PIDFILE_INIT;
	struct service service = {.scan = true};
	struct notify notify;

	log_open("xenstore-9pfsd", options->foreground);
	if (!options->foreground && daemonize_start(&daemonize) < 0)
		fatal_errno(errno, "fork");
	/* Files belong to root alone unless a front-end says otherwise. */
	umask(027);
	/* All domains share the descriptors: none must be able to use up what others need. */
	limits_raise_descriptors();
	open_pid_file(&pidfile, options->pid_file);
	service.signals = block_signals();
	service.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (service.signals < 0 || service.wake < 0)
		fatal_errno(errno, "cannot start");
	service.xs = xs_open(0);
	if (!service.xs)
		fatal_errno(errno, "cannot connect to the Xenstore");
	drop_privileges(options);
	begin_watching(&service);
	notify_init(&notify);
	notify_ready(&notify, "xenstore-9pfsd", getpid());
	daemonize_ready(&daemonize);
	loop(&service);

	xs_rm(service.xs, XBT_NULL, STATE_NODE "/state");
	while (service.devices) {
		struct backend *device = service.devices;

		service.devices = device->next;
		backend_free(device, service.xs);
	}
	xs_close(service.xs);
	unlink(options->pid_file);
	pidfile_close(&pidfile);
	return 0;
}
