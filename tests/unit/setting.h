/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the environment says about a run of tests: COUNT= how much longer, SEED= and the like. */
#ifndef TESTS_UNIT_SETTING_H
#define TESTS_UNIT_SETTING_H

#include <stdlib.h>

/** The number in the environment variable @name; @otherwise if it is not set or empty. */
static inline unsigned long setting(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoul(text, NULL, 0) : otherwise;
}

#endif
