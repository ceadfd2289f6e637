/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an exec of another program needs: arguments, descriptors, and an image of the state. */
#include "daemon/update-parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/options.h"

char **update_arguments(const struct update *update, bool foreign)
{
	const char *line = update->session.cmdline ? update->session.cmdline : "";
	size_t count = 0, size = strlen(line) + 1;
	char **argv, *words, *save = NULL;
	bool has_update = false;

	while (update->argv[count])
		count++;
	count += size / 2 + 4;
	argv = malloc(count * sizeof(*argv) + size);
	if (!argv)
		return NULL;
	words = (char *)(argv + count);
	memcpy(words, line, size);
	count = 0;
	argv[count++] = (char *)(uintptr_t)update->file;
	if (update->session.cmdline) {
		for (char *word = strtok_r(words, " \t", &save); word;
		     word = strtok_r(NULL, " \t", &save))
			argv[count++] = word;
	} else {
		for (size_t i = 1; update->argv[i]; i++) {
			size_t skip = foreign ? options_own_words(update->argv + i) : 0;

			if (skip)
				i += skip - 1;
			else
				argv[count++] = update->argv[i];
		}
	}
	for (size_t i = 1; i < count; i++)
		has_update |= !strcmp(argv[i], "-U") || !strcmp(argv[i], "--live-update");
	if (!has_update)
		argv[count++] = (char *)(uintptr_t) "-U";
	argv[count] = NULL;
	return argv;
}

/* Call @use for each descriptor that the image names. */
static void each_crossing(const struct update *update, void (*use)(void *data, int fd), void *data)
{
	const struct client *client;

	use(data, update->listener->fd);
	if (update->host->has_rings)
		use(data, update->host->device.source.fd);
	TAILQ_FOREACH(client, &update->core->clients, link) {
		struct transport_place place = {.fd = -1};

		/* One inside of this program has none; one that is in no image ends here. */
		if (!client->image_id || !client->transport->ops->describe)
			continue;
		client->transport->ops->describe(client->transport, &place);
		if (place.fd >= 0)
			use(data, place.fd);
	}
}

struct crossing {
	int *fd;
	ssize_t count;
};

static void collect(void *data, int fd)
{
	struct crossing *crossing = data;

	crossing->fd[crossing->count++] = fd;
}

ssize_t update_crossing(const struct update *update, int **list)
{
	struct crossing crossing = {.count = 0};

	crossing.fd = malloc((update->core->client_count + 2) * sizeof(*crossing.fd));
	if (!crossing.fd)
		return -ENOMEM;
	each_crossing(update, collect, &crossing);
	*list = crossing.fd;
	return crossing.count;
}

static void let_cross(void *data, int fd)
{
	const bool *cross = data;

	fcntl(fd, F_SETFD, *cross ? 0 : FD_CLOEXEC);
}

/* Without memory, since a program that finds nothing to serve on would be none. */
void update_let_cross(struct update *update, bool cross)
{
	each_crossing(update, let_cross, &cross);
}

static int write_all(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len) {
		ssize_t done = write(fd, at, len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return errno;
		at += done;
		len -= (size_t)done;
	}
	return 0;
}

int update_sink_flush(struct update_sink *sink)
{
	int error = write_all(sink->fd, sink->data, sink->len);

	sink->len = 0;
	return error;
}

int update_sink_put(void *data, const void *bytes, size_t len)
{
	struct update_sink *sink = data;
	int error = 0;

	if (len > sizeof(sink->data) - sink->len)
		error = update_sink_flush(sink);
	if (!error && len > sizeof(sink->data))
		return write_all(sink->fd, bytes, len);
	if (!error) {
		memcpy(sink->data + sink->len, bytes, len);
		sink->len += len;
	}
	return error;
}

int update_write_image(struct update *update, const char *dialect, uint32_t version, int fd)
{
	struct update_sink *sink = malloc(sizeof(*sink));
	struct stream_writer writer;
	int error;

	if (!sink)
		return ENOMEM;
	sink->fd = fd;
	sink->len = 0;
	update_describe_process(update);
	error = stream_writer_init(&writer, stream_dialect_find(dialect), version, update_sink_put,
				   sink);
	if (!error)
		error = image_save(update->core, &update->process, &update->session.requester,
				   &writer);
	if (!error)
		error = update_sink_flush(sink);
	free(sink);
	return error;
}
