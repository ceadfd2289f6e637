/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions of libxenctrl that oxenstored brings in with a library it was linked
 * to, and never calls. The loader wants them; a caller gets ENOSYS. Which
 * parameters they have does not matter to a function that looks at none.
 */
#include <stddef.h>

#include "absent.h"

/* One that returns a pointer. */
#define ABSENT_POINTER(name)                                                                       \
	void *name(void);                                                                          \
	void *name(void)                                                                           \
	{                                                                                          \
		errno = ENOSYS;                                                                    \
		return NULL;                                                                       \
	}

ABSENT(xc_assign_device)
ABSENT(xc_deassign_device)
ABSENT(xc_domain_create)
ABSENT(xc_domain_increase_reservation_exact)
ABSENT(xc_domain_iomem_permission)
ABSENT(xc_domain_ioport_permission)
ABSENT(xc_domain_irq_permission)
ABSENT(xc_domain_max_vcpus)
ABSENT(xc_domain_set_memmap_limit)
ABSENT(xc_domain_sethandle)
ABSENT(xc_domain_setmaxmem)
ABSENT(xc_evtchn_reset)
ABSENT(xc_get_max_cpus)
ABSENT(xc_getcpuinfo)
ABSENT(xc_physinfo)
ABSENT(xc_readconsolering)
ABSENT(xc_sched_credit_domain_get)
ABSENT(xc_sched_credit_domain_set)
ABSENT(xc_sched_id)
ABSENT(xc_send_debug_keys)
ABSENT(xc_shadow_control)
ABSENT(xc_test_assign_device)
ABSENT(xc_vcpu_getaffinity)
ABSENT(xc_vcpu_getcontext)
ABSENT(xc_vcpu_getinfo)
ABSENT(xc_vcpu_setaffinity)
ABSENT(xc_version)
ABSENT(xc_watchdog)
ABSENT_POINTER(xc_cpumap_alloc)
