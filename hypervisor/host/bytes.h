/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes on their way: added at the end, removed at the start. One of zeros is
 * empty.
 */
#ifndef HYPERVISOR_HOST_BYTES_H
#define HYPERVISOR_HOST_BYTES_H

#include <stddef.h>

struct bytes {
	char *block;
	size_t start, length, room;
};

/* Ends the program when there is no memory. */
void bytes_add(struct bytes *bytes, const void *data, size_t length);
void bytes_remove(struct bytes *bytes, size_t length);
const char *bytes_start(const struct bytes *bytes);
void bytes_deinit(struct bytes *bytes);

#endif
