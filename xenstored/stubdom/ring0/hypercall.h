/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hypercalls: the one way to the hypervisor.
 *
 * Everything above this function is ordinary C, so that the tests put a model of
 * the hypervisor in its place. The numbers and structures are those of the
 * public headers, except where these belong to one release (domctl).
 */
#ifndef XENSTORED_STUBDOM_RING0_HYPERCALL_H
#define XENSTORED_STUBDOM_RING0_HYPERCALL_H

#define __XEN_INTERFACE_VERSION__ __XEN_LATEST_INTERFACE_VERSION__
#include <stddef.h>
#include <stdint.h>
#include <xen/xen-compat.h>
#include <xen/xen.h>

/**
 * Make hypercall @number (__HYPERVISOR_...). What the arguments mean, in which of them memory is
 * passed, and what is returned is the hypercall's business; errors are negative Xen errno values,
 * which are Linux's for all that is used here.
 */
long hypercall(unsigned int number, uint64_t first, uint64_t second, uint64_t third);

/** The same with an operation and its argument, the form of nearly all of them. */
static inline long hypercall_op(unsigned int number, unsigned int op, void *argument)
{
	return hypercall(number, op, (uintptr_t)argument, 0);
}

#endif
