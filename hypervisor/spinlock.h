/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spinlocks, for what several CPUs do at the same time: restoring domains.
 *
 * They are held for a few memory accesses, never while something is waited for. A
 * zeroed lock is free.
 */
#ifndef HYPERVISOR_SPINLOCK_H
#define HYPERVISOR_SPINLOCK_H

#include <stdint.h>

struct hv_spinlock {
	uint32_t held;
};

static inline void hv_spin_lock(struct hv_spinlock *lock)
{
	while (__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE)) {
		/* Wait by reading, so that the holder's cache line is left alone. */
		while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED)) {
#if defined(__x86_64__) || defined(__i386__)
			__builtin_ia32_pause();
#endif
		}
	}
}

static inline void hv_spin_unlock(struct hv_spinlock *lock)
{
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

#endif
