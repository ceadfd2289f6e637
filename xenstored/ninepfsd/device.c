/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See device.h.
 */
#include "ninepfsd/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "ninepfsd/connection.h"
#include "ninepfsd/nodes.h"

/* After a front-end broke the rules: milliseconds before it may try again. */
#define PENALTY 1000

struct device *device_new(unsigned int domid, unsigned int number)
{
	struct device *device = calloc(1, sizeof(*device));

	if (!device)
		return NULL;
	device->domid = domid;
	device->number = number;
	device->dirty = true;
	snprintf(device->path, sizeof(device->path), BACKEND_ROOT "/%u/%u", domid, number);
	return device;
}

void device_token(const struct device *device, char *token, size_t size)
{
	snprintf(token, size, "%u/%u", device->domid, device->number);
}

/* Watches the front-end's state, which may not exist yet. */
static void watch_front(struct device *device, struct xs_handle *xs)
{
	char path[NODES_PATH_MAX], token[32];

	device->front = nodes_read(xs, XBT_NULL, "%s/frontend", device->path);
	if (!device->front)
		return;
	snprintf(path, sizeof(path), "%s/state", device->front);
	device_token(device, token, sizeof(token));
	if (!xs_watch(xs, path, token))
		log_message(LOG_ERR, "domain %u: cannot watch %s", device->domid, path);
}

static void unwatch_front(struct device *device, struct xs_handle *xs)
{
	char path[NODES_PATH_MAX], token[32];

	if (!device->front)
		return;
	snprintf(path, sizeof(path), "%s/state", device->front);
	device_token(device, token, sizeof(token));
	xs_unwatch(xs, path, token);
	free(device->front);
	device->front = NULL;
}

void device_free(struct device *device, struct xs_handle *xs)
{
	if (device->connection) {
		connection_stop(device->connection);
		connection_free(device->connection);
	}
	unwatch_front(device, xs);
	free(device);
}

static void set_state(struct device *device, struct xs_handle *xs, enum xenbus_state state)
{
	if (!nodes_write_number(xs, XBT_NULL, device->path, "state", state))
		log_message(LOG_ERR, "domain %u: cannot write the state of device %u",
			    device->domid, device->number);
}

/* Tells what we can do, and waits for the front-end. */
static void publish(struct device *device, struct xs_handle *xs)
{
	nodes_write(xs, XBT_NULL, device->path, "versions", "1");
	nodes_write_number(xs, XBT_NULL, device->path, "max-rings", CONNECTION_RINGS_MAX);
	nodes_write_number(xs, XBT_NULL, device->path, "max-ring-page-order", CONNECTION_ORDER_MAX);
	set_state(device, xs, XENBUS_INITWAIT);
	device->published = true;
}

static bool read_rings(struct device *device, struct xs_handle *xs,
		       struct connection_config *config)
{
	char *version = nodes_read(xs, XBT_NULL, "%s/version", device->front);
	bool known = version && strcmp(version, "1") == 0;
	uint64_t rings = nodes_read_number(xs, 0, "%s/num-rings", device->front);

	free(version);
	if (!known || rings < 1 || rings > CONNECTION_RINGS_MAX)
		return false;
	config->rings = (unsigned int)rings;
	for (unsigned int i = 0; i < config->rings; i++) {
		uint64_t ref = nodes_read_number(xs, UINT64_MAX, "%s/ring-ref%u", device->front, i);
		uint64_t port = nodes_read_number(xs, UINT64_MAX, "%s/event-channel-%u",
						  device->front, i);

		if (ref > UINT32_MAX || port > UINT32_MAX)
			return false;
		config->refs[i] = (uint32_t)ref;
		config->ports[i] = (uint32_t)port;
	}
	return true;
}

static void read_limits(struct device *device, struct xs_handle *xs, struct share_limits *limits)
{
	uint64_t mib = nodes_read_number(xs, 0, "%s/max-space", device->path);
	uint64_t open = nodes_read_number(xs, 0, "%s/max-open-files", device->path);

	limits->max_space = mib > UINT64_MAX >> 20 ? UINT64_MAX : mib << 20;
	limits->max_files = nodes_read_number(xs, 0, "%s/max-files", device->path);
	limits->max_open = open > SHARE_OPEN_MAX ? SHARE_OPEN_MAX : (unsigned int)open;
	limits->auto_delete = nodes_read_number(xs, 0, "%s/auto-delete", device->path) != 0;
}

static bool security_model_ok(struct device *device, struct xs_handle *xs)
{
	char *model = nodes_read(xs, XBT_NULL, "%s/security_model", device->path);
	bool ok = !model || strcmp(model, "none") == 0;

	if (!ok)
		log_message(LOG_ERR, "domain %u: security model %s is not known", device->domid,
			    model);
	free(model);
	return ok;
}

static bool start(struct device *device, struct xs_handle *xs, int wake)
{
	struct connection_config config = {.domid = device->domid, .wake = wake};
	char *directory = nodes_read(xs, XBT_NULL, "%s/path", device->path);
	bool done = false;

	if (!directory)
		log_message(LOG_ERR, "domain %u: device %u has no path", device->domid,
			    device->number);
	else if (!read_rings(device, xs, &config))
		log_message(LOG_ERR, "domain %u: the rings of device %u are not described",
			    device->domid, device->number);
	else if (security_model_ok(device, xs)) {
		read_limits(device, xs, &config.limits);
		config.directory = directory;
		done = connection_start(&config, &device->connection) == 0;
	}
	if (done)
		log_message(LOG_INFO, "domain %u: serving %s", device->domid, directory);
	free(directory);
	return done;
}

static void connect_front(struct device *device, struct xs_handle *xs, int wake, int64_t now)
{
	if (start(device, xs, wake)) {
		device->introduced = xs_is_domain_introduced(xs, device->domid);
		set_state(device, xs, XENBUS_CONNECTED);
		return;
	}
	device->not_before = now + PENALTY;
	set_state(device, xs, XENBUS_CLOSED);
}

/* While there is a connection. True: there is none any more. */
static bool look_at_connection(struct device *device, enum xenbus_state front, bool exists,
			       int64_t now)
{
	bool wanted = exists && (front == XENBUS_INITIALISED || front == XENBUS_CONNECTED);

	if (!connection_over(device->connection)) {
		if (!wanted)
			connection_stop(device->connection);
		return false;
	}
	if (connection_broken(device->connection))
		device->not_before = now + PENALTY;
	connection_free(device->connection);
	device->connection = NULL;
	log_message(LOG_INFO, "domain %u: disconnected", device->domid);
	return true;
}

bool device_look(struct device *device, struct xs_handle *xs, int wake, int64_t now)
{
	enum xenbus_state ours, front = XENBUS_NONE;
	bool online, closed = false;

	ours = (enum xenbus_state)nodes_read_number(xs, XENBUS_NONE, "%s/state", device->path);
	if (!device->front)
		watch_front(device, xs);
	if (device->front)
		front = (enum xenbus_state)nodes_read_number(xs, XENBUS_NONE, "%s/state",
							     device->front);
	if (device->connection) {
		closed = look_at_connection(device, front, ours != XENBUS_NONE, now);
		if (!closed)
			return true;
	}
	if (ours == XENBUS_NONE || !device->front)
		return ours != XENBUS_NONE;

	online = nodes_read_number(xs, 1, "%s/online", device->path) != 0;
	if (closed || !online || front == XENBUS_CLOSING || front == XENBUS_CLOSED) {
		if (ours != XENBUS_CLOSED && device->published)
			set_state(device, xs, XENBUS_CLOSED);
		else if (ours != XENBUS_CLOSED && !online)
			set_state(device, xs, XENBUS_CLOSED);
		if (device->published || !online)
			return true;
	}
	/* What a predecessor told is not true any more. */
	if (!device->published ||
	    (front == XENBUS_INITIALISING && ours != XENBUS_INITWAIT && now >= device->not_before))
		publish(device, xs);
	else if (front == XENBUS_INITIALISED && ours == XENBUS_INITWAIT)
		connect_front(device, xs, wake, now);
	return true;
}

void device_domain_released(struct device *device, struct xs_handle *xs)
{
	char *mark, *front;

	/* The Xenstore's own domain may never have been introduced. */
	if (device->connection && device->introduced && !xs_is_domain_introduced(xs, device->domid))
		connection_stop(device->connection);
	mark = nodes_read(xs, XBT_NULL, "%s/" ATTACHED_NODE, device->path);
	if (!mark)
		return;
	free(mark);
	front = device->front ? nodes_read(xs, XBT_NULL, "%s/state", device->front) : NULL;
	if (!front && !xs_is_domain_introduced(xs, device->domid))
		xs_rm(xs, XBT_NULL, device->path);
	free(front);
	device->dirty = true;
}
