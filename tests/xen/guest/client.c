/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest as a well-behaved Xenstore client.
 *
 * It reads its domid and writes data/hello with it, tries to write below dom0's part of the store
 * and notes the answer in data/refused, then watches data/ping, whose value it copies to data/pong
 * each time it changes, and control/shutdown.
 */
#include "roles.h"
#include "wire.h"
#include "xen.h"

static uint32_t last_req_id;

/* What events have asked for and was not done yet. */
static bool ping_due, shutdown_due;

/* One message from xenstored; an event is noted. */
static void take_message(void)
{
	receive_message();
	if (reply.type != XS_WATCH_EVENT)
		return;
	/* The token follows the path. */
	if (equal(payload + length(payload) + 1, "ping"))
		ping_due = true;
	else
		shutdown_due = true;
}

/* A request of a path and a value; its reply is in payload. Returns whether it succeeded. */
static bool request(enum message_type type, const char *path, const char *value, size_t size)
{
	uint32_t req_id = ++last_req_id;

	send_request(type, req_id, path, value, size);
	do
		take_message();
	while (reply.type == XS_WATCH_EVENT);
	if (reply.req_id != req_id)
		xen_shutdown(SHUTDOWN_CRASH);
	return reply.type != XS_ERROR;
}

static bool read_node(const char *path)
{
	return request(XS_READ, path, NULL, 0);
}

static bool write_node(const char *path, const char *value)
{
	return request(XS_WRITE, path, value, length(value));
}

/* Writes what is in payload, which the request itself overwrites. */
static void write_copy(const char *path)
{
	static char copy[PAYLOAD_MAX + 1];

	memcpy(copy, payload, reply.length + 1);
	write_node(path, copy);
}

static void set_watches(void)
{
	request(XS_WATCH, "data/ping", "ping", sizeof("ping"));
	request(XS_WATCH, "control/shutdown", "shutdown", sizeof("shutdown"));
}

static void say_hello(void)
{
	if (!read_node("domid"))
		console_write("no domid\r\n");
	write_copy("data/hello");
}

static void obey_shutdown(void)
{
	enum shutdown_reason reason;

	if (!read_node("control/shutdown") || !*payload)
		return;
	reason = equal(payload, "crash")     ? SHUTDOWN_CRASH
		 : equal(payload, "reboot")  ? SHUTDOWN_REBOOT
		 : equal(payload, "suspend") ? SHUTDOWN_SUSPEND
					     : SHUTDOWN_POWEROFF;
	write_node("control/shutdown", "");
	if (reason != SHUTDOWN_SUSPEND)
		xen_shutdown(reason);
	xen_suspend();
	/* In a new domain these are new; in the old one each of them is there already. */
	set_watches();
	say_hello();
}

_Noreturn void client_role(void)
{
	console_write("client starts\r\n");
	if (!write_node("/local/domain/0/data", "mine"))
		write_copy("data/refused");
	set_watches();
	say_hello();
	for (;;) {
		if (ping_due) {
			ping_due = false;
			if (read_node("data/ping"))
				write_copy("data/pong");
		} else if (shutdown_due) {
			shutdown_due = false;
			obey_shutdown();
		} else {
			take_message();
		}
	}
}
