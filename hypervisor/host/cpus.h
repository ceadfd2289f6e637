/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CPUs of the machine, for the one thing that is done by all of them: restoring
 * domains. They are threads, and a pass ends when the last of them has.
 */
#ifndef HYPERVISOR_HOST_CPUS_H
#define HYPERVISOR_HOST_CPUS_H

struct hv_restore;

/* As many as this process may use. */
unsigned int cpus_online(void);

/* All passes of a restore that has begun, on so many CPUs. It does not fail: with no second thread
 * to be had, one does it all. */
void cpus_restore(struct hv_restore *restore, unsigned int cpus);

#endif
