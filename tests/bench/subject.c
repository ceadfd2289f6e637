/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server seen from outside, see subject.h.
 *
 * A process' CPU clock, read by another process, does not know of the time since the server
 * last got the CPU; it jumps at the next timer tick, milliseconds later.  A perf counter does
 * know, but is not allowed everywhere.
 */
#define _GNU_SOURCE 1
#include "subject.h"
#include "fail.h"
#include "sample.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A server counts as idle when its clock stood still for this long. */
#define QUIET_US	  2000
#define QUIET_DEADLINE_NS 60000000000u

/* A counter of the CPU time of the main thread, which does all the work of each server here. */
static int open_counter(pid_t pid)
{
	struct perf_event_attr attributes = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attributes),
		.config = PERF_COUNT_SW_TASK_CLOCK,
	};

	return (int)syscall(SYS_perf_event_open, &attributes, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

void subject_parse(struct subject *subject, const char *text)
{
	int pid, used = 0;

	memset(subject, 0, sizeof(*subject));
	if (sscanf(text, "%31[^,],%31[^,],%u,%d,%n", subject->name, subject->variant,
		   &subject->scale, &pid, &used) != 4 ||
	    used == 0)
		fail("not NAME,VARIANT,SCALE,PID,SOCKET: %s", text);
	text += used;
	if (text[0] == '\0' || strlen(text) >= sizeof(subject->socket))
		fail("socket path is empty or too long: %s", text);
	strcpy(subject->socket, text);
	subject->pid = pid;
	if (clock_getcpuclockid(subject->pid, &subject->clock) != 0)
		fail("%s: no process %d", subject->name, pid);
	subject->counter = open_counter(subject->pid);
}

bool subject_exact(const struct subject *subject)
{
	return subject->counter >= 0;
}

uint64_t subject_cpu_ns(const struct subject *subject)
{
	struct timespec t;
	uint64_t ns;

	if (subject->counter >= 0) {
		if (read(subject->counter, &ns, sizeof(ns)) != sizeof(ns))
			fail("%s: counter: %s", subject->name, strerror(errno));
		return ns;
	}
	if (clock_gettime(subject->clock, &t) < 0)
		fail("%s: process %d is gone", subject->name, (int)subject->pid);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t subject_settle(const struct subject *subject)
{
	uint64_t deadline = now_ns() + QUIET_DEADLINE_NS;
	uint64_t before, after = subject_cpu_ns(subject);

	do {
		if (now_ns() > deadline)
			fail("%s: is busy for ever without a request", subject->name);
		before = after;
		usleep(QUIET_US);
		after = subject_cpu_ns(subject);
	} while (after != before);
	return after;
}

static void read_pages(const struct subject *subject, unsigned long *resident,
		       unsigned long *shared)
{
	char path[64];
	unsigned long total;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)subject->pid);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%lu %lu %lu", &total, resident, shared) != 3)
		fail("%s: cannot read %s", subject->name, path);
	fclose(file);
}

size_t subject_rss(const struct subject *subject)
{
	unsigned long resident, shared;

	read_pages(subject, &resident, &shared);
	return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}

size_t subject_private(const struct subject *subject)
{
	unsigned long resident, shared;

	read_pages(subject, &resident, &shared);
	return (size_t)(resident - shared) * (size_t)sysconf(_SC_PAGESIZE);
}
