/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of the mechanism have in common: a machine with domain 0, whose
 * memory is counted and can be refused, and which remembers upcalls.
 *
 * Included by test programs, before anything else.
 */
#ifndef HYPERVISOR_TEST_MACHINE_H
#define HYPERVISOR_TEST_MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/hypervisor.h"

#define UPCALLS 16

struct machine {
	struct hypervisor hv;

	size_t bytes;	      /* allocated */
	size_t blocks;	      /* allocated */
	unsigned long asked;  /* allocations since the last machine_refuse() */
	unsigned long refuse; /* the number of the one to be refused, 0: none */

	unsigned int upcalls; /* since the last machine_forget() */
	struct {
		unsigned int domid;
		uint32_t port;
	} upcall[UPCALLS]; /* the first of them */

	unsigned int freed;
	unsigned int freed_domid; /* the latest */
	unsigned int hidden;	  /* a domid that the policy hides from everybody */
};

static void *machine_allocate(void *data, size_t size)
{
	struct machine *machine = data;
	void *block;

	/* Several CPUs may restore a machine at the same time. */
	if (__atomic_add_fetch(&machine->asked, 1, __ATOMIC_RELAXED) == machine->refuse)
		return NULL;
	block = malloc(size);
	assert_non_null(block);
	memset(block, 0xa5, size);
	__atomic_add_fetch(&machine->bytes, size, __ATOMIC_RELAXED);
	__atomic_add_fetch(&machine->blocks, 1, __ATOMIC_RELAXED);
	return block;
}

static void machine_release(void *data, void *block, size_t size)
{
	struct machine *machine = data;

	assert_non_null(block);
	memset(block, 0x5a, size); /* a wrong size is a fault under ASan */
	free(block);
	__atomic_sub_fetch(&machine->bytes, size, __ATOMIC_RELAXED);
	__atomic_sub_fetch(&machine->blocks, 1, __ATOMIC_RELAXED);
}

static void machine_upcall(void *data, unsigned int domid, uint32_t port)
{
	struct machine *machine = data;

	if (machine->upcalls < UPCALLS) {
		machine->upcall[machine->upcalls].domid = domid;
		machine->upcall[machine->upcalls].port = port;
	}
	machine->upcalls++;
}

static void machine_freed(void *data, unsigned int domid)
{
	struct machine *machine = data;

	machine->freed++;
	machine->freed_domid = domid;
}

static bool machine_hides(void *data, unsigned int caller, unsigned int domid)
{
	const struct machine *machine = data;

	(void)caller;
	return machine->hidden == domid;
}

/* Forget the upcalls so far. */
static inline void machine_forget(struct machine *machine)
{
	machine->upcalls = 0;
}

/* Refuse the @nth allocation from now on; 0: none. */
static inline void machine_refuse(struct machine *machine, unsigned long nth)
{
	machine->asked = 0;
	machine->refuse = nth;
}

/* Create a domain by domain 0. */
static inline unsigned int machine_create(struct machine *machine, unsigned int domid)
{
	struct hv_domain_config config = {.domid = (uint16_t)domid, .pages = 1024};
	unsigned int created = HV_DOMID_INVALID;

	assert_int_equal(hv_domain_create(&machine->hv, 0, &config, &created), 0);
	return created;
}

/* A machine with domain 0, made by @config, whose allocator and callbacks are filled in here. */
static inline struct machine *machine_new_as(struct hv_config config)
{
	struct hv_domain_config dom0 = {
		.domid = 0,
		.caps = HV_CAP_CONTROL | HV_CAP_HARDWARE,
		.evtchn_abi = HV_EVTCHN_FIFO,
		.pages = 4096,
	};
	struct machine *machine = calloc(1, sizeof(*machine));
	unsigned int domid;

	assert_non_null(machine);
	machine->hidden = HV_DOMID_INVALID;
	config.allocator = (struct hv_allocator){machine_allocate, machine_release, machine};
	config.callbacks = (struct hv_callbacks){machine_upcall, machine_freed, machine_hides,
						 machine};
	hv_init(&machine->hv, &config);
	assert_int_equal(hv_domain_create(&machine->hv, HV_DOMID_XEN, &dom0, &domid), 0);
	assert_int_equal(domid, 0);
	return machine;
}

static inline struct machine *machine_new(void)
{
	return machine_new_as((struct hv_config){.seed = 1});
}

/* The end of it; not a byte may be left. */
static inline void machine_free(struct machine *machine)
{
	hv_deinit(&machine->hv);
	assert_int_equal(machine->blocks, 0);
	assert_int_equal(machine->bytes, 0);
	free(machine);
}

#endif
