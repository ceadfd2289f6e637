/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Virqs: who is the handler, who may bind, and when a raised one arrives. */
#include "hypervisor/test-machine.h"

#define VIRQ_TIMER   0
#define VIRQ_CONSOLE 2

static int bind(struct machine *machine, unsigned int domid, unsigned int virq, uint32_t *port)
{
	return hv_evtchn_bind_virq(&machine->hv, domid, virq, 0, port);
}

static void test_bind_errors(void **state)
{
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;
	uint32_t port, other;

	(void)state;
	machine_create(machine, 1);
	assert_int_equal(bind(machine, 0, HV_VIRQ_COUNT, &port), -XEN_EINVAL);
	assert_int_equal(bind(machine, 0, UINT32_MAX, &port), -XEN_EINVAL);
	assert_int_equal(hv_evtchn_bind_virq(hv, 0, HV_VIRQ_DOM_EXC, 1, &port), -XEN_EINVAL);
	assert_int_equal(hv_evtchn_bind_virq(hv, 0, VIRQ_TIMER, 1, &port), -XEN_ENOENT);
	assert_int_equal(bind(machine, 1, HV_VIRQ_DOM_EXC, &port), -XEN_EBUSY);
	assert_int_equal(bind(machine, 9, HV_VIRQ_DOM_EXC, &port), -XEN_ESRCH);
	assert_int_equal(bind(machine, 0, HV_VIRQ_DOM_EXC, &port), 0);
	assert_int_equal(bind(machine, 0, HV_VIRQ_DOM_EXC, &other), -XEN_EEXIST);
	assert_int_equal(bind(machine, 0, VIRQ_CONSOLE, &other), 0);
	assert_int_equal(hv_evtchn_send(hv, 0, port), -XEN_EINVAL);
	/* A vCPU's virq is each domain's own. */
	assert_int_equal(bind(machine, 1, VIRQ_TIMER, &port), 0);
	assert_int_equal(bind(machine, 1, VIRQ_TIMER, &other), -XEN_EEXIST);
	assert_int_equal(bind(machine, 0, VIRQ_TIMER, &other), 0);
	assert_int_equal(hv_evtchn_close(hv, 1, port), 0);
	assert_int_equal(bind(machine, 1, VIRQ_TIMER, &port), 0);
	machine_free(machine);
}

static void test_handler(void **state)
{
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;
	uint32_t port;

	(void)state;
	machine_create(machine, 1);
	machine_create(machine, 2);
	assert_int_equal(hv_virq_set_handler(hv, 1, 1, HV_VIRQ_DOM_EXC), -XEN_EPERM);
	assert_int_equal(hv_virq_set_handler(hv, 0, 9, HV_VIRQ_DOM_EXC), -XEN_ESRCH);
	assert_int_equal(hv_virq_set_handler(hv, 0, 1, VIRQ_TIMER), -XEN_EINVAL);
	assert_int_equal(hv_virq_set_handler(hv, 0, 1, HV_VIRQ_COUNT), -XEN_EINVAL);
	assert_int_equal(bind(machine, 0, HV_VIRQ_DOM_EXC, &port), 0);
	assert_int_equal(hv_virq_set_handler(hv, 0, 1, HV_VIRQ_DOM_EXC), -XEN_EBUSY);
	assert_int_equal(hv_virq_set_handler(hv, 0, 0, HV_VIRQ_DOM_EXC), 0);
	assert_int_equal(hv_evtchn_close(hv, 0, port), 0);
	assert_int_equal(hv_virq_set_handler(hv, 0, 1, HV_VIRQ_DOM_EXC), 0);
	assert_int_equal(bind(machine, 0, HV_VIRQ_DOM_EXC, &port), -XEN_EBUSY);
	assert_int_equal(bind(machine, 1, HV_VIRQ_DOM_EXC, &port), 0);
	assert_int_equal(hv_virq_set_handler(hv, 0, 2, HV_VIRQ_DOM_EXC), -XEN_EBUSY);
	/* One virq's handler is not another's. */
	assert_int_equal(bind(machine, 1, VIRQ_CONSOLE, &port), -XEN_EBUSY);

	/* The handler's death frees the virq for the hardware domain. */
	assert_int_equal(hv_domain_kill(hv, 0, 1), 0);
	assert_int_equal(bind(machine, 0, HV_VIRQ_DOM_EXC, &port), 0);
	assert_int_equal(hv_evtchn_close(hv, 0, port), 0);
	hv_domain_ref(hv_domain_find(hv, 1));
	assert_int_equal(hv_virq_set_handler(hv, 0, 1, HV_VIRQ_DOM_EXC), -XEN_EINVAL);
	machine_free(machine);
}

static void test_raise(void **state)
{
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;
	uint32_t port;

	(void)state;
	machine_create(machine, 1);
	hv_virq_raise(hv, VIRQ_CONSOLE);
	assert_int_equal(bind(machine, 0, VIRQ_CONSOLE, &port), 0);
	assert_int_equal(hv_evtchn_unmask(hv, 0, port), 0);
	assert_int_equal(machine->upcalls, 0);
	hv_virq_raise(hv, VIRQ_CONSOLE);
	hv_virq_raise(hv, HV_VIRQ_DOM_EXC);
	assert_int_equal(machine->upcalls, 1);
	assert_int_equal(machine->upcall[0].domid, 0);
	assert_int_equal(machine->upcall[0].port, port);
	assert_int_equal(hv_evtchn_close(hv, 0, port), 0);
	hv_virq_raise(hv, VIRQ_CONSOLE);
	assert_int_equal(machine->upcalls, 1);
	machine_free(machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bind_errors),
		cmocka_unit_test(test_handler),
		cmocka_unit_test(test_raise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
