/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See nodes.h.
 */
#include "ninepfsd/nodes.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *read_list(struct xs_handle *xs, xs_transaction_t t, const char *format,
		       va_list arguments)
{
	char path[NODES_PATH_MAX];
	unsigned int length;
	int size = vsnprintf(path, sizeof(path), format, arguments);

	if (size < 0 || (size_t)size >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return xs_read(xs, t, path, &length);
}

char *nodes_read(struct xs_handle *xs, xs_transaction_t t, const char *path, ...)
{
	va_list arguments;
	char *value;

	va_start(arguments, path);
	value = read_list(xs, t, path, arguments);
	va_end(arguments);
	return value;
}

uint64_t nodes_read_number(struct xs_handle *xs, uint64_t otherwise, const char *path, ...)
{
	unsigned long long number;
	va_list arguments;
	char *value, *end;

	va_start(arguments, path);
	value = read_list(xs, XBT_NULL, path, arguments);
	va_end(arguments);
	if (!value)
		return otherwise;
	errno = 0;
	number = strtoull(value, &end, 10);
	if (value[0] < '0' || value[0] > '9' || *end || errno)
		number = otherwise;
	free(value);
	return number;
}

bool nodes_write(struct xs_handle *xs, xs_transaction_t t, const char *directory, const char *name,
		 const char *value)
{
	char path[NODES_PATH_MAX];
	int size = snprintf(path, sizeof(path), "%s/%s", directory, name);

	if (size < 0 || (size_t)size >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	return xs_write(xs, t, path, value, (unsigned int)strlen(value));
}

bool nodes_write_number(struct xs_handle *xs, xs_transaction_t t, const char *directory,
			const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return nodes_write(xs, t, directory, name, text);
}

bool nodes_remove(struct xs_handle *xs, const char *path)
{
	const char *slash = strrchr(path, '/');
	char parent[NODES_PATH_MAX], **children;
	unsigned int count;

	if (!xs_rm(xs, XBT_NULL, path))
		return false;
	if (!slash || (size_t)(slash - path) >= sizeof(parent))
		return true;
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = '\0';
	children = xs_directory(xs, XBT_NULL, parent, &count);
	if (children && count == 0)
		xs_rm(xs, XBT_NULL, parent);
	free(children);
	return true;
}
