/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Event channels: who may bind to what, when an event is an upcall, and both ends' end. */
#include "hypervisor/test-machine.h"

struct channel {
	uint32_t guest, dom0; /* ports */
};

static struct machine *machine_with_guests(void)
{
	struct machine *machine = machine_new();

	machine_create(machine, 1);
	machine_create(machine, 2);
	return machine;
}

/* A channel between domain 0 and a guest, without an event on it, both ends unmasked. */
static struct channel connect(struct machine *machine, unsigned int guest)
{
	struct hypervisor *hv = &machine->hv;
	struct channel channel;

	assert_int_equal(hv_evtchn_alloc_unbound(hv, 0, guest, 0, &channel.guest), 0);
	assert_int_equal(hv_evtchn_bind_interdomain(hv, 0, guest, channel.guest, &channel.dom0), 0);
	assert_int_equal(hv_evtchn_take(hv, 0, channel.dom0), 1);
	assert_int_equal(hv_evtchn_unmask(hv, 0, channel.dom0), 0);
	assert_int_equal(hv_evtchn_unmask(hv, guest, channel.guest), 0);
	assert_int_equal(machine->upcalls, 0);
	return channel;
}

static void expect_status(struct machine *machine, unsigned int domid, uint32_t port,
			  enum hv_evtchn_state state, unsigned int remote, uint32_t number)
{
	struct hv_evtchn_status status;

	assert_int_equal(hv_evtchn_status(&machine->hv, 0, domid, port, &status), 0);
	assert_int_equal(status.state, state);
	assert_int_equal(status.remote, remote);
	assert_int_equal(status.number, number);
}

static void expect_upcall(struct machine *machine, unsigned int domid, uint32_t port)
{
	assert_int_equal(machine->upcalls, 1);
	assert_int_equal(machine->upcall[0].domid, domid);
	assert_int_equal(machine->upcall[0].port, port);
	machine_forget(machine);
}

static void test_binding(void **state)
{
	struct machine *machine = machine_with_guests();
	struct hypervisor *hv = &machine->hv;
	uint32_t unbound, port, other;

	(void)state;
	assert_int_equal(hv_evtchn_alloc_unbound(hv, 1, HV_DOMID_SELF, 0, &unbound), 0);
	assert_int_equal(unbound, 1);
	expect_status(machine, 1, unbound, HV_EVTCHN_UNBOUND, 0, 0);
	/* Only the domain it is for, only this port, only a domain that exists. */
	assert_int_equal(hv_evtchn_bind_interdomain(hv, 2, 1, unbound, &port), -XEN_EINVAL);
	assert_int_equal(hv_evtchn_bind_interdomain(hv, 0, 1, unbound + 1, &port), -XEN_EINVAL);
	assert_int_equal(hv_evtchn_bind_interdomain(hv, 0, 1, 0, &port), -XEN_EINVAL);
	assert_int_equal(hv_evtchn_bind_interdomain(hv, 0, 1, UINT32_MAX, &port), -XEN_EINVAL);
	assert_int_equal(hv_evtchn_bind_interdomain(hv, 0, 9, unbound, &port), -XEN_ESRCH);
	assert_int_equal(hv_evtchn_bind_interdomain(hv, 9, 1, unbound, &port), -XEN_ESRCH);
	assert_int_equal(hv_evtchn_bind_interdomain(hv, 0, 1, unbound, &port), 0);
	expect_status(machine, 1, unbound, HV_EVTCHN_INTERDOMAIN, 0, port);
	expect_status(machine, 0, port, HV_EVTCHN_INTERDOMAIN, 1, unbound);
	assert_int_equal(hv_evtchn_bind_interdomain(hv, 0, 1, unbound, &other), -XEN_EINVAL);
	/* A toolstack makes ports for others, a guest does not. */
	assert_int_equal(hv_evtchn_alloc_unbound(hv, 1, 2, 1, &other), -XEN_EPERM);
	assert_int_equal(hv_evtchn_alloc_unbound(hv, 0, 9, 0, &other), -XEN_ESRCH);
	assert_int_equal(hv_evtchn_alloc_unbound(hv, 0, 2, 0x7fef, &other), 0);
	expect_status(machine, 2, other, HV_EVTCHN_UNBOUND, 0x7fef, 0);
	machine_free(machine);
}

/* The new port is pending, but nobody is called before it is unmasked. */
static void test_bound_is_pending(void **state)
{
	struct machine *machine = machine_with_guests();
	struct hypervisor *hv = &machine->hv;
	uint32_t unbound, port;

	(void)state;
	assert_int_equal(hv_evtchn_alloc_unbound(hv, 0, 1, 0, &unbound), 0);
	assert_int_equal(hv_evtchn_bind_interdomain(hv, 0, 1, unbound, &port), 0);
	assert_int_equal(machine->upcalls, 0);
	assert_int_equal(hv_evtchn_unmask(hv, 0, port), 0);
	expect_upcall(machine, 0, port);
	assert_int_equal(hv_evtchn_take(hv, 1, unbound), 0);
	machine_free(machine);
}

static void test_pending_and_mask(void **state)
{
	struct machine *machine = machine_with_guests();
	struct hypervisor *hv = &machine->hv;
	struct channel channel = connect(machine, 1);

	(void)state;
	assert_int_equal(hv_evtchn_send(hv, 1, channel.guest), 0);
	expect_upcall(machine, 0, channel.dom0);
	/* Pending swallows what follows. */
	assert_int_equal(hv_evtchn_send(hv, 1, channel.guest), 0);
	assert_int_equal(machine->upcalls, 0);
	assert_int_equal(hv_evtchn_take(hv, 0, channel.dom0), 1);
	assert_int_equal(hv_evtchn_take(hv, 0, channel.dom0), 0);
	assert_int_equal(hv_evtchn_send(hv, 1, channel.guest), 0);
	expect_upcall(machine, 0, channel.dom0);
	assert_int_equal(hv_evtchn_take(hv, 0, channel.dom0), 1);
	/* Masked: remembered, and raised by unmasking, once. */
	assert_int_equal(hv_evtchn_mask(hv, 0, channel.dom0), 0);
	assert_int_equal(hv_evtchn_send(hv, 1, channel.guest), 0);
	assert_int_equal(machine->upcalls, 0);
	assert_int_equal(hv_evtchn_unmask(hv, 0, channel.dom0), 0);
	expect_upcall(machine, 0, channel.dom0);
	assert_int_equal(hv_evtchn_unmask(hv, 0, channel.dom0), 0);
	assert_int_equal(machine->upcalls, 0);
	/* The other direction is its own bit. */
	assert_int_equal(hv_evtchn_send(hv, 0, channel.dom0), 0);
	expect_upcall(machine, 1, channel.guest);
	machine_free(machine);
}

static void test_close(void **state)
{
	struct machine *machine = machine_with_guests();
	struct hypervisor *hv = &machine->hv;
	struct channel channel = connect(machine, 1);
	uint32_t port;

	(void)state;
	/* An event that came before stays. */
	assert_int_equal(hv_evtchn_send(hv, 1, channel.guest), 0);
	assert_int_equal(hv_evtchn_close(hv, 1, channel.guest), 0);
	assert_int_equal(hv_evtchn_take(hv, 0, channel.dom0), 1);
	expect_status(machine, 1, channel.guest, HV_EVTCHN_CLOSED, 0, 0);
	expect_status(machine, 0, channel.dom0, HV_EVTCHN_UNBOUND, 1, 0);
	machine_forget(machine);
	assert_int_equal(hv_evtchn_send(hv, 0, channel.dom0), 0);
	assert_int_equal(machine->upcalls, 0);
	assert_int_equal(hv_evtchn_send(hv, 1, channel.guest), -XEN_EINVAL);
	assert_int_equal(hv_evtchn_close(hv, 1, channel.guest), -XEN_EINVAL);
	assert_int_equal(hv_evtchn_unmask(hv, 1, channel.guest), -XEN_EINVAL);
	assert_int_equal(hv_evtchn_mask(hv, 1, channel.guest), -XEN_EINVAL);
	assert_int_equal(hv_evtchn_take(hv, 1, channel.guest), -XEN_EINVAL);
	/* The guest may bind to what is left. */
	assert_int_equal(hv_evtchn_bind_interdomain(hv, 1, 0, channel.dom0, &port), 0);
	expect_status(machine, 0, channel.dom0, HV_EVTCHN_INTERDOMAIN, 1, port);

	/* From the other end. */
	assert_int_equal(hv_evtchn_close(hv, 0, channel.dom0), 0);
	expect_status(machine, 1, port, HV_EVTCHN_UNBOUND, 0, 0);
	machine_free(machine);
}

/* A port that is used again knows nothing of what it was. */
static void test_port_reuse(void **state)
{
	struct machine *machine = machine_with_guests();
	struct hypervisor *hv = &machine->hv;
	uint32_t ports[5], port;

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(hv_evtchn_alloc_unbound(hv, 1, 1, 0, &ports[i]), 0);
	assert_int_equal(hv_evtchn_unmask(hv, 1, ports[3]), 0);
	assert_int_equal(hv_evtchn_close(hv, 1, ports[3]), 0);
	assert_int_equal(hv_evtchn_close(hv, 1, ports[1]), 0);
	assert_int_equal(hv_evtchn_alloc_unbound(hv, 1, 1, 2, &port), 0);
	assert_int_equal(port, ports[1]);
	assert_int_equal(hv_evtchn_alloc_unbound(hv, 1, 1, 2, &port), 0);
	assert_int_equal(port, ports[3]);
	expect_status(machine, 1, port, HV_EVTCHN_UNBOUND, 2, 0);
	assert_int_equal(hv_evtchn_take(hv, 1, port), 0);
	assert_int_equal(hv_evtchn_alloc_unbound(hv, 1, 1, 2, &port), 0);
	assert_int_equal(port, 6);
	machine_free(machine);
}

static void test_death(void **state)
{
	struct machine *machine = machine_with_guests();
	struct hypervisor *hv = &machine->hv;
	struct channel channel = connect(machine, 1);
	uint32_t port;

	(void)state;
	assert_int_equal(hv_domain_kill(hv, 0, 1), 0);
	expect_status(machine, 0, channel.dom0, HV_EVTCHN_UNBOUND, 1, 0);
	assert_int_equal(hv_evtchn_send(hv, 0, channel.dom0), 0);
	/* The dying one cannot do anything any more, and nothing can be done for it. */
	assert_int_equal(hv_evtchn_alloc_unbound(hv, 0, 1, 0, &port), -XEN_EINVAL);
	assert_int_equal(hv_evtchn_bind_interdomain(hv, 1, 0, channel.dom0, &port), -XEN_ESRCH);
	assert_int_equal(hv_evtchn_bind_interdomain(hv, 0, 1, channel.guest, &port), -XEN_EINVAL);
	assert_int_equal(hv_domain_destroy(hv, 0, 1), 0);
	assert_int_equal(hv_reclaim(hv), 1);
	/* The next domain of this number gets no events from the old channel. */
	machine_create(machine, 1);
	assert_int_equal(hv_evtchn_send(hv, 0, channel.dom0), 0);
	assert_int_equal(machine->upcalls, 0);
	expect_status(machine, 0, channel.dom0, HV_EVTCHN_UNBOUND, 1, 0);
	assert_int_equal(hv_evtchn_close(hv, 0, channel.dom0), 0);
	machine_free(machine);
}

/* Both ends in one domain, and the array moving while they are bound. */
static void test_loop(void **state)
{
	struct machine *machine = machine_with_guests();
	struct hypervisor *hv = &machine->hv;
	uint32_t a, b;

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(hv_evtchn_alloc_unbound(hv, 1, 1, HV_DOMID_SELF, &a), 0);
		assert_int_equal(hv_evtchn_bind_interdomain(hv, 1, HV_DOMID_SELF, a, &b), 0);
		expect_status(machine, 1, a, HV_EVTCHN_INTERDOMAIN, 1, b);
		expect_status(machine, 1, b, HV_EVTCHN_INTERDOMAIN, 1, a);
	}
	assert_int_equal(hv_evtchn_unmask(hv, 1, a), 0);
	assert_int_equal(hv_evtchn_send(hv, 1, b), 0);
	expect_upcall(machine, 1, a);
	assert_int_equal(hv_evtchn_close(hv, 1, b), 0);
	expect_status(machine, 1, a, HV_EVTCHN_UNBOUND, 1, 0);
	assert_int_equal(hv_domain_destroy(hv, 0, 1), 0);
	machine_free(machine);
}

/* Fill a domain with ports; returns the highest one. */
static uint32_t fill(struct machine *machine, unsigned int domid)
{
	uint32_t port, highest = 0;
	int error;

	while ((error = hv_evtchn_alloc_unbound(&machine->hv, domid, domid, 0, &port)) == 0) {
		assert_int_equal(port, highest + 1);
		highest = port;
	}
	assert_int_equal(error, -XEN_ENOSPC);
	return highest;
}

static void test_limits(void **state)
{
	struct machine *machine = machine_new();
	struct hv_domain_config config = {.domid = 1};
	struct hv_evtchn_status status;
	unsigned int domid;

	(void)state;
	assert_int_equal(hv_domain_create(&machine->hv, 0, &config, &domid), 0);
	assert_int_equal(fill(machine, 1), 4095);
	assert_int_equal(hv_evtchn_status(&machine->hv, 1, 1, 4096, &status), -XEN_EINVAL);
	assert_int_equal(hv_evtchn_use_fifo(&machine->hv, 9), -XEN_ESRCH);
	assert_int_equal(hv_evtchn_use_fifo(&machine->hv, 1), 0);
	assert_int_equal(hv_evtchn_status(&machine->hv, 1, 1, 4096, &status), 0);
	config.domid = 2;
	config.evtchn_abi = HV_EVTCHN_FIFO;
	assert_int_equal(hv_domain_create(&machine->hv, 0, &config, &domid), 0);
	assert_int_equal(fill(machine, 2), 131071);
	config.domid = 3;
	config.max_port = 1023;
	assert_int_equal(hv_domain_create(&machine->hv, 0, &config, &domid), 0);
	assert_int_equal(fill(machine, 3), 1023);
	/* One closed is one to be had. */
	assert_int_equal(hv_evtchn_close(&machine->hv, 2, 70000), 0);
	assert_int_equal(hv_evtchn_alloc_unbound(&machine->hv, 2, 2, 0, &domid), 0);
	assert_int_equal(domid, 70000);
	machine_free(machine);
}

static void test_reset(void **state)
{
	struct machine *machine = machine_with_guests();
	struct hypervisor *hv = &machine->hv;
	struct channel a = connect(machine, 1), b = connect(machine, 1), c = connect(machine, 2);

	(void)state;
	assert_int_equal(hv_evtchn_reset(hv, 2, 1), -XEN_EPERM);
	assert_int_equal(hv_evtchn_reset(hv, 0, 9), -XEN_ESRCH);
	assert_int_equal(hv_evtchn_reset(hv, 1, HV_DOMID_SELF), 0);
	expect_status(machine, 1, a.guest, HV_EVTCHN_CLOSED, 0, 0);
	expect_status(machine, 1, b.guest, HV_EVTCHN_CLOSED, 0, 0);
	expect_status(machine, 0, b.dom0, HV_EVTCHN_UNBOUND, 1, 0);
	expect_status(machine, 0, c.dom0, HV_EVTCHN_INTERDOMAIN, 2, c.guest);
	machine_free(machine);
}

static void test_status_errors(void **state)
{
	struct machine *machine = machine_with_guests();
	struct hv_evtchn_status status;

	(void)state;
	assert_int_equal(hv_evtchn_status(&machine->hv, 1, 2, 1, &status), -XEN_EPERM);
	assert_int_equal(hv_evtchn_status(&machine->hv, 0, 9, 1, &status), -XEN_ESRCH);
	assert_int_equal(hv_evtchn_status(&machine->hv, 1, HV_DOMID_SELF, 0, &status), -XEN_EINVAL);
	assert_int_equal(hv_evtchn_status(&machine->hv, 1, HV_DOMID_SELF, 1, &status), 0);
	assert_int_equal(status.state, HV_EVTCHN_CLOSED);
	machine_free(machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_binding),
		cmocka_unit_test(test_bound_is_pending),
		cmocka_unit_test(test_pending_and_mask),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_port_reuse),
		cmocka_unit_test(test_death),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_status_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
