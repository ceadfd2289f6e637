/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of a benchmark that cannot be trusted.
 *
 * A wrong reply or a broken connection makes every number worthless, so there is no error
 * handling anywhere in the load generator: it says what happened and exits with status 1.
 */
#ifndef BENCH_FAIL_H
#define BENCH_FAIL_H

/* Print the message (printf's format, no newline) with the current scenario and exit. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Name what is going on; the pointer is kept and appears in the message of fail(). */
void fail_scenario(const char *scenario);

#endif
