/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One way to stop, see fail.h.
 */
#define _GNU_SOURCE 1
#include "fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char *current = "start";

void fail_scenario(const char *scenario)
{
	current = scenario;
}

void fail(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "xsbench: %s: ", current);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}
