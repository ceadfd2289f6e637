/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A restore without a world: transports that lead nowhere, a log that nobody reads.
 *
 * The program that is to take over runs this on an image before the old one
 * lets go, so that a program that cannot restore it, or dies of it, is found
 * while everybody is still served.
 */
#include "liveupdate/dry-run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void no_message(struct logger *log, int priority, const char *text)
{
	(void)log;
	(void)priority;
	(void)text;
}

static bool not_enabled(struct logger *log, enum log_class class)
{
	(void)log;
	(void)class;
	return false;
}

static uint64_t no_time(struct world *world)
{
	(void)world;
	return 1;
}

static ssize_t nothing_comes(struct transport *transport, void *data, size_t len)
{
	(void)transport;
	(void)data;
	(void)len;
	return -EAGAIN;
}

static ssize_t nothing_goes(struct transport *transport, const void *data, size_t len)
{
	(void)transport;
	(void)data;
	(void)len;
	return -EAGAIN;
}

static void no_failure(struct transport *transport, int error)
{
	(void)transport;
	(void)error;
}

static void close_nothing(struct transport *transport)
{
	free(transport);
}

static const struct transport_ops nowhere = {
	.receive = nothing_comes,
	.send = nothing_goes,
	.fail = no_failure,
	.close = close_nothing,
};

static struct transport *new_transport(void)
{
	struct transport *transport = calloc(1, sizeof(*transport));

	if (transport)
		transport->ops = &nowhere;
	return transport;
}

static struct client *try_socket(void *data, int fd)
{
	struct transport *transport = new_transport();

	(void)fd;
	return transport ? core_accept(data, transport) : NULL;
}

static int try_ring(void *data, unsigned int domid, uint32_t port, struct transport **transport)
{
	(void)data;
	(void)domid;
	(void)port;
	*transport = new_transport();
	return *transport ? 0 : -ENOMEM;
}

/* The domain ids of the image are those of the daemon that will restore it. */
static void find_identity(const void *image, size_t size, struct core_config *config)
{
	struct stream_reader reader;
	struct stream_record record;
	struct stream_error error;

	if (stream_reader_init(&reader, image, size, &error))
		return;
	while (stream_next(&reader, &record, &error) == STREAM_RECORD) {
		if (record.type == STREAM_NODE)
			return;
		if (record.type == STREAM_IMAGE && record.understood) {
			config->own_domid = record.own.image.own_domid;
			config->priv_domid = record.own.image.priv_domid;
			return;
		}
	}
}

int image_try(const void *image, size_t size, struct image_report *report)
{
	struct logger logger = {.message = no_message, .enabled = not_enabled};
	struct world world = {.log = &logger, .now = no_time};
	struct image_process process = {
		.listen_fd = -1, .evtchn_fd = -1, .adopt_socket = try_socket, .adopt_ring = try_ring};
	struct core_config config;
	struct core *core;
	int error;

	memset(report, 0, sizeof(*report));
	core_config_defaults(&config);
	find_identity(image, size, &config);
	world.domstate = domstate_none(config.own_domid);
	core = world.domstate ? core_new(&world, &config) : NULL;
	if (!core) {
		domstate_close(world.domstate);
		snprintf(report->error, sizeof(report->error), "out of memory");
		return ENOMEM;
	}
	process.data = core;
	error = image_restore(core, &process, image, size, report);
	core_free(core);
	domstate_close(world.domstate);
	return error;
}
