/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A crowd in which each member has one READ in flight: how many are answered, and what they cost.
 */
#ifndef BENCH_READERS_H
#define BENCH_READERS_H

#include "crowd.h"
#include "scenario.h"

struct readers;

/* Members that read the node at path, which must hold VALUE_SIZE bytes of value_text(). */
struct readers *readers_new(struct crowd *crowd, const char *path);

/* One block of reads; prints the samples "per_s" and "cpu_us". */
void readers_block(struct readers *readers, struct subject *subject, const struct plan *plan,
		   int block);

#endif
