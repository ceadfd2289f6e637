/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See privileges.h. */
#include "daemon/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* No program that is run gets any. Only who may set capabilities may do that, others need not. */
static void drop_bounding_set(void)
{
	for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0;
	     capability++)
		prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

static int become(const char *name)
{
	const struct passwd *user;

	errno = 0;
	user = getpwnam(name);
	if (!user)
		return errno ? -errno : -ENOENT;
	if (initgroups(name, user->pw_gid) < 0 ||
	    setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
	    setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
		return -errno;
	return 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

	/* The ambient ones go with the inheritable ones. */
	return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

int privileges_drop(const char *user)
{
	int error;

	drop_bounding_set();
	error = user ? become(user) : 0;
	if (error == 0)
		error = drop_capabilities();
	if (error == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		error = -errno;
	return error;
}
