/* SPDX-License-Identifier: GPL-2.0-or-later */
/* I/O request servers: who may be one, who waits for it, and what its end means. */
#include "hypervisor/test-guests.h"

static void test_create(void **state)
{
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;
	uint32_t id;

	(void)state;
	guest_create(machine, 1, true);
	guest_create(machine, 2, false);
	assert_int_equal(hv_ioreq_create(hv, 2, 1, 0, &id), -XEN_EPERM);
	assert_int_equal(hv_ioreq_create(hv, 0, 2, 0, &id), -XEN_EINVAL); /* not HVM */
	assert_int_equal(hv_ioreq_create(hv, 0, 3, 0, &id), -XEN_ESRCH);
	assert_int_equal(hv_ioreq_create(hv, HV_DOMID_XEN, 1, 0, &id), -XEN_ESRCH);
	machine_refuse(machine, 1);
	assert_int_equal(hv_ioreq_create(hv, 0, 1, 0, &id), -XEN_ENOMEM);
	machine_refuse(machine, 0);
	assert_int_equal(guest_emulates(machine, 2, 1), 0);
	for (uint32_t i = 1; i < HV_IOREQ_SERVERS; i++) {
		assert_int_equal(hv_ioreq_create(hv, 0, 1, 0, &id), 0);
		assert_int_equal(id, i);
	}
	assert_int_equal(hv_ioreq_create(hv, 0, 1, 0, &id), -XEN_ENOSPC);
	assert_int_equal(hv_ioreq_destroy(hv, 2, 1, 3), -XEN_EPERM);
	assert_int_equal(hv_ioreq_destroy(hv, 0, 1, HV_IOREQ_SERVERS), -XEN_EINVAL);
	assert_int_equal(hv_ioreq_destroy(hv, 0, 1, 3), 0);
	assert_int_equal(hv_ioreq_destroy(hv, 0, 1, 3), -XEN_EINVAL);
	assert_int_equal(hv_ioreq_create(hv, 0, 1, 0, &id), 0);
	assert_int_equal(id, 3);
	machine_free(machine);
}

static void test_access(void **state)
{
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;

	(void)state;
	guest_create(machine, 1, true);
	guest_create(machine, 2, false);
	guest_create(machine, 3, false);
	guest_emulates(machine, 2, 1);
	assert_int_equal(hv_ioreq_answer(hv, 2, 1, 0), -XEN_EINVAL);
	assert_int_equal(hv_ioreq_send(hv, 1, 0, 1), -XEN_EINVAL);
	assert_int_equal(hv_ioreq_send(hv, 1, 0, 0), 0);
	assert_int_equal(hv_vcpu_run(hv, 1, 0), -XEN_EAGAIN);
	assert_int_equal(hv_ioreq_send(hv, 1, 0, 0), -XEN_EAGAIN);
	assert_int_equal(hv_ioreq_answer(hv, 3, 1, 0), -XEN_EPERM);
	assert_int_equal(hv_ioreq_answer(hv, 2, 1, 0), 0);
	assert_int_equal(hv_vcpu_run(hv, 1, 0), 0);
	/* On a hypercall's instruction there is no access. */
	assert_int_equal(hv_vcpu_hypercall(hv, 1, 0, 7, 1), 0);
	assert_int_equal(hv_ioreq_send(hv, 1, 0, 0), -XEN_EBUSY);
	machine_free(machine);
}

/* Whoever waits for a device model that ends goes on. */
static void test_end(void **state)
{
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;

	(void)state;
	guest_create(machine, 1, true);
	guest_create(machine, 2, false);
	guest_create(machine, 3, true);
	guest_emulates(machine, 2, 1);
	assert_int_equal(hv_ioreq_send(hv, 1, 0, 0), 0);
	assert_int_equal(hv_domain_kill(hv, 0, 2), 0);
	assert_int_equal(hv_vcpu_run(hv, 1, 0), 0);
	assert_int_equal(hv_ioreq_send(hv, 1, 0, 0), -XEN_EINVAL);

	/* The end of the served one is no burden on the emulator. */
	guest_emulates(machine, 0, 3);
	assert_int_equal(hv_ioreq_send(hv, 3, 0, 0), 0);
	assert_int_equal(hv_domain_kill(hv, 0, 3), 0);
	assert_int_equal(hv_domain_find(hv, 0)->emulates, 0);
	assert_int_equal(hv_domain_find(hv, 2)->emulates, 0);
	machine_free(machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
