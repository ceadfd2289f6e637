/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The floor: a server that answers every request and does nothing.
 */
#ifndef BENCH_ECHO_H
#define BENCH_ECHO_H

/* Serve on a Unix socket at this path until killed. */
_Noreturn void echo_serve(const char *path);

#endif
