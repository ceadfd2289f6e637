/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads exist before the pause, as CPUs do. Domains are dealt out in handfuls: one at
 * a time would make all CPUs wait for the counter, and many at a time would leave some
 * without work at the end of a pass.
 */
#include "crew.h"

#include <err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "hypervisor/restore.h"

#define HANDFUL 32u

struct crew {
	unsigned int cpus;
	pthread_t *threads;
	pthread_barrier_t barrier;
	struct hv_restore *restore; /* NULL: go home */
	atomic_uint next[HV_RESTORE_PASSES];
};

static void all_passes(struct crew *crew)
{
	for (unsigned int pass = 0; pass < HV_RESTORE_PASSES; pass++) {
		const uint32_t count = crew->restore->domain_count;
		uint32_t first;

		while ((first = atomic_fetch_add(&crew->next[pass], HANDFUL)) < count) {
			uint32_t end = first + HANDFUL < count ? first + HANDFUL : count;

			for (uint32_t i = first; i < end; i++)
				hv_restore_domain(crew->restore, (enum hv_restore_pass)pass, i);
		}
		pthread_barrier_wait(&crew->barrier);
	}
}

static void *work(void *data)
{
	struct crew *crew = data;

	for (;;) {
		pthread_barrier_wait(&crew->barrier);
		if (!crew->restore)
			return NULL;
		all_passes(crew);
	}
}

struct crew *crew_new(unsigned int cpus)
{
	struct crew *crew = calloc(1, sizeof(*crew));

	if (!crew)
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

void crew_restore(struct crew *crew, struct hv_restore *restore)
{
	crew->restore = restore;
	for (unsigned int pass = 0; pass < HV_RESTORE_PASSES; pass++)
		atomic_store(&crew->next[pass], 0);
	pthread_barrier_wait(&crew->barrier);
	all_passes(crew);
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
