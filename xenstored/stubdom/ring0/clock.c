/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading what the hypervisor may be writing (spec: stubdom.md section 2 "Time"). */
#include "stubdom/ring0/clock.h"

#include "stubdom/layout.h"
#include "stubdom/ring0/hypercall.h"
#include "stubdom/ring0/processor.h"

#define NS_PER_S 1000000000ull

static volatile struct shared_info *shared_info(void)
{
	return (volatile struct shared_info *)(uintptr_t)LAYOUT_SHARED_INFO;
}

static uint32_t load(const volatile uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

uint64_t clock_scale_ns(const struct clock_scale *scale, uint64_t tsc)
{
	uint64_t delta = tsc > scale->tsc_stamp ? tsc - scale->tsc_stamp : 0;

	delta = scale->shift < 0 ? delta >> -scale->shift : delta << scale->shift;
	return scale->time + (uint64_t)(((unsigned __int128)delta * scale->multiplier) >> 32);
}

uint64_t clock_monotonic_ns(void)
{
	static uint64_t last;
	volatile struct vcpu_time_info *info = &shared_info()->vcpu_info[0].time;
	struct clock_scale scale;
	uint32_t version;
	uint64_t now;

	do {
		version = load(&info->version);
		scale.tsc_stamp = info->tsc_timestamp;
		scale.time = info->system_time;
		scale.multiplier = info->tsc_to_system_mul;
		scale.shift = info->tsc_shift;
		now = clock_scale_ns(&scale, read_tsc());
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while ((version & 1) || load(&info->version) != version);
	/* A new scale may be a little behind the old one. */
	if (now > last)
		last = now;
	return last;
}

uint64_t clock_wall_ns(void)
{
	volatile struct shared_info *info = shared_info();
	uint32_t version;
	uint64_t seconds, ns;

	do {
		version = load(&info->wc_version);
		seconds = (uint64_t)info->wc_sec_hi << 32 | info->wc_sec;
		ns = info->wc_nsec;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while ((version & 1) || load(&info->wc_version) != version);
	return seconds * NS_PER_S + ns + clock_monotonic_ns();
}
