/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions that are there to be found by the loader, and answer ENOSYS. Which
 * parameters they have does not matter to a function that looks at none.
 */
#ifndef HYPERVISOR_LIBS_ABSENT_H
#define HYPERVISOR_LIBS_ABSENT_H

#include <errno.h>

#define ABSENT(name)                                                                               \
	int name(void);                                                                            \
	int name(void)                                                                             \
	{                                                                                          \
		errno = ENOSYS;                                                                    \
		return -1;                                                                         \
	}

#endif
