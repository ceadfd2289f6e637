/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See backend.h.
 */
#include "ninepfsd/backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "ninepfsd/connection.h"
#include "ninepfsd/nodes.h"

/*
 * After a connection, milliseconds before the next: more each time, so that a front-end that breaks
 * the rules or comes and goes neither keeps us busy nor fills the log; until one connection lasts.
 */
#define DELAY_FIRST 100
#define DELAY_MAX   30000
#define LASTS	    60000

struct backend *backend_new(unsigned int domid, unsigned int number)
{
	struct backend *backend = calloc(1, sizeof(*backend));

	if (!backend)
		return NULL;
	backend->domid = domid;
	backend->number = number;
	snprintf(backend->path, sizeof(backend->path), BACKEND_ROOT "/%u/%u", domid, number);
	return backend;
}

void backend_token(const struct backend *backend, char *token, size_t size)
{
	snprintf(token, size, "%u/%u", backend->domid, backend->number);
}

/* Watches the front-end's state, which may not exist yet. */
static void watch_front(struct backend *backend, struct xs_handle *xs)
{
	char path[NODES_PATH_MAX], token[32], *mark;

	backend->front = nodes_read(xs, XBT_NULL, "%s/frontend", backend->path);
	if (!backend->front)
		return;
	mark = nodes_read(xs, XBT_NULL, "%s/" ATTACHED_NODE, backend->path);
	backend->attached = mark;
	free(mark);
	snprintf(path, sizeof(path), "%s/state", backend->front);
	backend_token(backend, token, sizeof(token));
	if (!xs_watch(xs, path, token))
		log_message(LOG_ERR, "domain %u: cannot watch %s", backend->domid, path);
}

static void unwatch_front(struct backend *backend, struct xs_handle *xs)
{
	char path[NODES_PATH_MAX], token[32];

	if (!backend->front)
		return;
	snprintf(path, sizeof(path), "%s/state", backend->front);
	backend_token(backend, token, sizeof(token));
	xs_unwatch(xs, path, token);
	free(backend->front);
	backend->front = NULL;
}

void backend_stop(struct backend *backend)
{
	if (backend->connection)
		connection_stop(backend->connection);
}

void backend_free(struct backend *backend, struct xs_handle *xs)
{
	backend_stop(backend);
	if (backend->connection)
		connection_free(backend->connection);
	unwatch_front(backend, xs);
	free(backend);
}

static void set_state(struct backend *backend, struct xs_handle *xs, enum xenbus_state state)
{
	if (!nodes_write_number(xs, XBT_NULL, backend->path, "state", state))
		log_message(LOG_ERR, "domain %u: cannot write the state of device %u",
			    backend->domid, backend->number);
}

/* Tells what we can do, and waits for the front-end. */
static void publish(struct backend *backend, struct xs_handle *xs)
{
	nodes_write(xs, XBT_NULL, backend->path, "versions", "1");
	nodes_write_number(xs, XBT_NULL, backend->path, "max-rings", CONNECTION_RINGS_MAX);
	nodes_write_number(xs, XBT_NULL, backend->path, "max-ring-page-order",
			   CONNECTION_ORDER_MAX);
	set_state(backend, xs, XENBUS_INITWAIT);
	backend->published = true;
}

static bool read_rings(struct backend *backend, struct xs_handle *xs,
		       struct connection_config *config)
{
	char *version = nodes_read(xs, XBT_NULL, "%s/version", backend->front);
	bool known = version && strcmp(version, "1") == 0;
	uint64_t rings = nodes_read_number(xs, 0, "%s/num-rings", backend->front);

	free(version);
	if (!known || rings < 1 || rings > CONNECTION_RINGS_MAX)
		return false;
	config->rings = (unsigned int)rings;
	for (unsigned int i = 0; i < config->rings; i++) {
		uint64_t ref = nodes_read_number(xs, UINT64_MAX, "%s/ring-ref%u", backend->front,
						 i);
		uint64_t port = nodes_read_number(xs, UINT64_MAX, "%s/event-channel-%u",
						  backend->front, i);

		if (ref > UINT32_MAX || port > UINT32_MAX)
			return false;
		config->refs[i] = (uint32_t)ref;
		config->ports[i] = (uint32_t)port;
	}
	return true;
}

static void read_limits(struct backend *backend, struct xs_handle *xs, struct share_limits *limits)
{
	uint64_t mib = nodes_read_number(xs, 0, "%s/max-space", backend->path);
	uint64_t open = nodes_read_number(xs, 0, "%s/max-open-files", backend->path);

	limits->max_space = mib > UINT64_MAX >> 20 ? UINT64_MAX : mib << 20;
	limits->max_files = nodes_read_number(xs, 0, "%s/max-files", backend->path);
	limits->max_open = open > SHARE_OPEN_MAX ? SHARE_OPEN_MAX : (unsigned int)open;
	limits->auto_delete = nodes_read_number(xs, 0, "%s/auto-delete", backend->path) != 0;
}

static bool security_model_ok(struct backend *backend, struct xs_handle *xs)
{
	char *model = nodes_read(xs, XBT_NULL, "%s/security_model", backend->path);
	bool ok = !model || strcmp(model, "none") == 0;

	if (!ok)
		log_message(LOG_ERR, "domain %u: security model %s is not known", backend->domid,
			    model);
	free(model);
	return ok;
}

static bool start(struct backend *backend, struct xs_handle *xs, int wake)
{
	struct connection_config config = {.domid = backend->domid, .wake = wake};
	char *directory = nodes_read(xs, XBT_NULL, "%s/path", backend->path);
	bool done = false;

	if (!directory)
		log_message(LOG_ERR, "domain %u: device %u has no path", backend->domid,
			    backend->number);
	else if (!read_rings(backend, xs, &config))
		log_message(LOG_ERR, "domain %u: the rings of device %u are not described",
			    backend->domid, backend->number);
	else if (security_model_ok(backend, xs)) {
		read_limits(backend, xs, &config.limits);
		config.directory = directory;
		done = connection_start(&config, &backend->connection) == 0;
	}
	free(directory);
	return done;
}

static void put_off(struct backend *backend, int64_t now)
{
	if (backend->connected && now - backend->connected_at >= LASTS)
		backend->delay = 0;
	backend->delay = backend->delay ? backend->delay * 2 : DELAY_FIRST;
	if (backend->delay > DELAY_MAX)
		backend->delay = DELAY_MAX;
	backend->not_before = now + backend->delay;
}

static void connect_front(struct backend *backend, struct xs_handle *xs, int wake, int64_t now)
{
	backend->connected = false;
	if (start(backend, xs, wake))
		return;
	put_off(backend, now);
	set_state(backend, xs, XENBUS_CLOSED);
}

/* The thread serves: so it is told. */
static void tell_connected(struct backend *backend, struct xs_handle *xs, int64_t now)
{
	backend->connected = true;
	backend->connected_at = now;
	backend->introduced = xs_is_domain_introduced(xs, backend->domid);
	set_state(backend, xs, XENBUS_CONNECTED);
}

/* While there is a connection. True: there is none any more. */
static bool look_at_connection(struct backend *backend, struct xs_handle *xs,
			       enum xenbus_state ours, enum xenbus_state front, int64_t now)
{
	bool wanted = ours != XENBUS_NONE &&
		      (front == XENBUS_INITIALISED || front == XENBUS_CONNECTED);

	/* Until it is told, a toolstack may change its mind. */
	if (!backend->connected && ours != XENBUS_INITWAIT)
		wanted = false;
	if (!connection_over(backend->connection)) {
		if (!wanted)
			connection_stop(backend->connection);
		else if (!backend->connected && connection_serves(backend->connection))
			tell_connected(backend, xs, now);
		return false;
	}
	connection_free(backend->connection);
	backend->connection = NULL;
	put_off(backend, now);
	if (backend->connected)
		log_message(LOG_INFO, "domain %u: disconnected", backend->domid);
	return true;
}

bool backend_look(struct backend *backend, struct xs_handle *xs, int wake, int64_t now)
{
	enum xenbus_state ours, front = XENBUS_NONE;
	bool online, closed = false, gone = false;

	ours = (enum xenbus_state)nodes_read_number(xs, XENBUS_NONE, "%s/state", backend->path);
	if (!backend->front)
		watch_front(backend, xs);
	if (backend->front)
		front = (enum xenbus_state)nodes_read_number(xs, XENBUS_NONE, "%s/state",
							     backend->front);
	backend->orphan = front == XENBUS_NONE;
	if (backend->connection) {
		closed = look_at_connection(backend, xs, ours, front, now);
		if (!closed)
			return true;
	}
	if (ours != XENBUS_NONE && backend->orphan) {
		backend_check_domain(backend, xs, &gone);
		if (gone)
			return false;
	}
	if (ours == XENBUS_NONE || !backend->front)
		return ours != XENBUS_NONE;

	online = nodes_read_number(xs, 1, "%s/online", backend->path) != 0;
	if (closed || !online || front == XENBUS_CLOSING || front == XENBUS_CLOSED) {
		if (ours != XENBUS_CLOSED && backend->published)
			set_state(backend, xs, XENBUS_CLOSED);
		else if (ours != XENBUS_CLOSED && !online)
			set_state(backend, xs, XENBUS_CLOSED);
		if (backend->published || !online)
			return true;
	}
	/* What a predecessor told is not true any more. */
	if (!backend->published ||
	    (front == XENBUS_INITIALISING && ours != XENBUS_INITWAIT && now >= backend->not_before))
		publish(backend, xs);
	else if (front == XENBUS_INITIALISED && ours == XENBUS_INITWAIT)
		connect_front(backend, xs, wake, now);
	return true;
}

bool backend_has_news(const struct backend *backend)
{
	return backend->connection &&
	       (connection_over(backend->connection) ||
		(!backend->connected && connection_serves(backend->connection)));
}

/* Whether the front-end's nodes are gone for certain. */
static bool front_is_gone(struct backend *backend, struct xs_handle *xs)
{
	char *state;

	if (!backend->front)
		return false;
	state = nodes_read(xs, XBT_NULL, "%s/state", backend->front);
	if (!state)
		return errno == ENOENT;
	free(state);
	return false;
}

bool backend_check_domain(struct backend *backend, struct xs_handle *xs, bool *gone)
{
	/* The Xenstore's own domain may never have been introduced. */
	bool serves = backend->connected && backend->connection && backend->introduced;
	/* Nobody else removes what "attach" made. */
	bool remove = backend->attached && backend->orphan && !backend->connection;

	*gone = false;
	if (!serves && !remove)
		return false;
	if (xs_is_domain_introduced(xs, backend->domid))
		return true;
	if (serves)
		connection_stop(backend->connection);
	else if (front_is_gone(backend, xs))
		*gone = nodes_remove(xs, backend->path);
	return true;
}
