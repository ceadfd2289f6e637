/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Domains are dealt out in small handfuls, since they differ in size. Threads are made
 * for each pass and awaited at its end: that is the barrier.
 */
#include "cpus.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>

#include "hypervisor/restore.h"

#define CPUS_MAX 64U
#define HANDFUL	 16U

struct pass {
	struct hv_restore *restore;
	enum hv_restore_pass number;
	atomic_uint next;
};

unsigned int cpus_online(void)
{
	cpu_set_t set;
	int count = sched_getaffinity(0, sizeof(set), &set) < 0 ? 1 : CPU_COUNT(&set);

	return count < 1 ? 1 : (unsigned int)count > CPUS_MAX ? CPUS_MAX : (unsigned int)count;
}

static void *work(void *data)
{
	struct pass *pass = data;
	const unsigned int count = pass->restore->domain_count;

	for (;;) {
		unsigned int first = atomic_fetch_add(&pass->next, HANDFUL);

		if (first >= count)
			return NULL;
		for (unsigned int i = first; i < count && i < first + HANDFUL; i++)
			hv_restore_domain(pass->restore, pass->number, i);
	}
}

void cpus_restore(struct hv_restore *restore, unsigned int cpus)
{
	pthread_t others[CPUS_MAX];

	for (int number = 0; number < HV_RESTORE_PASSES; number++) {
		struct pass pass = {.restore = restore, .number = (enum hv_restore_pass)number};
		unsigned int count = 0;

		/* A thread for less than a handful is not worth its making. */
		while (count + 1 < cpus && count < CPUS_MAX &&
		       restore->domain_count > (count + 1) * HANDFUL &&
		       pthread_create(&others[count], NULL, work, &pass) == 0)
			count++;
		work(&pass);
		while (count)
			pthread_join(others[--count], NULL);
	}
}
