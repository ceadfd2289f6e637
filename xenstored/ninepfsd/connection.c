/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rings of one device and the thread that looks after them. See connection.h.
 */
#include "ninepfsd/connection.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#include "daemon/log.h"
#include "ninepfsd/confine.h"
#include "ninepfsd/link.h"
#include "ninepfsd/server.h"

/* Requests of one ring before the next has its turn. */
#define TURN_REQUESTS 32U

/*
 * Front-ends need not tell that they made room for an answer: milliseconds between two looks, the
 * first and then twice as many each time.
 */
#define STUCK_FIRST 10
#define STUCK_MAX   500

struct ring {
	struct p9_interface *page;
	unsigned char *data;
	unsigned int order;
	evtchn_port_t port;
	struct p9_link link;
};

struct connection {
	struct connection_config config;
	char *directory;
	unsigned int rings;
	struct ring ring[CONNECTION_RINGS_MAX];
	xengnttab_handle *grants;
	xenevtchn_handle *events;
	struct p9_server *server;
	pthread_t thread;
	int stop;
	bool serves, over; /* written by the thread */
};

/* ---- mapping ---- */

static void close_ring(struct connection *connection, struct ring *ring)
{
	p9_link_deinit(&ring->link);
	if (ring->data)
		xengnttab_unmap(connection->grants, ring->data, 1U << ring->order);
	if (ring->page)
		xengnttab_unmap(connection->grants, ring->page, 1);
	*ring = (struct ring){0};
}

/* Everything but the thread and the structure. */
static void close_all(struct connection *connection)
{
	for (unsigned int i = 0; i < connection->rings; i++)
		close_ring(connection, &connection->ring[i]);
	if (connection->grants)
		xengnttab_close(connection->grants);
	if (connection->events)
		xenevtchn_close(connection->events);
	if (connection->server)
		p9_server_free(connection->server);
	connection->grants = NULL;
	connection->events = NULL;
	connection->server = NULL;
}

static int open_ring(struct connection *connection, struct ring *ring, uint32_t ref, uint32_t port)
{
	uint32_t refs[1U << CONNECTION_ORDER_MAX];
	xenevtchn_port_or_error_t bound;

	ring->page = xengnttab_map_grant_ref(connection->grants, connection->config.domid, ref,
					     PROT_READ | PROT_WRITE);
	if (!ring->page)
		return -errno;
	/* Read once: the page is the front-end's as well. */
	ring->order = __atomic_load_n(&ring->page->ring_order, __ATOMIC_RELAXED);
	if (ring->order < 1 || ring->order > CONNECTION_ORDER_MAX)
		return -EPROTO;
	memcpy(refs, ring->page->ref, sizeof(refs[0]) << ring->order);
	ring->data = xengnttab_map_domain_grant_refs(connection->grants, 1U << ring->order,
						     connection->config.domid, refs,
						     PROT_READ | PROT_WRITE);
	if (!ring->data)
		return -errno;
	bound = xenevtchn_bind_interdomain(connection->events, connection->config.domid, port);
	if (bound < 0)
		return -errno;
	ring->port = (evtchn_port_t)bound;
	return p9_link_init(&ring->link, ring->page, ring->data, ring->order);
}

static int open_all(struct connection *connection)
{
	const struct connection_config *config = &connection->config;
	uint32_t msize = UINT32_MAX;
	int error = 0;

	connection->grants = xengnttab_open(NULL, 0);
	connection->events = xenevtchn_open(NULL, 0);
	if (!connection->grants || !connection->events) {
		error = -errno;
		log_message(LOG_ERR, "domain %u: cannot open the Xen devices: %s", config->domid,
			    strerror(-error));
		return error;
	}
	for (unsigned int i = 0; i < config->rings && error == 0; i++) {
		connection->rings++;
		error = open_ring(connection, &connection->ring[i], config->refs[i],
				  config->ports[i]);
		if (error == 0 && p9_link_msize(connection->ring[i].order) < msize)
			msize = p9_link_msize(connection->ring[i].order);
	}
	if (error < 0) {
		log_message(LOG_ERR, "domain %u: cannot map ring %u: %s", connection->config.domid,
			    connection->rings - 1, strerror(-error));
		return error;
	}
	error = p9_server_new(config->directory, &config->limits, msize, &connection->server);
	if (error < 0)
		log_message(LOG_ERR, "domain %u: cannot use %s: %s", connection->config.domid,
			    config->directory, strerror(-error));
	return error;
}

/* ---- the thread ---- */

/* Serves all rings once. 0: nothing more to be done now; 1: at once; 2: soon; -EPROTO. */
static int turn(struct connection *connection, bool *moved)
{
	int next = 0;

	*moved = false;

	for (unsigned int i = 0; i < connection->rings; i++) {
		struct ring *ring = &connection->ring[i];
		int events = p9_link_turn(&ring->link, connection->server, TURN_REQUESTS);

		if (events < 0)
			return events;
		*moved |= events > 0;
		if (events > 0)
			xenevtchn_notify(connection->events, ring->port);
		if (p9_link_ready(&ring->link))
			next = 1;
		else if (p9_link_stuck(&ring->link) && next == 0)
			next = 2;
	}
	return next;
}

static void take_event(struct connection *connection)
{
	xenevtchn_port_or_error_t port = xenevtchn_pending(connection->events);

	if (port >= 0)
		xenevtchn_unmask(connection->events, (evtchn_port_t)port);
}

/* All that is needed of the rest of the system is open. */
static void confine(struct connection *connection)
{
	int error = confine_thread(p9_server_root(connection->server));

	/* The start of the daemon has told of a kernel that does not have it. */
	if (error < 0 && error != -ENOSYS && error != -EOPNOTSUPP)
		log_message(LOG_ERR, "domain %u: its thread is not confined: %s",
			    connection->config.domid, strerror(-error));
}

/* Milliseconds to wait after a turn that ended with @next and began after @before. */
static int timeout_after(int next, bool moved, int before)
{
	if (next != 2)
		return next ? 0 : -1;
	if (moved || before <= 0)
		return STUCK_FIRST;
	return 2 * before < STUCK_MAX ? 2 * before : STUCK_MAX;
}

static void look_after_rings(struct connection *connection)
{
	struct pollfd fds[] = {
		{.fd = xenevtchn_fd(connection->events), .events = POLLIN},
		{.fd = connection->stop, .events = POLLIN},
	};
	int next = 1, timeout = 0;
	bool moved;

	while (next >= 0) {
		if (poll(fds, 2, timeout) < 0 && errno != EINTR)
			break;
		if (fds[1].revents)
			break;
		if (fds[0].revents & (POLLERR | POLLHUP | POLLNVAL))
			break;
		if (fds[0].revents)
			take_event(connection);
		/* The next connection makes it anew; until then the front-end keeps what it has. */
		if (!p9_server_has_directory(connection->server)) {
			log_message(LOG_WARNING, "domain %u: %s was removed",
				    connection->config.domid, connection->directory);
			break;
		}
		next = turn(connection, &moved);
		timeout = timeout_after(next, moved, timeout);
	}
	if (next < 0)
		log_message(LOG_WARNING, "domain %u does not keep the rules of the ring",
			    connection->config.domid);
}

static void tell(struct connection *connection, bool *what)
{
	uint64_t one = 1;

	__atomic_store_n(what, true, __ATOMIC_RELEASE);
	if (write(connection->config.wake, &one, sizeof(one)) < 0)
		log_message(LOG_ERR, "eventfd: %s", strerror(errno));
}

static void *serve(void *argument)
{
	struct connection *connection = argument;

	if (open_all(connection) == 0) {
		confine(connection);
		log_message(LOG_INFO, "domain %u: serving %s", connection->config.domid,
			    connection->directory);
		tell(connection, &connection->serves);
		look_after_rings(connection);
	}
	close_all(connection);
	tell(connection, &connection->over);
	return NULL;
}

/* ---- for the others ---- */

static void discard(struct connection *connection)
{
	if (connection->stop >= 0)
		close(connection->stop);
	free(connection->directory);
	free(connection);
}

int connection_start(const struct connection_config *config, struct connection **result)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	int error = 0;

	if (!connection)
		return -ENOMEM;
	connection->config = *config;
	connection->directory = strdup(config->directory);
	connection->config.directory = connection->directory;
	connection->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!connection->directory)
		error = -ENOMEM;
	else if (connection->stop < 0)
		error = -errno;
	else
		error = -pthread_create(&connection->thread, NULL, serve, connection);
	if (error < 0) {
		log_message(LOG_ERR, "domain %u: cannot start a thread: %s", config->domid,
			    strerror(-error));
		discard(connection);
		return error;
	}
	*result = connection;
	return 0;
}

void connection_stop(struct connection *connection)
{
	uint64_t one = 1;

	if (write(connection->stop, &one, sizeof(one)) < 0)
		log_message(LOG_ERR, "eventfd: %s", strerror(errno));
}

bool connection_over(const struct connection *connection)
{
	return __atomic_load_n(&connection->over, __ATOMIC_ACQUIRE);
}

bool connection_serves(const struct connection *connection)
{
	return __atomic_load_n(&connection->serves, __ATOMIC_ACQUIRE);
}

void connection_free(struct connection *connection)
{
	pthread_join(connection->thread, NULL);
	discard(connection);
}
