/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPUs that share the passes of a restore: threads that take one domain after the
 * other, and wait for each other between passes.
 *
 * Included by test programs.
 */
#ifndef HYPERVISOR_TEST_THREADS_H
#define HYPERVISOR_TEST_THREADS_H

#include <pthread.h>

#include "hypervisor/restore.h"
#include "hypervisor/test-machine.h"

#define THREADS_MOST 8

struct threads {
	struct hv_restore *restore;
	pthread_barrier_t barrier;
	uint32_t next[HV_RESTORE_PASSES];
};

static void *threads_work(void *data)
{
	struct threads *threads = data;

	for (unsigned int pass = 0; pass < HV_RESTORE_PASSES; pass++) {
		for (;;) {
			uint32_t index = __atomic_fetch_add(&threads->next[pass], 1,
							    __ATOMIC_RELAXED);

			if (index >= threads->restore->domain_count)
				break;
			hv_restore_domain(threads->restore, (enum hv_restore_pass)pass, index);
		}
		pthread_barrier_wait(&threads->barrier);
	}
	return NULL;
}

/* All passes, by @cpus CPUs. */
static inline void threads_restore(struct hv_restore *restore, unsigned int cpus)
{
	struct threads threads = {.restore = restore};
	pthread_t others[THREADS_MOST];

	if (cpus == 1) {
		hv_restore_all(restore);
		return;
	}
	assert_true(cpus <= THREADS_MOST);
	assert_int_equal(pthread_barrier_init(&threads.barrier, NULL, cpus), 0);
	for (unsigned int i = 1; i < cpus; i++)
		assert_int_equal(pthread_create(&others[i], NULL, threads_work, &threads), 0);
	threads_work(&threads);
	for (unsigned int i = 1; i < cpus; i++)
		assert_int_equal(pthread_join(others[i], NULL), 0);
	pthread_barrier_destroy(&threads.barrier);
}

#endif
