/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vCPUs: hypercalls that are left in their middle and executed to the end later. */
#include "hypervisor/test-machine.h"

static const uint8_t registers[HV_VCPU_STATE] = {1, 2, 3};

static struct hv_vcpu *vcpu_of(struct machine *machine, unsigned int domid, uint32_t number)
{
	return &hv_domain_find(&machine->hv, domid)->vcpus.vcpus[number];
}

/* A machine with a domain 1 that runs on one vCPU. */
static struct machine *running(void)
{
	struct machine *machine = machine_new();

	machine_create(machine, 1);
	assert_int_equal(hv_vcpus_create(&machine->hv, 0, 1, 1), 0);
	assert_int_equal(hv_vcpu_set(&machine->hv, 0, 1, 0, 100, registers, HV_VCPU_RUNNABLE), 0);
	assert_int_equal(hv_domain_unpause(&machine->hv, 0, 1), 0);
	return machine;
}

static void test_errors(void **state)
{
	struct machine *machine = running();
	struct hypervisor *hv = &machine->hv;

	(void)state;
	machine_create(machine, 2);
	assert_int_equal(hv_vcpus_create(hv, 1, 2, 1), -XEN_EPERM);
	assert_int_equal(hv_vcpus_create(hv, 0, 3, 1), -XEN_ESRCH);
	assert_int_equal(hv_vcpus_create(hv, 0, 2, 0), -XEN_EINVAL);
	assert_int_equal(hv_vcpus_create(hv, 0, 2, HV_MAX_VCPUS + 1), -XEN_EINVAL);
	assert_int_equal(hv_vcpus_create(hv, 0, 1, 1), -XEN_EINVAL);
	machine_refuse(machine, 1);
	assert_int_equal(hv_vcpus_create(hv, 0, 2, 1), -XEN_ENOMEM);
	machine_refuse(machine, 0);
	assert_int_equal(hv_vcpu_set(hv, 0, 1, 1, 0, registers, HV_VCPU_DOWN), -XEN_EINVAL);
	assert_int_equal(hv_vcpu_set(hv, 0, 1, 0, 0, registers, (enum hv_vcpu_run)3), -XEN_EINVAL);
	assert_int_equal(hv_vcpu_run(hv, 1, 1), -XEN_EINVAL);
	assert_int_equal(hv_vcpu_run(hv, 9, 0), -XEN_ESRCH);
	assert_int_equal(hv_vcpu_hypercall(hv, 1, 0, HV_NO_HYPERCALL, 1), -XEN_EINVAL);
	machine_free(machine);
}

/* Only who runs does anything. */
static void test_runs(void **state)
{
	struct machine *machine = running();
	struct hypervisor *hv = &machine->hv;

	(void)state;
	assert_int_equal(hv_vcpu_run(hv, 1, 0), 0);
	assert_int_equal(hv_domain_pause(hv, 0, 1), 0);
	assert_int_equal(hv_vcpu_run(hv, 1, 0), -XEN_EAGAIN);
	assert_int_equal(hv_domain_unpause(hv, 0, 1), 0);
	assert_int_equal(hv_vcpu_set(hv, 0, 1, 0, 100, registers, HV_VCPU_BLOCKED), 0);
	assert_int_equal(hv_vcpu_run(hv, 1, 0), -XEN_EAGAIN);
	assert_int_equal(hv_vcpu_set(hv, 0, 1, 0, 100, registers, HV_VCPU_RUNNABLE), 0);
	assert_int_equal(hv_domain_shutdown(hv, 0, 1, HV_SHUTDOWN_SUSPEND), 0);
	assert_int_equal(hv_vcpu_run(hv, 1, 0), -XEN_EAGAIN);
	machine_free(machine);
}

static void test_hypercall(void **state)
{
	struct machine *machine = running();
	struct hypervisor *hv = &machine->hv;
	struct hv_vcpu *vcpu = vcpu_of(machine, 1, 0);

	(void)state;
	assert_int_equal(hv_vcpu_hypercall(hv, 1, 0, 7, 2 * HV_VCPU_STEP + 1), 0);
	assert_int_equal(hv_vcpu_hypercall(hv, 1, 0, 7, 1), -XEN_EBUSY);
	assert_int_equal(hv_vcpu_run(hv, 1, 0), 1);
	assert_false(hv_vcpu_at_boundary(vcpu));
	assert_int_equal(hv_vcpu_set(hv, 0, 1, 0, 0, registers, HV_VCPU_DOWN), -XEN_EBUSY);
	assert_int_equal(hv_vcpu_run(hv, 1, 0), 1);
	assert_int_equal(vcpu->ip, 100);
	assert_int_equal(hv_vcpu_run(hv, 1, 0), 0);
	assert_int_equal(vcpu->ip, 100 + HV_INSTRUCTION);
	assert_int_equal(vcpu->done, 2 * HV_VCPU_STEP + 1);
	assert_true(hv_vcpu_at_boundary(vcpu));
	machine_free(machine);
}

/* Left in its middle, all there is of a hypercall are registers; the rest of it is done later. */
static void test_leave(void **state)
{
	struct machine *machine = running();
	struct hypervisor *hv = &machine->hv;
	struct hv_vcpu *vcpu = vcpu_of(machine, 1, 0);

	(void)state;
	assert_int_equal(hv_vcpu_hypercall(hv, 1, 0, 7, 10), 0);
	assert_int_equal(hv_vcpu_run(hv, 1, 0), 1);
	assert_true(hv_vcpus_leave(hv_domain_find(hv, 1)));
	assert_true(hv_vcpu_at_boundary(vcpu));
	assert_int_equal(vcpu->ip, 100);
	assert_int_equal(vcpu->hypercall, 7);
	assert_int_equal(vcpu->left, 10 - HV_VCPU_STEP);
	while (hv_vcpu_run(hv, 1, 0) == 1)
		;
	assert_int_equal(vcpu->done, 10);
	assert_int_equal(vcpu->ip, 100 + HV_INSTRUCTION);
	machine_free(machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_hypercall),
		cmocka_unit_test(test_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
