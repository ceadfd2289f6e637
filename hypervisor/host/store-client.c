/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocking and simple: requests leave in one piece, then as many answers are
 * read. No watches are set here, so there are no events to expect.
 */
#include "store-client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NUL_MARK '\xff'

int store_init(struct store *store, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memset(store, 0, offsetof(struct store, answer));
	store->fd = -1;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	store->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (store->fd < 0 || connect(store->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return 0;
}

void store_deinit(struct store *store)
{
	if (store->fd >= 0)
		close(store->fd);
	free(store->out);
}

static void append(struct store *store, const void *bytes, size_t length)
{
	if (store->length + length > store->room) {
		size_t room = (store->length + length) * 2;
		char *grown = realloc(store->out, room);

		if (!grown) {
			store->failed = -ENOMEM;
			return;
		}
		store->out = grown;
		store->room = room;
	}
	memcpy(store->out + store->length, bytes, length);
	store->length += length;
}

void store_put(struct store *store, uint32_t type, uint32_t tx_id, const char *format, ...)
{
	struct store_header header = {.type = type, .tx_id = tx_id};
	char payload[STORE_PAYLOAD_MAX];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(payload, sizeof(payload), format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof(payload)) {
		store->failed = -E2BIG;
		return;
	}
	for (int i = 0; i < length; i++)
		if (payload[i] == NUL_MARK)
			payload[i] = '\0';
	header.length = (uint32_t)length;
	append(store, &header, sizeof(header));
	append(store, payload, (size_t)length);
	store->waiting++;
}

static int read_all(int fd, void *buffer, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t part = recv(fd, (char *)buffer + done, length - done, 0);

		if (part < 0 && errno == EINTR)
			continue;
		if (part <= 0)
			return part < 0 ? -errno : -ECONNRESET;
		done += (size_t)part;
	}
	return 0;
}

/* The number of an error that came by name. */
static int error_of(const char *name)
{
	static const struct {
		const char *name;
		int number;
	} errors[] = {{"EINVAL", EINVAL}, {"EACCES", EACCES}, {"EEXIST", EEXIST},
		      {"ENOENT", ENOENT}, {"ENOMEM", ENOMEM}, {"ENOSPC", ENOSPC},
		      {"EAGAIN", EAGAIN}, {"EPERM", EPERM},   {"ENOSYS", ENOSYS}};

	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
		if (strcmp(name, errors[i].name) == 0)
			return -errors[i].number;
	return -EIO;
}

/* Reads one answer. A negative result in *error is the answer's; else the connection failed. */
static int take(struct store *store, int *error)
{
	struct store_header header;
	int failed = read_all(store->fd, &header, sizeof(header));

	if (failed)
		return failed;
	if (header.length > STORE_PAYLOAD_MAX)
		return -EPROTO;
	failed = read_all(store->fd, store->answer, header.length);
	if (failed)
		return failed;
	store->answer[header.length] = '\0';
	*error = header.type == STORE_ERROR ? error_of(store->answer) : 0;
	return 0;
}

static void send_all(struct store *store)
{
	for (size_t done = 0; done < store->length && !store->failed;) {
		ssize_t part = send(store->fd, store->out + done, store->length - done,
				    MSG_NOSIGNAL);

		if (part >= 0)
			done += (size_t)part;
		else if (errno != EINTR)
			store->failed = -errno;
	}
	store->length = 0;
}

int store_next(struct store *store)
{
	int error = 0;

	send_all(store);
	if (!store->failed && store->waiting) {
		store->failed = take(store, &error);
		store->waiting--;
	}
	return store->failed ? store->failed : error;
}

int store_flush(struct store *store)
{
	int first = 0;

	send_all(store);
	while (store->waiting && !store->failed) {
		int error = store_next(store);

		if (error && !first)
			first = error;
	}
	return store->failed ? store->failed : first;
}
