/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Validation and taking apart of paths. */
#include "bytes/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The characters of paths. */
static const bool legal_char[256] = {
	['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['-'] = true,
	['/'] = true,	      ['_'] = true,	    ['@'] = true,
};

static bool legal(char c)
{
	return legal_char[(unsigned char)c];
}

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

bool path_name_is_legal(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!legal(name[i]) || name[i] == '/')
			return false;
	return len > 0;
}

size_t path_limited_len(const char *path, size_t len)
{
	static const char home[] = "/local/domain/";
	size_t at = sizeof(home) - 1, digits = 0;

	if (len < at || memcmp(path, home, at) != 0)
		return len;
	while (at < len && digits < 5 && digit(path[at])) {
		at++;
		digits++;
	}
	if (digits == 0 || at >= len || path[at] != '/')
		return len;
	return len - at - 1;
}

int path_make(struct path *path, const char *arg, size_t len, unsigned int domid, bool special,
	      size_t max)
{
	int prefix = 0;

	if (len > 4096)
		return EINVAL;
	for (size_t i = 0; i < len; i++)
		if (!legal(arg[i]))
			return EINVAL;
	if (len && arg[0] == '@') {
		if (!special)
			return EINVAL;
	} else if (!len || arg[0] != '/') {
		prefix = snprintf(path->text, sizeof(path->text), "/local/domain/%u/", domid);
		if (prefix < 0)
			return EINVAL;
	}
	path->prefix = (size_t)prefix;
	memcpy(path->text + prefix, arg, len);
	len += path->prefix;
	path->text[len] = 0;
	path->len = len;

	if (len > 1 && path->text[len - 1] == '/')
		return EINVAL;
	if (memmem(path->text, len, "//", 2))
		return EINVAL;
	if (max && path_limited_len(path->text, len) > max)
		return EINVAL;
	return 0;
}

size_t path_parent_len(const char *path, size_t len)
{
	const char *slash = memrchr(path, '/', len);

	if (!slash || slash == path)
		return slash ? 1 : 0;
	return (size_t)(slash - path);
}

const char *path_next(const char **rest, const char *end, size_t *len)
{
	const char *at = *rest, *stop;

	if (at < end && *at == '/')
		at++;
	if (at >= end)
		return NULL;
	stop = memchr(at, '/', (size_t)(end - at));
	if (!stop)
		stop = end;
	*len = (size_t)(stop - at);
	*rest = stop;
	return at;
}

const char *path_first(const char *path, const char **rest, const char *end, size_t *len)
{
	*rest = path;
	if (path[0] == '/') {
		*len = 1;
		return path;
	}
	return path_next(rest, end, len);
}

bool path_covers(const char *a, size_t alen, const char *b, size_t blen)
{
	if (path_is_root(a, alen))
		return blen && b[0] == '/';
	return alen <= blen && !memcmp(a, b, alen) && (alen == blen || b[alen] == '/');
}
