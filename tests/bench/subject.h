/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A subject: one running server that a scenario measures.
 *
 * The driver starts the servers; here each is a name, a socket, a process whose CPU time and
 * memory can be read from outside, and a scale (how many nodes, watches, connections the
 * scenario is to load it with).  CPU time is the process' own clock, which other people's time
 * slices cannot disturb.
 */
#ifndef BENCH_SUBJECT_H
#define BENCH_SUBJECT_H

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
	char socket[108];
	void *state; /* belongs to the scenario */
};

/* Read "NAME,VARIANT,SCALE,PID,SOCKET"; fails if it is anything else. */
void subject_parse(struct subject *subject, const char *text);

/* CPU time that the server has used, all threads, in nanoseconds. */
uint64_t subject_cpu_ns(const struct subject *subject);

/* Wait until the server has nothing more to do; returns its CPU time then. */
uint64_t subject_settle(const struct subject *subject);

/* Resident memory of the server in bytes. */
size_t subject_rss(const struct subject *subject);

#endif
