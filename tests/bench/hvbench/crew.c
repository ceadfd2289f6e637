/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads exist before the pause, as CPUs do. Each CPU has a share of the domains that
 * follow each other, for neighbours often have neighbouring memory, and two CPUs that
 * work on them want the same locks. Shares are fixed, so that each CPU's own time says
 * what the restore takes on a machine that does nothing else: the benchmark's may be
 * shared with others.
 */
#include "crew.h"

#include <err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "hypervisor/restore.h"

#define MOST 64u /* CPUs */

struct crew {
	unsigned int cpus;
	pthread_t *threads;
	pthread_barrier_t barrier;
	struct hv_restore *restore;		 /* NULL: go home */
	atomic_uint numbers;			 /* of CPUs that have come */
	uint64_t spent[HV_RESTORE_PASSES][MOST]; /* nanoseconds of each CPU */
};

static uint64_t own_time(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void all_passes(struct crew *crew, unsigned int cpu)
{
	const uint64_t count = crew->restore->domain_count;
	const uint32_t first = (uint32_t)(count * cpu / crew->cpus);
	const uint32_t end = (uint32_t)(count * (cpu + 1) / crew->cpus);

	for (unsigned int pass = 0; pass < HV_RESTORE_PASSES; pass++) {
		const uint64_t since = own_time();

		for (uint32_t i = first; i < end; i++)
			hv_restore_domain(crew->restore, (enum hv_restore_pass)pass, i);
		crew->spent[pass][cpu] = own_time() - since;
		pthread_barrier_wait(&crew->barrier);
	}
}

static void *work(void *data)
{
	struct crew *crew = data;
	const unsigned int cpu = atomic_fetch_add(&crew->numbers, 1) + 1;

	for (;;) {
		pthread_barrier_wait(&crew->barrier);
		if (!crew->restore)
			return NULL;
		all_passes(crew, cpu);
	}
}

struct crew *crew_new(unsigned int cpus)
{
	struct crew *crew = calloc(1, sizeof(*crew));

	if (!crew || cpus > MOST)
		err(1, "memory");
	crew->cpus = cpus;
	crew->threads = calloc(cpus, sizeof(*crew->threads));
	if (!crew->threads || pthread_barrier_init(&crew->barrier, NULL, cpus))
		errx(1, "threads");
	for (unsigned int i = 1; i < cpus; i++) {
		if (pthread_create(&crew->threads[i], NULL, work, crew))
			errx(1, "threads");
	}
	return crew;
}

uint64_t crew_restore(struct crew *crew, struct hv_restore *restore)
{
	uint64_t total = 0;

	crew->restore = restore;
	pthread_barrier_wait(&crew->barrier);
	all_passes(crew, 0);
	for (unsigned int pass = 0; pass < HV_RESTORE_PASSES; pass++) {
		uint64_t longest = 0;

		for (unsigned int i = 0; i < crew->cpus; i++)
			longest = crew->spent[pass][i] > longest ? crew->spent[pass][i] : longest;
		total += longest;
	}
	return total;
}

void crew_free(struct crew *crew)
{
	crew->restore = NULL;
	pthread_barrier_wait(&crew->barrier);
	for (unsigned int i = 1; i < crew->cpus; i++)
		pthread_join(crew->threads[i], NULL);
	pthread_barrier_destroy(&crew->barrier);
	free(crew->threads);
	free(crew);
}
