/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeping a CPU awake while round trips are measured.
 */
#ifndef BENCH_AWAKE_H
#define BENCH_AWAKE_H

/* Occupy the CPU whenever nobody else wants it, until the process that started this one ends. */
_Noreturn void awake_spin(unsigned int cpu);

#endif
