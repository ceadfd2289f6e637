/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the system allows the process. */
#include "daemon/limits.h"

#include <sys/resource.h>

void limits_raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}
