/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xsbench: load generator and floor of the benchmark.
 *
 *     xsbench echo SOCKET
 *     xsbench awake CPU
 *     xsbench run SCENARIO [-b blocks] [-n operations] [-t milliseconds] [-c cpu] SUBJECT...
 *
 * "echo" is the server that does nothing, "awake" keeps a CPU from sleeping.  "run" measures
 * servers that are already running and prints one line for each sample; the driver in this
 * directory starts the servers, takes the ratios, and knows the targets.
 */
#define _GNU_SOURCE 1
#include "awake.h"
#include "echo.h"
#include "fail.h"
#include "sample.h"
#include "scenario.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUBJECTS 16

bool plan_more(const struct plan *plan, size_t done, uint64_t start)
{
	/* Three operations make a median even of the slowest server. */
	if (done < 3)
		return true;
	return done < plan->ops && now_ns() - start < (uint64_t)plan->limit_ms * 1000000u;
}

static const struct scenario *find(const char *name)
{
	static const struct scenario *const tables[] = {
		roundtrip_scenarios, size_scenarios,	throughput_scenarios,  fanout_scenarios,
		beside_scenarios,    removal_scenarios, transaction_scenarios, vm_scenarios,
		scale_scenarios,     ring_scenarios,
	};

	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct scenario *s = tables[t]; s->name; s++)
			if (strcmp(s->name, name) == 0)
				return s;
	fail("no scenario called %s", name);
}

static void run(const struct scenario *scenario, const struct plan *plan, struct subject *subjects,
		size_t count)
{
	for (size_t i = 0; i < count; i++)
		scenario->prepare(&subjects[i], plan);
	for (int block = -1; block < (int)plan->blocks; block++) {
		/* Every other block in the opposite order: nobody is always the first. */
		for (size_t i = 0; i < count; i++)
			scenario->block(&subjects[block & 1 ? count - 1 - i : i], plan, block);
		fflush(stdout);
	}
}

static unsigned int number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || n > 1000000000ul)
		fail("not a number: %s", text);
	return (unsigned int)n;
}

static void pin(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		fail("cannot run on CPU %u: %s", cpu, strerror(errno));
}

static int usage(void)
{
	fprintf(stderr, "usage: xsbench echo SOCKET\n"
			"       xsbench awake CPU\n"
			"       xsbench run SCENARIO [-b blocks] [-n operations] [-t milliseconds]"
			" [-c cpu] NAME,VARIANT,SCALE,PID,SOCKET...\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct plan plan = {.blocks = 10, .ops = 100, .limit_ms = 100};
	static struct subject subjects[SUBJECTS];
	const struct scenario *scenario;
	size_t count = 0;
	int option;

	if (argc == 3 && strcmp(argv[1], "echo") == 0)
		echo_serve(argv[2]);
	if (argc == 3 && strcmp(argv[1], "awake") == 0)
		awake_spin(number(argv[2]));
	if (argc < 4 || strcmp(argv[1], "run") != 0)
		return usage();
	signal(SIGPIPE, SIG_IGN);
	scenario = find(argv[2]);
	fail_scenario(scenario->name);
	optind = 3;
	while ((option = getopt(argc, argv, "b:n:t:c:")) != -1) {
		if (option == 'b')
			plan.blocks = number(optarg);
		else if (option == 'n')
			plan.ops = number(optarg);
		else if (option == 't')
			plan.limit_ms = number(optarg);
		else if (option == 'c')
			pin(number(optarg));
		else
			return usage();
	}
	for (; optind < argc; optind++) {
		if (count == SUBJECTS)
			fail("more than %d subjects", SUBJECTS);
		subject_parse(&subjects[count++], argv[optind]);
	}
	if (count == 0)
		return usage();
	run(scenario, &plan, subjects, count);
	return 0;
}
