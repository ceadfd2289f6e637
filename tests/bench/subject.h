/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A subject: one running server that a scenario measures.
 *
 * The driver starts the servers; here each is a name, a socket, a process whose CPU time and
 * memory can be read from outside, and a scale (how many nodes, watches, connections the
 * scenario is to load it with).  CPU time is the server's own, which other people's time slices
 * cannot disturb.
 */
#ifndef BENCH_SUBJECT_H
#define BENCH_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct subject {
	char name[32];
	char variant[32];
	unsigned int scale;
	pid_t pid;
	clockid_t clock;
	int counter; /* of the main thread's CPU time, or -1 */
	char socket[108];
	void *state; /* belongs to the scenario */
};

/* Read "NAME,VARIANT,SCALE,PID,SOCKET"; fails if it is anything else. */
void subject_parse(struct subject *subject, const char *text);

/* CPU time that the server has used, in nanoseconds.  While it runs this is exact only where
 * subject_exact(); else it is what was known at the last timer tick. */
uint64_t subject_cpu_ns(const struct subject *subject);

/* Whether the CPU time of a running server can be seen. */
bool subject_exact(const struct subject *subject);

/* Wait until the server has nothing more to do; returns its CPU time then, always exact. */
uint64_t subject_settle(const struct subject *subject);

/* Resident memory of the server in bytes, and what of it is not shared with anybody: the pages of
 * guests are not the server's. */
size_t subject_rss(const struct subject *subject);
size_t subject_private(const struct subject *subject);

#endif
