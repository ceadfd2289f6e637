/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the daemon's files live: the order in which option, environment and compiled-in default
 * are asked, written down once so that daemon and tests cannot disagree about it.
 */
#include "daemon/paths.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

const char *paths_rundir(const char *option)
{
	const char *value;

	if (option && *option)
		return option;
	value = environment("XENSTORED_RUNDIR");
	return value ? value : XENSTORED_RUNDIR_DEFAULT;
}

static int joined(int length, size_t size)
{
	if (length < 0)
		return -EINVAL;
	return (size_t)length < size ? 0 : -ENAMETOOLONG;
}

int paths_socket(char *path, size_t size, const char *option)
{
	const char *value = environment("XENSTORED_PATH");

	if (value)
		return joined(snprintf(path, size, "%s", value), size);
	return joined(snprintf(path, size, "%s/socket", paths_rundir(option)), size);
}

int paths_below_libdir(char *path, size_t size, const char *libdir, const char *name)
{
	if (*name == '/')
		return joined(snprintf(path, size, "%s", name), size);
	return joined(snprintf(path, size, "%s/%s", libdir, name), size);
}

int paths_make_directory(const char *path)
{
	char part[PATH_MAX];
	struct stat st;
	size_t length = strlen(path);

	if (!length)
		return -ENOENT;
	if (length >= sizeof(part))
		return -ENAMETOOLONG;
	memcpy(part, path, length + 1);

	for (size_t i = 1; i <= length; i++) {
		if (part[i] != '/' && part[i] != '\0')
			continue;
		part[i] = '\0';
		/* Parents may be read-only mounts: existence counts, not the reason of the failure.
		 */
		if (mkdir(part, 0755) < 0) {
			int err = errno;

			if (stat(part, &st) < 0)
				return -err;
			if (!S_ISDIR(st.st_mode))
				return -ENOTDIR;
		}
		part[i] = path[i];
	}
	return 0;
}
