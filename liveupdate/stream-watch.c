/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Extended watches as they are found in the wild (spec: live-update.md
 * section 2, "WATCH_EXTENDED").
 *
 *      documented   conn-id | P | T | depth | pad | path NUL token NUL
 *      read by 4.22 conn-id | P | T | depth | path NUL token NUL
 *      written      conn-id | P | T | path NUL token NUL        and up to 8 bytes short
 *
 * Which one it is shows by where the two NULs are, and by a path that is one.
 */
#include "bytes/path.h"
#include "liveupdate/stream-reader.h"

#include <string.h>

#define DEPTH_UNLIMITED 0xffffu

static bool strings_at(const uint8_t *body, size_t len, size_t offset, size_t path, size_t token)
{
	struct path made;

	if (path < 2 || !token || offset + path + token > len)
		return false;
	if (memchr(body + offset, 0, path) != body + offset + path - 1 ||
	    memchr(body + offset + path, 0, token) != body + offset + path + token - 1)
		return false;
	return !path_make(&made, (const char *)body + offset, path - 1, 0, true, 0);
}

/* Whether records could stand at @at, looking at a few. */
static bool plausible(const uint8_t *image, size_t size, size_t at)
{
	for (int i = 0; i < 4; i++) {
		uint32_t header[2];

		if (at > size || size - at < sizeof(header))
			return false;
		memcpy(header, image + at, sizeof(header));
		at += sizeof(header);
		if (header[0] == STREAM_END)
			return !header[1] && at == size;
		if (!header[1] || stream_round(header[1]) > size - at)
			return false;
		if (header[0] > STREAM_WATCH_EXTENDED && !stream_is_own(header[0]))
			return false;
		at += stream_round(header[1]);
	}
	return true;
}

/**
 * Fill @record from the extended watch whose body is at @at; its length is known to be inside the
 * image. Returns false when it has none of the forms.
 */
bool stream_watch_extended(const uint8_t *image, size_t size, size_t at,
			   struct stream_record *record)
{
	const uint8_t *body = image + at;
	uint16_t path, token, depth;
	size_t offset;

	if (record->length < 10)
		return false;
	memcpy(&record->watch.conn_id, body, 4);
	memcpy(&path, body + 4, 2);
	memcpy(&token, body + 6, 2);
	memcpy(&depth, body + 8, 2);
	for (offset = 12; offset >= 8; offset -= 2)
		if (strings_at(body, record->length, offset, path, token))
			break;
	if (offset < 8)
		return false;
	record->watch.path = (const char *)body + offset;
	record->watch.path_len = (uint16_t)(path - 1);
	record->watch.token = record->watch.path + path;
	record->watch.token_len = (uint16_t)(token - 1);
	record->watch.depth = depth == DEPTH_UNLIMITED ? STREAM_NO_DEPTH : depth;
	if (offset == 12)
		return true;
	record->odd |= STREAM_ODD_WATCH;
	if (offset == 8) {
		size_t whole = stream_round(8u + path + token);

		/* The depth was not written. For special names any depth means "with the domid",
		 * and 1 is what is asked for; for others too many events are better than too few.
		 */
		record->watch.depth = record->watch.path[0] == '@' ? 1 : STREAM_NO_DEPTH;
		if (whole < stream_round(record->length) && plausible(image, size, at + whole)) {
			record->odd |= STREAM_ODD_SHORT;
			record->size = STREAM_HEADER_SIZE + whole;
		}
	}
	return true;
}
