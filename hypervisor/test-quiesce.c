/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stopping all domains: in which order, where, and what happens when one does not. */
#include "hypervisor/test-guests.h"

static enum hv_stop stop_of(struct machine *machine, unsigned int domid)
{
	return (enum hv_stop)hv_domain_find(&machine->hv, domid)->stop;
}

static void test_nobody_to_wait_for(void **state)
{
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;
	struct hv_quiesce quiesce;

	(void)state;
	guest_create(machine, 1, false);
	guest_create(machine, 2, true);
	machine_refuse(machine, 1);
	assert_int_equal(hv_quiesce_begin(hv, &quiesce, 10), -XEN_ENOMEM);
	machine_refuse(machine, 2);
	assert_int_equal(hv_quiesce_begin(hv, &quiesce, 10), -XEN_ENOMEM);
	machine_refuse(machine, 0);
	assert_int_equal(hv_vcpu_run(hv, 1, 0), 0);
	assert_int_equal(hv_quiesce_begin(hv, &quiesce, 10), 0);
	assert_int_equal(hv_vcpu_run(hv, 1, 0), 0);
	assert_int_equal(hv_quiesce_step(hv, &quiesce, 0), 0);
	for (unsigned int domid = 0; domid < 3; domid++)
		assert_int_equal(stop_of(machine, domid), HV_STOPPED);
	assert_int_equal(hv_vcpu_run(hv, 1, 0), -XEN_EAGAIN);
	assert_int_equal(hv_domain_find(hv, 1)->pause_count, 0);
	hv_quiesce_undo(hv, &quiesce);
	assert_int_equal(hv_vcpu_run(hv, 1, 0), 0);
	hv_quiesce_undo(hv, &quiesce);
	machine_free(machine);
}

/* A hypercall does not delay it, and nothing of it is lost or done twice. */
static void test_hypercall(void **state)
{
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;
	struct hv_quiesce quiesce;
	struct hv_vcpu *vcpu;

	(void)state;
	guest_create(machine, 1, false);
	assert_int_equal(hv_vcpu_hypercall(hv, 1, 0, 29, 1000), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(hv_vcpu_run(hv, 1, 0), 1);
	assert_int_equal(hv_quiesce_begin(hv, &quiesce, 10), 0);
	assert_int_equal(hv_quiesce_step(hv, &quiesce, 0), 0);
	vcpu = &hv_domain_find(hv, 1)->vcpus.vcpus[0];
	assert_true(hv_vcpu_at_boundary(vcpu));
	assert_int_equal(vcpu->hypercall, 29);
	hv_quiesce_undo(hv, &quiesce);
	while (hv_vcpu_run(hv, 1, 0) == 1)
		;
	assert_int_equal(vcpu->done, 1000);
	machine_free(machine);
}

/*
 * 1 is served by 2 (an HVM guest itself), 2 by 3, a PV guest: each stops when the one it serves
 * has, and the PV guests when all others have.
 */
static void test_order(void **state)
{
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;
	struct hv_quiesce quiesce;

	(void)state;
	guest_create(machine, 1, true);
	guest_create(machine, 2, true);
	guest_create(machine, 3, false);
	guest_create(machine, 4, true);
	guest_emulates(machine, 2, 1);
	guest_emulates(machine, 3, 2);
	assert_int_equal(hv_ioreq_send(hv, 1, 0, 0), 0);
	assert_int_equal(hv_quiesce_begin(hv, &quiesce, 10), 0);
	assert_int_equal(hv_quiesce_step(hv, &quiesce, 0), -XEN_EAGAIN);
	assert_int_equal(quiesce.awaited, 1);
	assert_int_equal(stop_of(machine, 1), HV_STOP_ASKED);
	assert_int_equal(stop_of(machine, 4), HV_STOPPED);
	/* To answer, 2 may need an access of its own: it has not been asked yet. */
	assert_int_equal(stop_of(machine, 2), HV_STOP_NOT);
	assert_int_equal(hv_ioreq_send(hv, 2, 0, 0), 0);
	assert_int_equal(hv_ioreq_answer(hv, 3, 2, 0), 0);
	assert_int_equal(hv_ioreq_answer(hv, 2, 1, 0), 0);
	assert_int_equal(hv_ioreq_send(hv, 1, 0, 0), -XEN_EAGAIN);
	assert_int_equal(hv_ioreq_send(hv, 2, 0, 0), 0);
	assert_int_equal(hv_quiesce_step(hv, &quiesce, 1), -XEN_EAGAIN);
	assert_int_equal(stop_of(machine, 1), HV_STOPPED);
	assert_int_equal(quiesce.awaited, 2);
	assert_int_equal(stop_of(machine, 3), HV_STOP_NOT);
	assert_int_equal(hv_vcpu_run(hv, 3, 0), 0);
	assert_int_equal(hv_ioreq_answer(hv, 3, 2, 0), 0);
	assert_int_equal(hv_quiesce_step(hv, &quiesce, 2), 0);
	assert_int_equal(stop_of(machine, 0), HV_STOPPED);
	hv_quiesce_undo(hv, &quiesce);
	machine_free(machine);
}

/* A device model that has no server at the moment is one nevertheless. */
static void test_target(void **state)
{
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;
	struct hv_quiesce quiesce;

	(void)state;
	guest_create(machine, 1, true);
	guest_create(machine, 2, true);
	assert_int_equal(hv_domain_set_target(hv, 0, 1, 2), 0);
	assert_int_equal(hv_quiesce_begin(hv, &quiesce, 10), 0);
	assert_int_equal(quiesce.count, 2);
	assert_int_equal(quiesce.order[0].domid, 2);
	assert_true(quiesce.order[0].level < quiesce.order[1].level);
	assert_int_equal(quiesce.circle, HV_NO_LEVEL);
	hv_quiesce_undo(hv, &quiesce);
	machine_free(machine);
}

/* 1 and 2 emulate for each other; 3 is served by 1, and 4 emulates for 2. */
static struct machine *circle(void)
{
	struct machine *machine = machine_new();
	uint32_t id;

	for (unsigned int domid = 1; domid <= 4; domid++)
		guest_create(machine, domid, true);
	guest_emulates(machine, 1, 2);
	guest_emulates(machine, 2, 1);
	guest_emulates(machine, 4, 2);
	/* A domain has one target, but may be told to serve others before. */
	hv_domain_find(&machine->hv, 1)->caps |= HV_CAP_CONTROL;
	assert_int_equal(hv_ioreq_create(&machine->hv, 1, 3, 0, &id), 0);
	return machine;
}

static void test_circle(void **state)
{
	struct machine *machine = circle();
	struct hypervisor *hv = &machine->hv;
	struct hv_quiesce quiesce;

	(void)state;
	assert_int_equal(hv_ioreq_send(hv, 1, 0, 0), 0);
	assert_int_equal(hv_quiesce_begin(hv, &quiesce, 10), 0);
	assert_int_equal(quiesce.count, 4);
	assert_int_equal(quiesce.order[0].domid, 3);
	assert_int_equal(quiesce.order[1].level, quiesce.circle);
	assert_int_equal(quiesce.order[2].level, quiesce.circle);
	assert_int_equal(quiesce.order[3].domid, 4);
	assert_int_equal(hv_quiesce_step(hv, &quiesce, 0), -XEN_EAGAIN);
	assert_int_equal(stop_of(machine, 3), HV_STOPPED);
	/* Neither is stopped before both can be: 2 still has to answer. */
	assert_int_equal(stop_of(machine, 1), HV_STOP_ASKED);
	assert_int_equal(stop_of(machine, 2), HV_STOP_ASKED);
	assert_int_equal(stop_of(machine, 4), HV_STOP_NOT);
	assert_int_equal(hv_ioreq_answer(hv, 2, 1, 0), 0);
	assert_int_equal(hv_quiesce_step(hv, &quiesce, 1), 0);
	hv_quiesce_undo(hv, &quiesce);
	machine_free(machine);
}

static void test_deadline(void **state)
{
	struct machine *machine = circle();
	struct hypervisor *hv = &machine->hv;
	struct hv_quiesce quiesce;

	(void)state;
	assert_int_equal(hv_domain_pause(hv, 0, 3), 0);
	assert_int_equal(hv_ioreq_send(hv, 1, 0, 0), 0);
	assert_int_equal(hv_quiesce_begin(hv, &quiesce, 10), 0);
	for (uint64_t now = 0; now < 10; now++)
		assert_int_equal(hv_quiesce_step(hv, &quiesce, now), -XEN_EAGAIN);
	assert_int_equal(hv_quiesce_step(hv, &quiesce, 10), -XEN_ETIMEDOUT);
	assert_int_equal(quiesce.awaited, 1);
	for (unsigned int domid = 0; domid <= 4; domid++)
		assert_int_equal(stop_of(machine, domid), HV_STOP_NOT);
	assert_int_equal(hv_vcpu_run(hv, 4, 0), 0);
	assert_int_equal(hv_domain_find(hv, 3)->pause_count, 1);
	assert_int_equal(hv_ioreq_answer(hv, 2, 1, 0), 0);
	assert_int_equal(hv_quiesce_begin(hv, &quiesce, 20), 0);
	assert_int_equal(hv_quiesce_step(hv, &quiesce, 11), 0);
	hv_quiesce_undo(hv, &quiesce);
	machine_free(machine);
}

/* Domains come and go while others are being stopped. */
static void test_meanwhile(void **state)
{
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;
	struct hv_quiesce quiesce;

	(void)state;
	guest_create(machine, 1, true);
	guest_create(machine, 2, true);
	guest_emulates(machine, 2, 1);
	assert_int_equal(hv_ioreq_send(hv, 1, 0, 0), 0);
	assert_int_equal(hv_quiesce_begin(hv, &quiesce, 10), 0);
	assert_int_equal(hv_quiesce_step(hv, &quiesce, 0), -XEN_EAGAIN);
	guest_create(machine, 3, true);
	guest_emulates(machine, 0, 3);
	assert_int_equal(hv_vcpu_run(hv, 3, 0), 0);
	assert_int_equal(hv_ioreq_send(hv, 3, 0, 0), -XEN_EAGAIN);
	assert_int_equal(hv_domain_destroy(hv, 0, 2), 0);
	hv_reclaim(hv);
	assert_int_equal(hv_quiesce_step(hv, &quiesce, 0), 0);
	assert_int_equal(stop_of(machine, 3), HV_STOPPED);
	hv_quiesce_undo(hv, &quiesce);
	assert_int_equal(hv_ioreq_send(hv, 3, 0, 0), 0);
	machine_free(machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_to_wait_for),
		cmocka_unit_test(test_hypercall),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_target),
		cmocka_unit_test(test_circle),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
