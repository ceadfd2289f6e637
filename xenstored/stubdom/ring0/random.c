/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pool of 64 bits that everything unforeseen is stirred into. */
#include "stubdom/ring0/random.h"

#include <stdbool.h>
#include <stdint.h>

#include "stubdom/ring0/clock.h"
#include "stubdom/ring0/hypercall.h"
#include "stubdom/ring0/processor.h"

#include <xen/sched.h>

#define CPUID_RDRAND (1u << 30)
#define TRIES	     10
#define JITTER	     64

static uint64_t pool[2];

/* The finalizer of the MurmurHash family: every bit of the input changes half of the output. */
static uint64_t stir(uint64_t value)
{
	value = (value ^ value >> 33) * 0xff51afd7ed558ccdull;
	value = (value ^ value >> 33) * 0xc4ceb9fe1a85ec53ull;
	return value ^ value >> 33;
}

static void add(uint64_t value)
{
	pool[0] = stir(pool[0] ^ value);
	pool[1] = stir(pool[1] + pool[0] + 0x9e3779b97f4a7c15ull);
}

static bool processor_number(uint64_t *out)
{
	bool done = false;

	for (int i = 0; i < TRIES && !done; i++)
		__asm__ volatile("rdrand %0" : "=r"(*out), "=@ccc"(done) : : "cc");
	return done;
}

void random_fill(void *out, size_t size)
{
	bool has_generator = cpuid(1).ecx & CPUID_RDRAND;
	uint8_t *byte = out;
	uint64_t number;

	add(clock_wall_ns());
	/* How long a call into the hypervisor takes depends on everything else on the host. */
	for (int i = 0; i < JITTER; i++) {
		hypercall_op(__HYPERVISOR_sched_op, SCHEDOP_yield, NULL);
		add(read_tsc());
	}
	for (size_t i = 0; i < size; i++) {
		if (i % 8 == 0) {
			if (has_generator && processor_number(&number))
				add(number);
			add(read_tsc());
		}
		byte[i] = (uint8_t)(pool[1] >> i % 8 * 8);
	}
}
