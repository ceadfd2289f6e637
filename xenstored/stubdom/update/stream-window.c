/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Catching what goes by. */
#include "stubdom/update/stream-window.h"

#include <string.h>

void stream_window_init(struct stream_window *window,
			int (*write)(void *data, int (*put)(void *, const void *, size_t),
				     void *sink),
			void *data, char *bytes, size_t room)
{
	memset(window, 0, sizeof(*window));
	window->write = write;
	window->data = data;
	window->bytes = bytes;
	window->room = room;
}

static int put(void *sink, const void *bytes, size_t len)
{
	struct stream_window *window = sink;
	uint64_t next = window->start + window->len; /* to be caught */
	size_t skip, take;

	if (window->passed + len > next && window->len < window->room) {
		skip = (size_t)(next - window->passed);
		take = len - skip;
		if (take > window->room - window->len)
			take = window->room - window->len;
		memcpy(window->bytes + window->len, (const char *)bytes + skip, take);
		window->len += take;
	}
	window->passed += len;
	return 0;
}

ssize_t stream_window_read(struct stream_window *window, uint64_t offset, void *piece, size_t room)
{
	size_t at;
	int error;

	if (!window->passes || offset < window->start || offset >= window->start + window->len) {
		window->start = offset;
		window->len = 0;
		window->passed = 0;
		window->passes++;
		error = window->write(window->data, put, window);
		if (error)
			return -error;
	}
	at = (size_t)(offset - window->start);
	if (room > window->len - at)
		room = window->len - at;
	memcpy(piece, window->bytes + at, room);
	return (ssize_t)room;
}
