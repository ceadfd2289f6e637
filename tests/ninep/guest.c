/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Linux process that plays a domain with a 9pfs front-end: the front-end's platform is made of
 * libxenstore, libxengntshr and libxenevtchn. It does what it reads from its standard input, a
 * line at a time, and answers each line with one of its own. Its argument is the domid of the
 * back-end's domain.
 *
 *	log TEXT          append a line to the log      -> ok | dropped
 *	flush MS          wait until all is written     -> ok | -errno
 *	write NAME BYTES  a file of so many bytes       -> ok | -errno
 *	read NAME         compare it with what write wrote -> bytes | -errno
 *	remove NAME                                     -> ok | -errno
 *	connected MS      wait for a connection         -> yes | no
 *	gone MS           wait until the connection is closed -> yes | no
 *	dropped           lines lost up to now          -> number
 *	reload            save, forget and restore the front-end, as across a kexec -> ok
 *	work MS           look after events only        -> ok
 *	spoil             make an index impossible      -> ok
 *	clog              fill the ring with requests and take no answer -> ok
 *	flood MS          write its state, as fast as it goes -> writes
 *	storm MS          connect and disconnect, as fast as it goes -> connections
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>

#include "ninep/frontend.h"
#include "ninep/ring.h"
#include "ninep/wire.h"

#define ORDER 4U
#define PAGES (1U + (1U << ORDER))

struct guest {
	struct ninep_platform platform;
	struct ninep_memory memory;
	struct xs_handle *xs;
	xenevtchn_handle *events;
	xengntshr_handle *grants;
	uint32_t refs[PAGES];
	struct ninep *fe;
	char watched[256];
};

static void die(const char *what)
{
	fprintf(stderr, "guest: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct guest *guest_of(struct ninep_platform *platform)
{
	return (struct guest *)platform;
}

static uint64_t now(struct ninep_platform *platform)
{
	struct timespec time;

	(void)platform;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static void notify(struct ninep_platform *platform, uint32_t port)
{
	xenevtchn_notify(guest_of(platform)->events, port);
}

/* Waits for descriptors until a deadline; takes an event of the channel. */
static void await(struct guest *guest, int other, uint64_t deadline)
{
	struct pollfd fds[] = {{.fd = xenevtchn_fd(guest->events), .events = POLLIN},
			       {.fd = other, .events = POLLIN}};
	uint64_t time = now(NULL);
	int timeout = -1, port;

	if (deadline != NINEP_NEVER)
		timeout = deadline > time ? (int)(deadline - time) : 0;
	poll(fds, other < 0 ? 1 : 2, timeout);
	if (fds[0].revents) {
		port = xenevtchn_pending(guest->events);
		if (port >= 0)
			xenevtchn_unmask(guest->events, (evtchn_port_t)port);
	}
}

static void wait_event(struct ninep_platform *platform, uint32_t port, uint64_t deadline)
{
	(void)port;
	await(guest_of(platform), -1, deadline);
}

static int read_node(struct ninep_platform *platform, const char *path, char *value, size_t size)
{
	unsigned int length;
	char *text = xs_read(guest_of(platform)->xs, XBT_NULL, path, &length);
	int error = -errno;

	if (!text)
		return error;
	error = length < size ? 0 : -E2BIG;
	if (error == 0)
		memcpy(value, text, length + 1);
	free(text);
	return error;
}

static int write_node(struct ninep_platform *platform, const char *path, const char *value)
{
	bool done = xs_write(guest_of(platform)->xs, XBT_NULL, path, value,
			     (unsigned int)strlen(value));

	return done ? 0 : -errno;
}

/* All pages were granted at the start. */
static int grant(struct ninep_platform *platform, unsigned int domid, void *page, uint32_t *ref)
{
	struct guest *guest = guest_of(platform);
	size_t nr = (size_t)((char *)page - (char *)guest->memory.interface) / NINEP_PAGE_SIZE;

	(void)domid;
	*ref = guest->refs[nr];
	return 0;
}

static int ungrant(struct ninep_platform *platform, uint32_t ref)
{
	(void)platform;
	(void)ref;
	return 0;
}

static int alloc_port(struct ninep_platform *platform, unsigned int domid, uint32_t *port)
{
	int bound = xenevtchn_bind_unbound_port(guest_of(platform)->events, domid);

	if (bound < 0)
		return -errno;
	*port = (uint32_t)bound;
	return 0;
}

static void close_port(struct ninep_platform *platform, uint32_t port)
{
	xenevtchn_unbind(guest_of(platform)->events, port);
}

static void message(struct ninep_platform *platform, const char *text)
{
	(void)platform;
	fprintf(stderr, "guest: %s\n", text);
}

static const struct ninep_platform_ops ops = {
	.now = now,
	.notify = notify,
	.wait = wait_event,
	.read = read_node,
	.write = write_node,
	.grant = grant,
	.ungrant = ungrant,
	.alloc_port = alloc_port,
	.close_port = close_port,
	.message = message,
};

/* ---- the event loop ---- */

/* Watches the back-end's state once its path is known. */
static void watch_backend(struct guest *guest)
{
	char path[200], node[256];

	if (read_node(&guest->platform, "device/9pfs/0/backend", path, sizeof(path)) < 0)
		return;
	snprintf(node, sizeof(node), "%s/state", path);
	if (strcmp(node, guest->watched) == 0)
		return;
	if (guest->watched[0])
		xs_unwatch(guest->xs, guest->watched, "back");
	snprintf(guest->watched, sizeof(guest->watched), "%s", node);
	xs_watch(guest->xs, node, "back");
}

static void step(struct guest *guest, uint64_t deadline)
{
	uint64_t until = ninep_timeout(guest->fe);
	bool changed = false;
	char **event;

	await(guest, xs_fileno(guest->xs), until < deadline ? until : deadline);
	while ((event = xs_check_watch(guest->xs))) {
		changed = true;
		free(event);
	}
	if (changed) {
		watch_backend(guest);
		ninep_changed(guest->fe);
	}
	ninep_turn(guest->fe);
}

/* ---- commands ---- */

struct file {
	struct ninep_job job;
	uint64_t length;
	bool different;
};

static unsigned char byte_at(uint64_t offset)
{
	return (unsigned char)(offset * 7 + (offset >> 8));
}

static ssize_t fill(struct ninep_job *job, uint64_t offset, void *piece, size_t room)
{
	uint64_t left = ((struct file *)job)->length - offset;
	size_t length = left < room ? (size_t)left : room;

	for (size_t i = 0; i < length; i++)
		((unsigned char *)piece)[i] = byte_at(offset + i);
	return (ssize_t)length;
}

static int take(struct ninep_job *job, uint64_t offset, const void *piece, size_t length)
{
	struct file *file = (struct file *)job;

	for (size_t i = 0; i < length; i++)
		if (((const unsigned char *)piece)[i] != byte_at(offset + i))
			file->different = true;
	file->length = offset + length;
	return 0;
}

static void tell(int result)
{
	if (result < 0)
		printf("%d\n", result);
	else
		puts("ok");
}

static void whole_file(struct guest *guest, enum ninep_job_kind kind, const char *arguments)
{
	char name[256] = "";
	unsigned long long length = 0;
	struct file file = {.job = {.kind = kind, .name = name, .fill = fill, .take = take}};
	int result;

	sscanf(arguments, "%255s %llu", name, &length);
	file.length = kind == NINEP_WRITE ? length : 0;
	result = ninep_finish(guest->fe, &file.job, now(NULL) + 60000);
	if (kind != NINEP_READ || result < 0)
		tell(result);
	else if (file.different)
		puts("different");
	else
		printf("%llu\n", (unsigned long long)file.length);
}

static void connected(struct guest *guest, uint64_t deadline)
{
	while (!ninep_connected(guest->fe) && now(NULL) < deadline)
		step(guest, deadline);
	puts(ninep_connected(guest->fe) ? "yes" : "no");
}

static void gone(struct guest *guest, uint64_t deadline)
{
	while (ninep_port(guest->fe) && now(NULL) < deadline)
		step(guest, deadline);
	puts(ninep_port(guest->fe) ? "no" : "yes");
}

static void work(struct guest *guest, uint64_t deadline)
{
	while (now(NULL) < deadline)
		step(guest, deadline);
	puts("ok");
}

static void reload(struct guest *guest)
{
	struct ninep_saved saved;

	ninep_save(guest->fe, &saved);
	ninep_free(guest->fe);
	guest->fe = ninep_new(&guest->platform, &guest->memory, &saved);
	if (!guest->fe)
		die("ninep_new");
	ninep_append_open(guest->fe, NINEP_LOG, "log");
	ninep_changed(guest->fe);
	puts("ok");
}

static void clog_ring(struct guest *guest)
{
	struct p9_interface *page = guest->memory.interface;
	uint32_t size = P9_RING_SIZE(ORDER);
	struct p9_producer out = {&page->out_prod, &page->out_cons,
				  (unsigned char *)guest->memory.data + size, size, page->out_prod};
	/* A request of no known type: the answer is longer than the question. */
	static const unsigned char request[P9_HEADER] = {P9_HEADER, 0, 0, 0, 200, 0, 0};

	while (p9_room(&out) >= (ssize_t)sizeof(request))
		p9_produce(&out, request, sizeof(request));
	notify(&guest->platform, ninep_port(guest->fe));
	puts("ok");
}

static void flood(struct guest *guest, uint64_t deadline)
{
	unsigned int writes = 0;

	while (now(NULL) < deadline)
		write_node(&guest->platform, "device/9pfs/0/state", writes++ % 2 ? "5" : "6");
	printf("%u\n", writes);
}

/* The rings stay as they are described; only the states change. */
static void storm(struct guest *guest, uint64_t deadline)
{
	static const char *const answers[] = {[2] = "3", [4] = "6", [6] = "1"};
	unsigned int connections = 0;
	char path[200], node[256], state[16] = "";
	int last = 0;

	read_node(&guest->platform, "device/9pfs/0/backend", path, sizeof(path));
	snprintf(node, sizeof(node), "%s/state", path);
	while (now(NULL) < deadline) {
		int theirs = read_node(&guest->platform, node, state, sizeof(state)) == 0
				     ? atoi(state)
				     : 0;

		if (theirs == last || theirs < 0 || theirs > 6 || !answers[theirs])
			continue;
		last = theirs;
		connections += theirs == 4;
		write_node(&guest->platform, "device/9pfs/0/state", answers[theirs]);
	}
	printf("%u\n", connections);
}

static void command(struct guest *guest, char *line)
{
	char *arguments = strchr(line, ' ');

	line[strcspn(line, "\n")] = '\0';
	arguments = arguments ? arguments + 1 : line + strlen(line);
	if (strncmp(line, "log ", 4) == 0) {
		strcat(arguments, "\n");
		puts(ninep_append(guest->fe, NINEP_LOG, arguments, strlen(arguments)) ? "ok"
										      : "dropped");
		ninep_turn(guest->fe);
	} else if (strncmp(line, "flush ", 6) == 0) {
		tell(ninep_flush(guest->fe, now(NULL) + strtoull(arguments, NULL, 10)));
	} else if (strncmp(line, "write ", 6) == 0) {
		whole_file(guest, NINEP_WRITE, arguments);
	} else if (strncmp(line, "read ", 5) == 0) {
		whole_file(guest, NINEP_READ, arguments);
	} else if (strncmp(line, "remove ", 7) == 0) {
		whole_file(guest, NINEP_REMOVE, arguments);
	} else if (strncmp(line, "connected ", 10) == 0) {
		connected(guest, now(NULL) + strtoull(arguments, NULL, 10));
	} else if (strncmp(line, "gone ", 5) == 0) {
		gone(guest, now(NULL) + strtoull(arguments, NULL, 10));
	} else if (strncmp(line, "work ", 5) == 0) {
		work(guest, now(NULL) + strtoull(arguments, NULL, 10));
	} else if (strcmp(line, "dropped") == 0) {
		printf("%llu\n", (unsigned long long)ninep_dropped_lines(guest->fe, NINEP_LOG));
	} else if (strcmp(line, "spoil") == 0) {
		((struct p9_interface *)guest->memory.interface)->out_prod += 1000000;
		notify(&guest->platform, ninep_port(guest->fe));
		puts("ok");
	} else if (strcmp(line, "clog") == 0) {
		clog_ring(guest);
	} else if (strncmp(line, "flood ", 6) == 0) {
		flood(guest, now(NULL) + strtoull(arguments, NULL, 10));
	} else if (strncmp(line, "storm ", 6) == 0) {
		storm(guest, now(NULL) + strtoull(arguments, NULL, 10));
	} else if (strcmp(line, "reload") == 0) {
		reload(guest);
	} else {
		puts("what?");
	}
}

int main(int argc, char **argv)
{
	uint32_t backend = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
	struct guest guest = {.platform.ops = &ops, .memory.order = ORDER};
	char line[4200];

	setvbuf(stdout, NULL, _IOLBF, 0);
	guest.xs = xs_open(0);
	guest.events = xenevtchn_open(NULL, 0);
	guest.grants = xengntshr_open(NULL, 0);
	if (!guest.xs || !guest.events || !guest.grants)
		die("cannot open Xen's devices");
	guest.memory.interface = xengntshr_share_pages(guest.grants, backend, (int)PAGES,
						       guest.refs, 1);
	if (!guest.memory.interface)
		die("cannot share pages");
	guest.memory.data = (char *)guest.memory.interface + NINEP_PAGE_SIZE;
	guest.fe = ninep_new(&guest.platform, &guest.memory, NULL);
	if (!guest.fe || ninep_append_open(guest.fe, NINEP_LOG, "log") < 0 ||
	    !xs_watch(guest.xs, "device/9pfs/0", "front"))
		die("cannot begin");
	while (fgets(line, (int)sizeof(line) - 2, stdin))
		command(&guest, line);
	return 0;
}
