/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client's connection to xenstored: find the daemon, frame a request, wait for its reply. */
#include "control-client/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "bytes/wire.h"
#include "daemon/paths.h"

static const char *const devices[] = {"/dev/xen/xenbus", "/proc/xen/xenbus"};

static int open_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	while (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		int err = errno;

		if (err == EINTR)
			continue;
		close(fd);
		return -err;
	}
	return fd;
}

static int open_device(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int open_any(void)
{
	const char *only = getenv("XENSTORED_PATH");
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct stat st;
	int fd, first;

	if (only && *only) {
		if (stat(only, &st) < 0)
			return -errno;
		return S_ISSOCK(st.st_mode) ? open_socket(only) : open_device(only);
	}

	first = paths_socket(path, sizeof(path), NULL);
	if (!first)
		first = open_socket(path);
	if (first >= 0)
		return first;
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		fd = open_device(devices[i]);
		if (fd >= 0)
			return fd;
	}
	return first;
}

int connection_open(struct connection *connection)
{
	int fd = open_any();

	connection->request_id = 0;
	connection->fd = fd;
	return fd < 0 ? fd : 0;
}

void connection_close(struct connection *connection)
{
	if (connection->fd >= 0)
		close(connection->fd);
	connection->fd = -1;
}

static int write_all(int fd, const void *data, size_t length)
{
	const char *from = data;

	while (length > 0) {
		ssize_t done = write(fd, from, length);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		from += done;
		length -= (size_t)done;
	}
	return 0;
}

static int read_all(int fd, void *data, size_t length)
{
	char *to = data;

	while (length > 0) {
		ssize_t done = read(fd, to, length);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		if (done == 0)
			return -EPIPE;
		to += done;
		length -= (size_t)done;
	}
	return 0;
}

/* The errno that @name stands for. The daemon sends EINVAL for what has no name, so do we. */
static int error_number(const char *name)
{
	if (strcmp(name, wire_error_name(EINVAL)) == 0)
		return EINVAL;
	for (int error = 1; error < 256; error++) {
		if (strcmp(name, wire_error_name(error)) == 0)
			return error;
	}
	return EINVAL;
}

static int receive(int fd, struct wire_header *header, char **payload)
{
	int ret = read_all(fd, header, sizeof(*header));

	if (ret)
		return ret;
	if (header->len > WIRE_PAYLOAD_MAX)
		return -EPROTO;
	*payload = malloc((size_t)header->len + 1);
	if (!*payload)
		return -ENOMEM;
	ret = read_all(fd, *payload, header->len);
	if (ret) {
		free(*payload);
		*payload = NULL;
		return ret;
	}
	(*payload)[header->len] = '\0';
	return 0;
}

int connection_request(struct connection *connection, uint32_t type, const void *payload,
		       size_t length, char **reply, size_t *reply_length)
{
	struct {
		struct wire_header header;
		char payload[WIRE_PAYLOAD_MAX];
	} message = {.header = {.type = type}};
	struct wire_header header;
	char *text;
	int ret;

	*reply = NULL;
	if (length > WIRE_PAYLOAD_MAX)
		return -E2BIG;
	message.header.req_id = ++connection->request_id;
	message.header.len = (uint32_t)length;
	if (length)
		memcpy(message.payload, payload, length);
	ret = write_all(connection->fd, &message, sizeof(message.header) + length);
	if (ret)
		return ret;

	for (;;) {
		ret = receive(connection->fd, &header, &text);
		if (ret)
			return ret;
		if (header.type != XS_WATCH_EVENT)
			break;
		free(text);
	}

	if (header.type == XS_ERROR) {
		ret = error_number(text);
		free(text);
		return ret;
	}
	if (header.type != type || header.req_id != message.header.req_id) {
		free(text);
		return -EPROTO;
	}
	*reply = text;
	if (reply_length)
		*reply_length = header.len;
	return 0;
}
