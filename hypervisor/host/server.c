/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loop of the host process. Everything that happens on the machine happens
 * here, one thing at a time, in the order in which it reached a socket: a
 * notification that a process sent before a request is seen before it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "hypervisor/host/host.h"
#include "hypervisor/host/take-over.h"

#define EVENTS 1024

/*
 * A removed domain is freed after this time. The real hypervisor waits until no CPU looks at its
 * old structures any more, which takes about as long.
 */
#define RECLAIM_MS 20

/* Between two looks at domains that are to stop for an update. */
#define STEP_MS 1

/* After this time there may be memory for what was missed. */
#define RETRY_MS 20

int host_enter_source(struct host *host, struct source *source)
{
	size_t room = host->source_room ? host->source_room : 64;
	struct source **grown;

	while (room <= (size_t)source->fd)
		room *= 2;
	if (room > host->source_room) {
		grown = realloc(host->sources, room * sizeof(struct source *));
		if (!grown)
			return -ENOMEM;
		memset(grown + host->source_room, 0,
		       (room - host->source_room) * sizeof(struct source *));
		host->sources = grown;
		host->source_room = room;
	}
	host->sources[source->fd] = source;
	return 0;
}

int host_wait_for(struct host *host, const struct source *source)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = source->fd};

	return epoll_ctl(host->epoll, EPOLL_CTL_ADD, source->fd, &event) < 0 ? -errno : 0;
}

void host_change_source(struct host *host, struct source *source, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = source->fd};

	epoll_ctl(host->epoll, EPOLL_CTL_MOD, source->fd, &event);
}

void host_drop_source(struct host *host, struct source *source)
{
	host->sources[source->fd] = NULL;
	epoll_ctl(host->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	close(source->fd);
}

/* ---- what the mechanism calls ---- */

static void *allocate(void *data, size_t size)
{
	(void)data;
	return malloc(size);
}

static void release(void *data, void *block, size_t size)
{
	(void)data;
	(void)size;
	free(block);
}

const struct hv_allocator host_allocator = {.allocate = allocate, .release = release};

/* Makes room for one more element. False: there is no memory, of which the mechanism cannot be
 * told. */
static bool make_room(void **array, size_t count, size_t *room, size_t element)
{
	size_t more = *room ? *room * 2 : 64;
	void *grown;

	if (count < *room)
		return true;
	grown = realloc(*array, more * element);
	if (!grown)
		return false;
	*array = grown;
	*room = more;
	return true;
}

static void upcall(void *data, unsigned int domid, uint32_t port)
{
	struct host *host = data;
	void *events = host->events;

	if (make_room(&events, host->event_count, &host->event_room, sizeof(*host->events))) {
		host->events = events;
		host->events[host->event_count++] = (struct noted_event){(uint16_t)domid, port};
	} else {
		host->missed = true;
	}
}

static void freed(void *data, unsigned int domid)
{
	struct host *host = data;
	void *list = host->freed;

	if (make_room(&list, host->freed_count, &host->freed_room, sizeof(*host->freed))) {
		host->freed = list;
		host->freed[host->freed_count++] = (uint16_t)domid;
	} else {
		host->missed = true;
	}
}

struct hv_config host_config(struct host *host)
{
	struct hv_config config = {
		.allocator = host_allocator,
		.callbacks = {.upcall = upcall, .freed = freed, .data = host},
		.memory = &host->machine,
	};

	/* The number changed with 4.18 and with 4.19. */
	if (host->xen_version == ((4U << 16) | 18U))
		config.domctl_version = 0x16;
	else if (host->xen_version < ((4U << 16) | 18U))
		config.domctl_version = 0x15;
	return config;
}

/* What was not noted is seen: domids that nobody has any more, and events that nobody has taken. */
static void settle_all(struct host *host)
{
	for (uint32_t domid = 0; domid < HV_DOMID_FIRST_RESERVED; domid++) {
		if (!hv_table_get(&host->hv.domains, domid))
			domains_freed(host, domid);
		handle_deliver_all(host, domid);
	}
}

void host_settle(struct host *host)
{
	bool missed = host->missed;

	host->missed = false;
	for (size_t i = 0; i < host->event_count; i++)
		handle_deliver(host, host->events[i].domid, host->events[i].port);
	host->event_count = 0;
	for (size_t i = 0; i < host->freed_count; i++)
		domains_freed(host, host->freed[i]);
	host->freed_count = 0;
	if (missed)
		settle_all(host);
}

/* ---- the helper that tells a xenstored of domains ---- */

void host_spawn_introducer(struct host *host)
{
	char *arguments[] = {"simxen", "introduce", NULL};

	if (host->hv.domains.count <= 1 || fork() != 0)
		return;
	close_range(STDERR_FILENO + 1, ~0U, 0);
	signal(SIGCHLD, SIG_DFL);
	setenv("SIMXEN_DIR", host->directory, 1);
	setenv("XENSTORED_RUNDIR", host->store_rundir, 1);
	unsetenv("XENSTORED_PATH");
	unsetenv("SIMXEN_DOMID");
	if (!host->store_rundir[0])
		unsetenv("XENSTORED_RUNDIR");
	execv("/proc/self/exe", arguments);
	_exit(127);
}

static volatile sig_atomic_t terminated;

static void on_signal(int signal)
{
	terminated = signal;
}

/* Frees removed domains when it is time; how long to wait for that, -1: not at all. */
static int reclaim(struct host *host)
{
	struct timespec time;
	int64_t now;

	if (!host->hv.domains.removed) {
		host->reclaim_at = 0;
		return -1;
	}
	clock_gettime(CLOCK_MONOTONIC, &time);
	now = time.tv_sec * 1000 + time.tv_nsec / 1000000;
	if (!host->reclaim_at)
		host->reclaim_at = now + RECLAIM_MS;
	if (now < host->reclaim_at)
		return (int)(host->reclaim_at - now);
	host->reclaim_at = 0;
	hv_reclaim(&host->hv);
	host_settle(host);
	handle_flush_dirty(host);
	return -1;
}

void host_keep_signal(void)
{
	if (terminated)
		kill(getpid(), terminated);
}

/* Those that came in the middle of an update have waited. */
static void unblock_signals(void)
{
	sigset_t all;

	sigemptyset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

/* How long the loop may sleep, milliseconds. */
static int patience(struct host *host)
{
	int until_reclaim = reclaim(host), most = -1;

	if (host->missed) {
		host_settle(host);
		handle_flush_dirty(host);
	}
	if (host->missed)
		most = RETRY_MS;
	if (host->update.stopping)
		most = STEP_MS;
	return most >= 0 && (until_reclaim < 0 || until_reclaim > most) ? most : until_reclaim;
}

int host_run(const struct host_options *options, int ready_fd)
{
	static struct host host;
	static struct epoll_event events[EVENTS];
	struct sigaction action = {.sa_handler = on_signal};
	int error, count;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	if (options->hand_over >= 0)
		error = take_over(&host, options->hand_over, options->command_line);
	else
		error = host_init(&host, options);
	if (error < 0) {
		fprintf(stderr, "simxen: %s: %s\n", options->directory, strerror(-error));
		return error;
	}
	unblock_signals();
	if (ready_fd >= 0 && write(ready_fd, "", 1) != 1)
		return -EPIPE;
	if (ready_fd >= 0)
		close(ready_fd);
	while (!host.stopping && !terminated) {
		count = epoll_wait(host.epoll, events, EVENTS, patience(&host));
		for (int i = 0; i < count; i++) {
			struct source *source = host.sources[events[i].data.fd];

			/* One that was closed in this turn has nothing to say any more. */
			if (source)
				source->ready(&host, source, events[i].events);
		}
		handle_flush_dirty(&host);
		if (!host.stopping && !terminated)
			live_update_step(&host);
	}
	host_deinit(&host);
	return 0;
}
