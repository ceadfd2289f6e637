/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeping a CPU awake while round trips are measured.
 *
 * With one request at a time both CPUs fall idle twice in each round trip.  Waking an idle
 * (virtual) CPU takes longer than the whole request and depends on how long it slept, so a
 * slower server can look faster.  A task of the idle class, which every other task preempts at
 * once, takes that out of the comparison.
 */
#define _GNU_SOURCE 1
#include "awake.h"
#include "fail.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

void awake_spin(unsigned int cpu)
{
	struct sched_param param = {.sched_priority = 0};
	cpu_set_t set;

	fail_scenario("awake");
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0 ||
	    sched_setscheduler(0, SCHED_IDLE, &param) < 0)
		fail("cannot be an idle task on CPU %u: %s", cpu, strerror(errno));
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == 1)
		_exit(0); /* too late: the parent has gone before */
	for (;;)
		__asm__ volatile("");
}
