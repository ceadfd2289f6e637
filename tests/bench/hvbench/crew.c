/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads exist before the pause, as CPUs do. Each begins with a share of the domains
 * that follow each other, for neighbours often have neighbouring memory, and two CPUs
 * that work on them want the same locks. Who has done its share helps others with
 * theirs: domains differ, and domain 0 is a pass's longest piece of work.
 *
 * The machine on which this runs may do other things, too, so that a thread stands still
 * while the other would do all of the work. Therefore a thread that has had more time of
 * its CPU than another waits for it: they share the work as if both were never
 * interrupted.
 */
#include "crew.h"

#include <err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "hypervisor/restore.h"

#define HANDFUL 64u	/* few enough to be shared, and many compared with reading clocks */
#define MOST	64u	/* CPUs */
#define AHEAD	100000u /* nanoseconds that one CPU may be ahead of another */

struct cpu {
	_Alignas(64) pthread_t thread;
	clockid_t clock;	   /* of the thread's own time */
	_Atomic uint64_t since;	   /* its time when it began the pass, 0: it has not begun */
	_Atomic uint64_t waited;   /* of its time: not for the pass */
	_Atomic uint64_t finished; /* the time that it needed, 0: it is not ready */
	atomic_uint next;	   /* domain of its share */
	uint32_t end;
};

struct crew {
	unsigned int count;
	struct hv_restore *restore; /* NULL: go home */
	enum hv_restore_pass pass;
	pthread_barrier_t barrier;
	atomic_uint numbers; /* of CPUs that have come */
	struct cpu cpus[MOST];
};

static uint64_t read_clock(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* How long a CPU has worked on this pass. */
static uint64_t progress(struct cpu *cpu)
{
	const uint64_t since = atomic_load(&cpu->since);

	return since ? read_clock(cpu->clock) - since - atomic_load(&cpu->waited) : 0;
}

/* Wait until no other CPU that still works is far behind. */
static void keep_step(struct crew *crew, struct cpu *cpu)
{
	const struct timespec moment = {.tv_nsec = 50000};
	const uint64_t own = progress(cpu);

	for (unsigned int i = 0; i < crew->count; i++) {
		struct cpu *other = &crew->cpus[i];

		while (other != cpu && !atomic_load(&other->finished) &&
		       progress(other) + AHEAD < own)
			nanosleep(&moment, NULL);
	}
	atomic_fetch_add(&cpu->waited, progress(cpu) - own);
}

/* Some domains of a share; false when there are none left. */
static bool do_handful(struct crew *crew, struct cpu *share)
{
	const uint32_t first = atomic_fetch_add(&share->next, HANDFUL);
	const uint32_t end = first + HANDFUL < share->end ? first + HANDFUL : share->end;

	for (uint32_t i = first; i < end; i++)
		hv_restore_domain(crew->restore, crew->pass, i);
	return first < share->end;
}

static void do_pass(struct crew *crew, unsigned int number)
{
	struct cpu *cpu = &crew->cpus[number];

	atomic_store(&cpu->since, read_clock(cpu->clock));
	for (unsigned int i = 0; i < crew->count; i++) {
		while (do_handful(crew, &crew->cpus[(number + i) % crew->count])) {
			if (crew->count > 1)
				keep_step(crew, cpu);
		}
	}
	atomic_store(&cpu->finished, progress(cpu) + 1);
	pthread_barrier_wait(&crew->barrier);
}

static void *work(void *data)
{
	struct crew *crew = data;
	const unsigned int number = atomic_fetch_add(&crew->numbers, 1) + 1;

	pthread_getcpuclockid(pthread_self(), &crew->cpus[number].clock);
	for (;;) {
		pthread_barrier_wait(&crew->barrier);
		if (!crew->restore)
			return NULL;
		do_pass(crew, number);
	}
}

struct crew *crew_new(unsigned int cpus)
{
	struct crew *crew = aligned_alloc(64, sizeof(*crew));

	if (!crew || cpus > MOST)
		err(1, "memory");
	*crew = (struct crew){.count = cpus};
	if (pthread_barrier_init(&crew->barrier, NULL, cpus))
		errx(1, "threads");
	pthread_getcpuclockid(pthread_self(), &crew->cpus[0].clock);
	for (unsigned int i = 1; i < cpus; i++) {
		if (pthread_create(&crew->cpus[i].thread, NULL, work, crew))
			errx(1, "threads");
	}
	return crew;
}

/* The time of the CPU that was busy longest. */
static uint64_t run_pass(struct crew *crew)
{
	const uint64_t count = crew->restore->domain_count;
	uint64_t longest = 0;

	for (unsigned int i = 0; i < crew->count; i++) {
		struct cpu *cpu = &crew->cpus[i];

		atomic_store(&cpu->since, 0);
		atomic_store(&cpu->waited, 0);
		atomic_store(&cpu->finished, 0);
		atomic_store(&cpu->next, (uint32_t)(count * i / crew->count));
		cpu->end = (uint32_t)(count * (i + 1) / crew->count);
	}
	pthread_barrier_wait(&crew->barrier);
	do_pass(crew, 0);
	for (unsigned int i = 0; i < crew->count; i++) {
		const uint64_t spent = atomic_load(&crew->cpus[i].finished);

		longest = spent > longest ? spent : longest;
	}
	return longest;
}

uint64_t crew_restore(struct crew *crew, struct hv_restore *restore)
{
	uint64_t total = 0;

	crew->restore = restore;
	for (int pass = 0; pass < HV_RESTORE_PASSES; pass++) {
		crew->pass = (enum hv_restore_pass)pass;
		total += run_pass(crew);
	}
	return total;
}

void crew_free(struct crew *crew)
{
	crew->restore = NULL;
	pthread_barrier_wait(&crew->barrier);
	for (unsigned int i = 1; i < crew->count; i++)
		pthread_join(crew->cpus[i].thread, NULL);
	pthread_barrier_destroy(&crew->barrier);
	free(crew);
}
