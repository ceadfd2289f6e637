/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client's side of a live update.
 *
 * Every step is a CONTROL request that must be answered "OK"; any other text is the daemon's
 * reason, for the user to read. Once the daemon holds a session, a failure ends it ("-a"), so that
 * the next attempt finds the daemon free.
 */
#include "control-client/live-update.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bytes/wire.h"
#include "control-client/control.h"
#include "control-client/kernel-file.h"

/* Exists if and only if xenstored runs in a domain of its own. */
#define STORE_DOMAIN_NODE "/tool/xenstored/domid"

/*
 * Bytes of the kernel in one request: with header and words it goes through the ring, which holds
 * 1024 bytes, in two parts. A third one would cost half as much time again.
 */
#define CHUNK 2000

static void print_failure(const char *what, int ret, const char *reply)
{
	if (ret)
		fprintf(stderr, "%s:\n%s\n", what, strerror(abs(ret)));
	else
		fprintf(stderr, "%s:\n%s\n", what, reply);
}

static bool is_ok(int ret, const char *reply)
{
	return !ret && strcmp(reply, "OK") == 0;
}

/* Sends one step. Returns 0 for "OK", else a negative errno after a message about @what. */
static int step(struct connection *connection, const struct control *control, const char *what)
{
	char *reply;
	int ret = control_send(control, connection, &reply);
	bool ok = is_ok(ret, reply);

	if (!ok)
		print_failure(what, ret, reply);
	free(reply);
	if (ok)
		return 0;
	return ret ? -abs(ret) : -ECANCELED;
}

static void abort_session(struct connection *connection)
{
	struct control control;
	char *reply;

	control_init(&control, "live-update");
	control_add(&control, "-a");
	/* Best effort: the connection may be what failed, and its end ends the session too. */
	if (control_send(&control, connection, &reply) == 0)
		free(reply);
}

/* The daemon's current directory is not the user's. */
static int absolute_name(const char *name, char *path, size_t size)
{
	char cwd[PATH_MAX];
	int length;

	if (*name == '/') {
		length = snprintf(path, size, "%s", name);
	} else {
		if (!getcwd(cwd, sizeof(cwd)))
			return -errno;
		length = snprintf(path, size, "%s/%s", strcmp(cwd, "/") ? cwd : "", name);
	}
	return length >= 0 && (size_t)length < size ? 0 : -ENAMETOOLONG;
}

static int send_binary_name(const struct live_update *update, struct connection *connection)
{
	static const char what[] = "Setting update binary failed";
	struct control control;
	char path[PATH_MAX];
	int ret = absolute_name(update->file, path, sizeof(path));

	if (ret) {
		print_failure(what, ret, NULL);
		return ret;
	}
	control_init(&control, "live-update");
	control_add(&control, "-f");
	control_add(&control, path);
	return step(connection, &control, what);
}

static int send_chunks(const struct kernel_file *kernel, struct connection *connection)
{
	static const char what[] = "Sending new kernel failed";
	struct control control;
	char number[32];
	int ret;

	snprintf(number, sizeof(number), "%zu", kernel->size);
	control_init(&control, "live-update");
	control_add(&control, "-b");
	control_add(&control, number);
	ret = step(connection, &control, what);

	for (size_t sent = 0; !ret && sent < kernel->size;) {
		size_t length = kernel->size - sent < CHUNK ? kernel->size - sent : CHUNK;

		snprintf(number, sizeof(number), "%zu", length);
		control_init(&control, "live-update");
		control_add(&control, "-d");
		control_add(&control, number);
		control_add_bytes(&control, kernel->bytes + sent, length);
		ret = step(connection, &control, what);
		sent += length;
	}
	return ret;
}

static int send_kernel(const struct live_update *update, struct connection *connection)
{
	struct kernel_file kernel;
	int ret = kernel_file_load(&kernel, update->file);

	if (ret) {
		fprintf(stderr, "Loading new kernel failed:\n%s\n", kernel.error);
		return ret;
	}
	ret = send_chunks(&kernel, connection);
	kernel_file_deinit(&kernel);
	return ret;
}

static int send_command_line(const struct live_update *update, struct connection *connection)
{
	struct control control;

	if (!update->command_line)
		return 0;
	control_init(&control, "live-update");
	control_add(&control, "-c");
	control_add(&control, update->command_line);
	return step(connection, &control, "Setting command line failed");
}

static int64_t seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/*
 * The update itself. A daemon either answers when it is over, or "BUSY" as long as it is not; so
 * it is asked at least once, whatever the timeout.
 */
static int start(const struct live_update *update, struct connection *connection)
{
	int64_t end = seconds_now() + update->timeout;
	struct control control;
	char timeout[32];
	char *reply;
	int ret;
	bool ok;

	snprintf(timeout, sizeof(timeout), "%u", update->timeout);
	control_init(&control, "live-update");
	control_add(&control, "-s");
	control_add(&control, "-t");
	control_add(&control, timeout);
	if (update->force)
		control_add(&control, "-F");
	if (update->version) {
		control_add(&control, "-v");
		control_add(&control, update->version);
	}

	if (update->way) {
		control_add(&control, "-m");
		control_add(&control, update->way);
	}
	if (update->serve) {
		control_add(&control, "-w");
		control_add(&control, update->serve);
	}

	for (;;) {
		ret = control_send(&control, connection, &reply);
		if (ret || strcmp(reply, "BUSY") != 0 || seconds_now() >= end)
			break;
		free(reply);
		sleep(1);
	}
	ok = is_ok(ret, reply);
	if (!ok)
		print_failure("Starting live update failed", ret, reply);
	free(reply);
	if (ok)
		return 0;
	return ret ? -abs(ret) : -ECANCELED;
}

int live_update_run(const struct live_update *update, struct connection *connection)
{
	char *domid;
	bool is_domain;
	int ret;

	ret = connection_request(connection, XS_READ, STORE_DOMAIN_NODE, sizeof(STORE_DOMAIN_NODE),
				 &domid, NULL);
	if (ret < 0) {
		print_failure("Cannot talk to xenstored", ret, NULL);
		return ret;
	}
	is_domain = ret == 0;
	free(domid);

	if (is_domain) {
		ret = send_kernel(update, connection);
	} else {
		/* A refused name has opened no session; one that is open is somebody else's. */
		ret = send_binary_name(update, connection);
		if (ret)
			return ret;
	}
	if (!ret)
		ret = send_command_line(update, connection);
	if (!ret)
		ret = start(update, connection);
	if (ret)
		abort_session(connection);
	return ret;
}
