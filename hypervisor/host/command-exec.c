/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Running processes on the host: they get its libraries by the loader's path, its
 * files by a preloaded interposer, and its directory by SIMXEN_DIR.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "hypervisor/libs/client.h"

#define LIBRARIES "simxen-lib"
#define PRELOAD	  "simxen-preload.so"

/* Puts a value in front of a list in the environment, once. */
static void prepend(const char *variable, const char *value)
{
	const char *present = getenv(variable);
	size_t length = strlen(value);
	char *list;

	if (present && strncmp(present, value, length) == 0 &&
	    (present[length] == ':' || present[length] == '\0'))
		return;
	if (asprintf(&list, "%s%s%s", value, present && *present ? ":" : "",
		     present ? present : "") < 0)
		return;
	setenv(variable, list, 1);
	free(list);
}

/* The directory of the libraries, beside this program. */
static bool library_directory(char *path, size_t size)
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (length < 0)
		return false;
	self[length] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return false;
	*slash = '\0';
	return snprintf(path, size, "%s/" LIBRARIES, self) < (int)size && access(path, X_OK) == 0;
}

static void set_environment(const char *libraries)
{
	char preload[PATH_MAX + 32], directory[PATH_MAX], rundir[PATH_MAX + 32], buffer[64];

	if (realpath(simxen_directory(buffer, sizeof(buffer)), directory))
		setenv("SIMXEN_DIR", directory, 1);
	prepend("LD_LIBRARY_PATH", libraries);
	snprintf(preload, sizeof(preload), "%s/" PRELOAD, libraries);
	prepend("LD_PRELOAD", preload);
	if (getenv("XENSTORED_RUNDIR"))
		return;
	snprintf(rundir, sizeof(rundir), "%s/xenstored", directory);
	mkdir(rundir, 0700);
	setenv("XENSTORED_RUNDIR", rundir, 1);
}

int command_exec(const struct command *command, int argc, char **argv)
{
	char libraries[PATH_MAX], rundir[PATH_MAX];
	int i = 1;

	for (; i + 1 < argc && strcmp(argv[i], "--") != 0; i += 2) {
		uint32_t domid;

		if (strcmp(argv[i], "--domain") == 0 && command_domid(argv[i + 1], &domid)) {
			setenv("SIMXEN_DOMID", argv[i + 1], 1);
		} else if (strcmp(argv[i], "--rundir") == 0) {
			if (!realpath(argv[i + 1], rundir))
				return command_failed(command, argv[i + 1], -errno);
			setenv("SIMXEN_RUNDIR", rundir, 1);
			setenv("XENSTORED_RUNDIR", rundir, 1);
		} else {
			return command_usage(command);
		}
	}
	if (i + 1 >= argc || strcmp(argv[i], "--") != 0)
		return command_usage(command);
	simxen_client_free(command_client(command));
	if (!library_directory(libraries, sizeof(libraries))) {
		fprintf(stderr, "simxen exec: there is no " LIBRARIES " beside this program\n");
		return 1;
	}
	set_environment(libraries);
	execvp(argv[i + 1], argv + i + 1);
	command_failed(command, argv[i + 1], -errno);
	return errno == ENOENT ? 127 : 126;
}
