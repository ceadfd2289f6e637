/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See confine.h. */
#include "ninepfsd/confine.h"

#include <errno.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From the kernel's third version of the interface on; headers may be older. */
#define ACCESS_TRUNCATE (UINT64_C(1) << 14)

/* What is needed below the directory. */
#define ALLOWED                                                                                    \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |                            \
	 LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                            \
	 LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                             \
	 LANDLOCK_ACCESS_FS_MAKE_DIR)

/* What is needed nowhere. */
#define FORBIDDEN                                                                                  \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |                               \
	 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |                            \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

static int restrict_to(int ruleset, int directory, uint64_t allowed)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = allowed,
						  .parent_fd = directory};

	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return -errno;
	return 0;
}

/* Which version of the interface there is; -1: none. */
static long interface_version(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

bool confine_possible(void)
{
	return interface_version() > 0;
}

int confine_thread(int directory)
{
	long version = interface_version();
	uint64_t later = version >= 3 ? ACCESS_TRUNCATE : 0;
	struct landlock_ruleset_attr attributes = {.handled_access_fs = ALLOWED | FORBIDDEN |
									later};
	int ruleset, error;

	if (version < 0)
		return -errno;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
	if (ruleset < 0)
		return -errno;
	error = restrict_to(ruleset, directory, ALLOWED | later);
	close(ruleset);
	return error;
}
