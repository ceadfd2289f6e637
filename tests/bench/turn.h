/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The longest turn of a server's loop, as the server itself tells it.
 */
#ifndef BENCH_TURN_H
#define BENCH_TURN_H

#include "client.h"

/* Ask for a memory report and find the longest turn in it, in microseconds of the thread's own
 * CPU time since the server started; negative if the server does not tell. */
double turn_longest_us(struct client *client);

#endif
