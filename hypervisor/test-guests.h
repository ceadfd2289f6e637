/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guests with vCPUs and device models, for the tests of what an update needs.
 *
 * Included by test programs.
 */
#ifndef HYPERVISOR_TEST_GUESTS_H
#define HYPERVISOR_TEST_GUESTS_H

#include "hypervisor/test-machine.h"

/* A domain that runs on one vCPU. */
static inline void guest_create(struct machine *machine, unsigned int domid, bool hvm)
{
	struct hv_domain_config config = {.domid = (uint16_t)domid, .hvm = hvm};
	const uint8_t registers[HV_VCPU_STATE] = {(uint8_t)domid};
	struct hypervisor *hv = &machine->hv;

	assert_int_equal(hv_domain_create(hv, 0, &config, &domid), 0);
	assert_int_equal(hv_vcpus_create(hv, 0, domid, 1), 0);
	assert_int_equal(hv_vcpu_set(hv, 0, domid, 0, 4096, registers, HV_VCPU_RUNNABLE), 0);
	assert_int_equal(hv_domain_unpause(hv, 0, domid), 0);
}

/* @emulator becomes the device model of @served, with a server. Returns its id. */
static inline uint32_t guest_emulates(struct machine *machine, unsigned int emulator,
				      unsigned int served)
{
	uint32_t id = UINT32_MAX;

	if (emulator)
		assert_int_equal(hv_domain_set_target(&machine->hv, 0, emulator, served), 0);
	assert_int_equal(hv_ioreq_create(&machine->hv, emulator, served, 0, &id), 0);
	return id;
}

#endif
