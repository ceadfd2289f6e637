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
#include "ninepfsd/devices.h"
#include "ninepfsd/nodes.h"

#define ROOT_TOKEN    "root"
#define RELEASE_TOKEN "release"

/* libxl waits for this before it offers a device to a domain. */
#define STATE_NODE "libxl/xen-9pfs"

/* Devices that are asked about after some domain's end, and milliseconds between so many. */
#define SWEEP_REQUESTS 32U
#define SWEEP_INTERVAL 10

/*
 * A look costs the Xenstore some requests, and a front-end can ask for one by a single write. So it
 * gets so many in so many milliseconds, and what it writes beyond that is seen a little later.
 */
#define LOOKS	     10U
#define LOOKS_WINDOW 100

/*
 * The library does not wake who waits for events when the Xenstore's end of the socket is closed. So
 * it is asked for something now and then; milliseconds.
 */
#define PROBE_INTERVAL 5000

struct service {
	struct xs_handle *xs;
	struct devices devices;
	int wake, signals;
	bool scan;	       /* devices may have been described that we have not heard of */
	bool released;	       /* some domain has gone since the last sweep began */
	struct backend *sweep; /* the next to be asked about; NULL: there is no sweep */
	bool waiting;	       /* a device may have to wait for something */
	int64_t probe_at;      /* when the Xenstore is to be asked next */
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- devices ---- */

/* A number in decimal digits alone. */
static bool parse(const char *text, unsigned int *value)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || number >= DEVICES_NUMBER_MAX)
		return false;
	*value = (unsigned int)number;
	return true;
}

/* What toolstacks have described for one domain. */
static void scan_domain(struct service *service, unsigned int domid)
{
	char path[64], **names;
	unsigned int count, number;

	snprintf(path, sizeof(path), BACKEND_ROOT "/%u", domid);
	names = xs_directory(service->xs, XBT_NULL, path, &count);
	for (unsigned int i = 0; names && i < count; i++)
		if (parse(names[i], &number))
			devices_note(&service->devices, domid, number);
	free(names);
}

static void scan(struct service *service)
{
	unsigned int count, domid;
	char **names = xs_directory(service->xs, XBT_NULL, BACKEND_ROOT, &count);

	for (unsigned int i = 0; names && i < count; i++)
		if (parse(names[i], &domid))
			scan_domain(service, domid);
	free(names);
	devices_queue_all(&service->devices);
}

/* A device's node: does a change of it matter? The device itself has no name. */
static bool matters(const char *node)
{
	return !node || strcmp(node, "state") == 0 || strcmp(node, "online") == 0 ||
	       strcmp(node, "frontend") == 0;
}

/* A change at or below a path of toolstacks. */
static void take_change(struct service *service, const char *path)
{
	char copy[NODES_PATH_MAX], *rest = copy, *part[4] = {NULL};
	unsigned int domid, number, count;

	if (strncmp(path, BACKEND_ROOT, strlen(BACKEND_ROOT)) != 0)
		return;
	snprintf(copy, sizeof(copy), "%s", path + strlen(BACKEND_ROOT));
	/* The first is what is in front of the slash: nothing. */
	for (count = 0; count < 4 && rest; count++)
		part[count] = strsep(&rest, "/");
	if (!part[1])
		service->scan = true;
	else if (!parse(part[1], &domid))
		return;
	else if (!part[2])
		devices_queue_domain(&service->devices, domid);
	else if (parse(part[2], &number) && matters(part[3]))
		devices_note(&service->devices, domid, number);
}

/* A change of a front-end's state, whose token names the device. */
static void take_front(struct service *service, const char *token, int64_t now)
{
	unsigned int domid, number;
	struct backend *device = NULL;

	if (sscanf(token, "%u/%u", &domid, &number) == 2 && domid < DEVICES_NUMBER_MAX)
		device = devices_find(&service->devices, domid, number);
	if (!device || device->dirty || device->look_at)
		return;
	if (now - device->window >= LOOKS_WINDOW) {
		device->window = now;
		device->looks = 0;
	}
	if (device->looks++ < LOOKS) {
		devices_queue(&service->devices, device);
	} else {
		device->look_at = device->window + LOOKS_WINDOW;
		service->waiting = true;
	}
}

/* False: the Xenstore is gone. */
static bool take_watches(struct service *service)
{
	int64_t now = now_ms();
	char **event;

	while ((event = xs_check_watch(service->xs))) {
		if (strcmp(event[XS_WATCH_TOKEN], RELEASE_TOKEN) == 0)
			service->released = true;
		else if (strcmp(event[XS_WATCH_TOKEN], ROOT_TOKEN) == 0)
			take_change(service, event[XS_WATCH_PATH]);
		else
			take_front(service, event[XS_WATCH_TOKEN], now);
		free(event);
	}
	return errno == EAGAIN;
}

static void forget(struct service *service, struct backend *device)
{
	if (service->sweep == device)
		service->sweep = device->next;
	devices_remove(&service->devices, device);
	backend_free(device, service->xs);
}

static void look_at_devices(struct service *service)
{
	struct backend *device;

	if (service->scan)
		scan(service);
	service->scan = false;
	while ((device = devices_take(&service->devices))) {
		if (!backend_look(device, service->xs, service->wake, now_ms()))
			forget(service, device);
		else
			service->waiting |= device->not_before > 0;
	}
}

/*
 * A domain has gone, and nobody says which. Its nodes usually go as well, which we hear of; for
 * those that leave them behind each device's domain is asked about, a few at a time, so that many
 * ends cost no more than one after another can.
 */
static void sweep(struct service *service)
{
	unsigned int asked = 0;

	if (!service->sweep && service->released) {
		service->released = false;
		service->sweep = service->devices.first;
	}
	while (service->sweep && asked < SWEEP_REQUESTS) {
		struct backend *device = service->sweep;
		bool gone;

		service->sweep = device->next;
		asked += backend_check_domain(device, service->xs, &gone);
		if (gone)
			devices_queue(&service->devices, device);
	}
}

static void look_for_news(struct service *service)
{
	for (struct backend *device = service->devices.first; device; device = device->next)
		if (backend_has_news(device))
			devices_queue(&service->devices, device);
}

/* A time at which a device is to be looked at: if it has come, that is done. */
static void check_time(struct service *service, struct backend *device, int64_t *time, int64_t now,
		       int64_t *next)
{
	if (!*time)
		return;
	if (*time <= now) {
		*time = 0;
		devices_queue(&service->devices, device);
	} else if (*next < 0 || *time - now < *next) {
		*next = *time - now;
	}
}

/* Milliseconds until a device that has to wait may be looked at again; -1: there is none. */
static int next_wait(struct service *service)
{
	int64_t now, next = -1;

	if (!service->waiting)
		return -1;
	now = now_ms();
	for (struct backend *device = service->devices.first; device; device = device->next) {
		check_time(service, device, &device->not_before, now, &next);
		check_time(service, device, &device->look_at, now, &next);
	}
	service->waiting = next >= 0;
	return (int)next;
}

/* False: the Xenstore is gone. */
static bool probe(struct service *service)
{
	int64_t now = now_ms();
	char *state;

	if (now < service->probe_at)
		return true;
	service->probe_at = now + PROBE_INTERVAL;
	state = nodes_read(service->xs, XBT_NULL, STATE_NODE "/state");
	if (!state && errno != ENOENT)
		return errno == ENOMEM || errno == EINTR;
	free(state);
	return true;
}

/* Milliseconds until there is something to be done even without an event. */
static int next_timeout(struct service *service)
{
	int wait = next_wait(service);

	if (service->devices.dirty)
		return 0;
	if ((service->sweep || service->released) && (wait < 0 || wait > SWEEP_INTERVAL))
		return SWEEP_INTERVAL;
	return wait < 0 || wait > PROBE_INTERVAL ? PROBE_INTERVAL : wait;
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
		if (poll(fds, 3, next_timeout(service)) < 0 && errno != EINTR)
			fatal_errno(errno, "poll");
		if (fds[2].revents)
			return;
		if ((fds[0].revents && !take_watches(service)) || !probe(service))
			fatal("the connection to the Xenstore is lost");
		if (fds[1].revents && read(service->wake, &count, sizeof(count)) > 0)
			look_for_news(service);
		sweep(service);
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
	/* A limit on the size of files is an error for one write, not the end for all domains. */
	signal(SIGXFSZ, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static void open_pid_file(struct pidfile *pidfile, const char *path)
{
	const char *slash = strrchr(path, '/');
	char directory[NODES_PATH_MAX];
	int error;

	/* After a boot its directory may not be there yet; if it cannot be, opening says so. */
	if (slash && (size_t)(slash - path) < sizeof(directory)) {
		snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path), path);
		mkdir(directory, 0755);
	}
	error = pidfile_open(pidfile, path);
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
	struct service service = {0};
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
	if (service.signals < 0 || service.wake < 0 || devices_init(&service.devices) < 0)
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
	/* All at the same time, then one after another. */
	for (struct backend *device = service.devices.first; device; device = device->next)
		backend_stop(device);
	while (devices_take(&service.devices))
		;
	while (service.devices.first)
		forget(&service, service.devices.first);
	devices_deinit(&service.devices);
	xs_close(service.xs);
	unlink(options->pid_file);
	pidfile_close(&pidfile);
	return 0;
}
