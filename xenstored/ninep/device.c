/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device's life by its nodes. The back-end says in its state where it stands; every look reads
 * both states and does the one thing that follows from them, so a lost or doubled notice of a
 * change is harmless. A connection is made when the back-end waits for one (state 2), however often
 * it begins anew, and not more often than the delay allows.
 *
 * Spec: stubdom.md section 5 (nodes).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ninep/session.h"

#define FRONT "device/9pfs/0"

/* Milliseconds between two attempts to connect. */
#define DELAY_FIRST 1000U
#define DELAY_MAX   60000U

#define PATH_MAX_LENGTH 256U

/* xenbus states. */
enum {
	STATE_NONE,
	STATE_INITIALISING,
	STATE_INITWAIT,
	STATE_INITIALISED,
	STATE_CONNECTED,
	STATE_CLOSING,
	STATE_CLOSED
};

struct backend {
	char path[PATH_MAX_LENGTH];
	uint32_t id;
	uint32_t state; /* its own */
	uint32_t ours;
};

/* A whole number, or false. */
static bool number(const char *text, uint32_t *value)
{
	char *end;
	unsigned long parsed = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || parsed > UINT32_MAX)
		return false;
	*value = (uint32_t)parsed;
	return true;
}

static bool read_number(struct ninep *fe, const char *path, uint32_t *value)
{
	char text[16];

	return fe->platform->ops->read(fe->platform, path, text, sizeof(text)) == 0 &&
	       number(text, value);
}

static bool read_backend_number(struct ninep *fe, const struct backend *backend, const char *node,
				uint32_t *value)
{
	char path[PATH_MAX_LENGTH + 32];

	snprintf(path, sizeof(path), "%s/%s", backend->path, node);
	return read_number(fe, path, value);
}

static bool find_backend(struct ninep *fe, struct backend *backend)
{
	if (!read_number(fe, FRONT "/state", &backend->ours) ||
	    !read_number(fe, FRONT "/backend-id", &backend->id) ||
	    fe->platform->ops->read(fe->platform, FRONT "/backend", backend->path,
				    sizeof(backend->path)) < 0)
		return false;
	if (!read_backend_number(fe, backend, "state", &backend->state))
		backend->state = STATE_NONE;
	return true;
}

static int write_number(struct ninep *fe, const char *path, uint32_t value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	return fe->platform->ops->write(fe->platform, path, text);
}

/* ---- pages and port ---- */

void device_rings(struct ninep *fe, uint32_t out_prod, uint32_t in_cons)
{
	struct p9_interface *page = fe->memory.interface;
	unsigned char *data = fe->memory.data;
	uint32_t size = P9_RING_SIZE(fe->order);

	fe->in = (struct p9_consumer){&page->in_prod, &page->in_cons, data, size, in_cons};
	fe->out = (struct p9_producer){&page->out_prod, &page->out_cons, data + size, size,
				       out_prod};
}

int device_ungrant(struct ninep *fe)
{
	while (fe->granted) {
		if (fe->platform->ops->ungrant(fe->platform, fe->refs[fe->granted - 1]) < 0)
			return -EBUSY;
		fe->granted--;
	}
	return 0;
}

/* Lets the back-end map all pages. What it may map already stays granted. */
static int grant_pages(struct ninep *fe, uint32_t backend_id)
{
	int error = 0;

	if (fe->backend_id != backend_id)
		error = device_ungrant(fe);
	if (error)
		return error;
	fe->backend_id = backend_id;
	while (fe->granted < 1 + (1U << fe->order) && !error) {
		unsigned char *page = fe->memory.interface;

		if (fe->granted > 0)
			page = (unsigned char *)fe->memory.data +
			       (fe->granted - 1) * NINEP_PAGE_SIZE;
		error = fe->platform->ops->grant(fe->platform, backend_id, page,
						 &fe->refs[fe->granted]);
		fe->granted += error == 0;
	}
	return error;
}

static void prepare_pages(struct ninep *fe)
{
	struct p9_interface *page = fe->memory.interface;

	/* No old bytes are shown to the back-end. */
	memset(fe->memory.interface, 0, NINEP_PAGE_SIZE);
	memset(fe->memory.data, 0, (size_t)NINEP_PAGE_SIZE << fe->order);
	page->ring_order = fe->order;
	memcpy(page->ref, fe->refs + 1, sizeof(*page->ref) << fe->order);
	device_rings(fe, 0, 0);
}

static void give_up_port(struct ninep *fe)
{
	if (fe->port)
		fe->platform->ops->close_port(fe->platform, fe->port);
	fe->port = 0;
}

static void put_off(struct ninep *fe)
{
	fe->delay = fe->delay ? fe->delay * 2 : DELAY_FIRST;
	if (fe->delay > DELAY_MAX)
		fe->delay = DELAY_MAX;
	fe->retry_at = fe->platform->ops->now(fe->platform) + fe->delay;
}

/* ---- steps ---- */

/* Whether the comma-separated list has the version we speak. */
static bool speaks_our_version(struct ninep *fe, const struct backend *backend)
{
	char path[PATH_MAX_LENGTH + 32], list[64], *rest = list, *one;

	snprintf(path, sizeof(path), "%s/versions", backend->path);
	if (fe->platform->ops->read(fe->platform, path, list, sizeof(list)) < 0)
		return false;
	while ((one = strsep(&rest, ",")))
		if (strcmp(one, "1") == 0)
			return true;
	return false;
}

static int offer(struct ninep *fe, const struct backend *backend)
{
	uint32_t rings = 0, order = 0;
	int error;

	if (!speaks_our_version(fe, backend) ||
	    !read_backend_number(fe, backend, "max-rings", &rings) || rings < 1 ||
	    !read_backend_number(fe, backend, "max-ring-page-order", &order) || order < 1)
		return -EOPNOTSUPP;
	fe->order = order < fe->memory.order ? order : fe->memory.order;
	error = grant_pages(fe, backend->id);
	if (error == 0)
		error = fe->platform->ops->alloc_port(fe->platform, backend->id, &fe->port);
	if (error)
		return error;
	prepare_pages(fe);
	error = fe->platform->ops->write(fe->platform, FRONT "/version", "1");
	if (error == 0)
		error = write_number(fe, FRONT "/num-rings", 1);
	if (error == 0)
		error = write_number(fe, FRONT "/ring-ref0", fe->refs[0]);
	if (error == 0)
		error = write_number(fe, FRONT "/event-channel-0", fe->port);
	if (error == 0)
		error = write_number(fe, FRONT "/state", STATE_INITIALISED);
	return error;
}

static void idle(struct ninep *fe)
{
	session_lost(fe, -ENOTCONN);
	give_up_port(fe);
	fe->device = DEVICE_IDLE;
}

void device_close(struct ninep *fe)
{
	uint32_t ours;

	idle(fe);
	/* A device that was removed does not come back as a node of ours. */
	if (!read_number(fe, FRONT "/state", &ours) || ours == STATE_CLOSED)
		return;
	write_number(fe, FRONT "/state", STATE_CLOSING);
	write_number(fe, FRONT "/state", STATE_CLOSED);
}

static void connect_again(struct ninep *fe, const struct backend *backend)
{
	bool waits = backend->state == STATE_INITWAIT;
	uint32_t online = 1;

	/* The back-end serves a connection that we do not have any more, or wants to end. */
	if (!waits && backend->state >= STATE_INITIALISED && backend->state <= STATE_CLOSING) {
		device_close(fe);
		return;
	}
	if (!waits && (backend->state != STATE_CLOSED || backend->ours == STATE_INITIALISING))
		return;
	read_backend_number(fe, backend, "online", &online);
	if (!online)
		return;
	if (fe->platform->ops->now(fe->platform) < fe->retry_at) {
		fe->look_again = true;
		return;
	}
	put_off(fe);
	if (!waits) {
		/* Both are closed: ask for another beginning. */
		write_number(fe, FRONT "/state", STATE_INITIALISING);
		return;
	}
	if (offer(fe, backend) == 0) {
		fe->device = DEVICE_OFFERED;
		return;
	}
	fe->platform->ops->message(fe->platform, "9pfs: cannot connect to the back-end");
	give_up_port(fe);
	fe->look_again = true;
}

static void connected(struct ninep *fe)
{
	if (write_number(fe, FRONT "/state", STATE_CONNECTED) < 0)
		return;
	fe->device = DEVICE_CONNECTED;
	session_start(fe);
	fe->more = true;
}

void device_look(struct ninep *fe)
{
	struct backend backend;

	fe->look_again = false;
	if (fe->device == DEVICE_BROKEN)
		device_close(fe);
	if (!find_backend(fe, &backend)) {
		if (fe->device != DEVICE_IDLE)
			idle(fe);
		return;
	}
	/* Another device in the place of the one we know, with nodes that are not ours. */
	if (fe->device != DEVICE_IDLE &&
	    (backend.id != fe->backend_id ||
	     backend.ours != (fe->device == DEVICE_OFFERED ? STATE_INITIALISED : STATE_CONNECTED)))
		idle(fe);
	switch (fe->device) {
	case DEVICE_OFFERED:
		if (backend.state == STATE_CONNECTED)
			connected(fe);
		else if (backend.state != STATE_INITWAIT && backend.state != STATE_INITIALISED)
			idle(fe);
		break;
	case DEVICE_CONNECTED:
		if (backend.state != STATE_CONNECTED)
			idle(fe);
		break;
	default:
		break;
	}
	if (fe->device == DEVICE_IDLE)
		connect_again(fe, &backend);
}

void device_break(struct ninep *fe, const char *why)
{
	if (fe->device == DEVICE_BROKEN)
		return;
	fe->device = DEVICE_BROKEN;
	session_lost(fe, -EPROTO);
	fe->platform->ops->message(fe->platform, why);
}
