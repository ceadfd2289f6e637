/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Removing moves the start; the rest is moved up when room is needed.
 */
#include "bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bytes_add(struct bytes *bytes, const void *data, size_t length)
{
	if (length == 0)
		return;
	if (bytes->start + bytes->length + length > bytes->room && bytes->start) {
		memmove(bytes->block, bytes->block + bytes->start, bytes->length);
		bytes->start = 0;
	}
	if (bytes->length + length > bytes->room) {
		bytes->room = (bytes->length + length) * 2;
		bytes->block = realloc(bytes->block, bytes->room);
		if (!bytes->block) {
			fprintf(stderr, "simxen: out of memory\n");
			exit(1);
		}
	}
	memcpy(bytes->block + bytes->start + bytes->length, data, length);
	bytes->length += length;
}

void bytes_remove(struct bytes *bytes, size_t length)
{
	bytes->start += length;
	bytes->length -= length;
	if (!bytes->length)
		bytes->start = 0;
}

const char *bytes_start(const struct bytes *bytes)
{
	return bytes->block ? bytes->block + bytes->start : "";
}

void bytes_deinit(struct bytes *bytes)
{
	free(bytes->block);
	*bytes = (struct bytes){0};
}
