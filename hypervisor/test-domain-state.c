/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The record of changes, its virq, and the operation: what a client of domain state sees. */
#include "hypervisor/test-machine.h"

static int query(struct machine *machine, unsigned int caller, unsigned int domid,
		 struct hv_get_domain_state *op)
{
	memset(op, 0, sizeof(*op));
	op->cmd = HV_DOMCTL_GET_DOMAIN_STATE;
	op->domain = (uint16_t)domid;
	op->unique_id = 0x1111;
	return hv_domctl(&machine->hv, caller, op, sizeof(*op));
}

static void expect_nothing(struct machine *machine, unsigned int caller)
{
	struct hv_get_domain_state op;

	assert_int_equal(query(machine, caller, HV_DOMID_INVALID, &op), -XEN_ENOENT);
	assert_int_equal(op.domain, HV_DOMID_INVALID);
	assert_int_equal(op.unique_id, 0x1111);
}

/* The next changed domain, as seen by @caller; returns its unique id. */
static uint64_t expect(struct machine *machine, unsigned int caller, unsigned int domid,
		       unsigned int state, unsigned int caps)
{
	struct hv_get_domain_state op;

	assert_int_equal(query(machine, caller, HV_DOMID_INVALID, &op), 0);
	assert_int_equal(op.domain, domid);
	assert_int_equal(op.state, state);
	assert_int_equal(op.caps, caps);
	assert_true((op.unique_id != 0) == (state != 0));
	return op.unique_id;
}

static uint32_t bind(struct machine *machine, unsigned int domid)
{
	uint32_t port = 0;

	assert_int_equal(hv_evtchn_bind_virq(&machine->hv, domid, HV_VIRQ_DOM_EXC, 0, &port), 0);
	assert_int_equal(hv_evtchn_unmask(&machine->hv, domid, port), 0);
	return port;
}

/* Was the virq raised on @port of domain 0 since the last time? */
static bool raised(struct machine *machine, uint32_t port)
{
	bool yes = hv_evtchn_take(&machine->hv, 0, port) == 1;

	assert_int_equal(machine->upcalls, yes ? 1 : 0);
	if (yes) {
		assert_int_equal(machine->upcall[0].domid, 0);
		assert_int_equal(machine->upcall[0].port, port);
	}
	machine_forget(machine);
	return yes;
}

/* The table of what a real hypervisor was seen to do, line by line. */
static void test_observed_life(void **state)
{
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;
	struct hv_get_domain_state op;
	uint32_t port, second;
	uint64_t id, again;

	(void)state;
	machine_create(machine, 5);
	expect_nothing(machine, 0);
	port = bind(machine, 0);
	assert_int_equal(hv_evtchn_bind_virq(hv, 0, HV_VIRQ_DOM_EXC, 0, &second), -XEN_EEXIST);
	assert_false(raised(machine, port));
	expect(machine, 0, 0, HV_STATE_EXIST, HV_CAP_CONTROL | HV_CAP_HARDWARE);
	expect(machine, 0, 5, HV_STATE_EXIST, 0);
	expect_nothing(machine, 0);

	machine_create(machine, 7);
	assert_false(raised(machine, port));
	id = expect(machine, 0, 7, HV_STATE_EXIST, 0);
	expect_nothing(machine, 0);

	assert_int_equal(hv_domain_unpause(hv, 0, 7), 0);
	assert_int_equal(hv_domain_pause(hv, 0, 7), 0);
	assert_false(raised(machine, port));
	expect_nothing(machine, 0);

	assert_int_equal(hv_domain_shutdown(hv, 7, 7, HV_SHUTDOWN_POWEROFF), 0);
	assert_true(raised(machine, port));
	again = expect(machine, 0, 7, HV_STATE_EXIST | HV_STATE_SHUTDOWN, 0);
	assert_true(again == id);
	expect_nothing(machine, 0);

	assert_int_equal(hv_domain_destroy(hv, 0, 7), 0);
	assert_true(raised(machine, port));
	assert_int_equal(query(machine, 0, 7, &op), -XEN_ESRCH);
	expect(machine, 0, 7, 0, 0);
	expect_nothing(machine, 0);
	/* Freed a while later: the virq again, with nothing to tell. */
	assert_int_equal(hv_reclaim(hv), 1);
	assert_true(raised(machine, port));
	expect_nothing(machine, 0);

	machine_create(machine, 7);
	assert_false(raised(machine, port));
	again = expect(machine, 0, 7, HV_STATE_EXIST, 0);
	assert_true(again != id);
	machine_free(machine);
}

/* With somebody who holds it, a domain is seen dying and dead. */
static void test_slow_death(void **state)
{
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;
	struct hv_get_domain_state op;
	struct hv_domain *domain;
	uint32_t port = bind(machine, 0);

	(void)state;
	expect(machine, 0, 0, HV_STATE_EXIST, 3);
	machine_create(machine, 4);
	expect(machine, 0, 4, HV_STATE_EXIST, 0);
	domain = hv_domain_find(hv, 4);
	hv_domain_ref(domain);

	assert_int_equal(hv_domain_kill(hv, 0, 4), 0);
	assert_false(raised(machine, port));
	expect_nothing(machine, 0);
	assert_int_equal(query(machine, 0, 4, &op), 0);
	assert_int_equal(op.state, HV_STATE_EXIST | HV_STATE_DYING);

	assert_int_equal(hv_domain_destroy(hv, 0, 4), 0);
	assert_true(raised(machine, port));
	expect(machine, 0, 4, HV_STATE_EXIST | HV_STATE_DEAD, 0);
	assert_int_equal(hv_domain_destroy(hv, 0, 4), 0);
	assert_false(raised(machine, port));
	expect_nothing(machine, 0);

	hv_domain_unref(hv, domain);
	assert_false(raised(machine, port));
	assert_int_equal(hv_reclaim(hv), 1);
	assert_true(raised(machine, port));
	expect(machine, 0, 4, 0, 0);
	expect_nothing(machine, 0);
	machine_free(machine);
}

static void test_suspend(void **state)
{
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;
	uint32_t port = bind(machine, 0), there, here;

	(void)state;
	machine_create(machine, 1);
	assert_int_equal(hv_evtchn_alloc_unbound(hv, 1, 1, 0, &there), 0);
	assert_int_equal(hv_evtchn_bind_interdomain(hv, 0, 1, there, &here), 0);
	assert_int_equal(hv_evtchn_take(hv, 0, here), 1);
	expect(machine, 0, 0, HV_STATE_EXIST, 3);
	expect(machine, 0, 1, HV_STATE_EXIST, 0);

	/* Without a subscription it is a shutdown like any other. */
	assert_int_equal(hv_domain_shutdown(hv, 1, 1, HV_SHUTDOWN_SUSPEND), 0);
	assert_true(raised(machine, port));
	expect(machine, 0, 1, HV_STATE_EXIST | HV_STATE_SHUTDOWN, 0);
	assert_int_equal(hv_domain_resume(hv, 0, 1), 0);
	assert_false(raised(machine, port));
	expect_nothing(machine, 0);

	/* With one, the subscriber is told instead, and the change waits to be found. */
	assert_int_equal(hv_domain_subscribe_suspend(hv, 1, 1, there), -XEN_EPERM);
	assert_int_equal(hv_domain_subscribe_suspend(hv, 0, 1, there), 0);
	assert_int_equal(hv_domain_shutdown(hv, 1, 1, HV_SHUTDOWN_SUSPEND), 0);
	assert_false(raised(machine, port));
	assert_int_equal(hv_evtchn_take(hv, 0, here), 1);
	expect(machine, 0, 1, HV_STATE_EXIST | HV_STATE_SHUTDOWN, 0);
	assert_int_equal(hv_domain_resume(hv, 0, 1), 0);

	/* The subscription is for suspending only. */
	assert_int_equal(hv_domain_shutdown(hv, 1, 1, HV_SHUTDOWN_CRASH), 0);
	assert_true(raised(machine, port));
	assert_int_equal(hv_evtchn_take(hv, 0, here), 0);
	machine_free(machine);
}

static void test_lowest_first_and_once(void **state)
{
	static const unsigned int domids[] = {1, 63, 64, 65, 4000, 0x7fef};
	struct machine *machine = machine_new();

	(void)state;
	for (int i = 5; i >= 0; i--)
		machine_create(machine, domids[i]);
	bind(machine, 0);
	expect(machine, 0, 0, HV_STATE_EXIST, 3);
	for (int i = 0; i < 6; i++)
		expect(machine, 0, domids[i], HV_STATE_EXIST, 0);
	expect_nothing(machine, 0);
	/* Two changes, one report; and a lower one that comes late comes first. */
	assert_int_equal(hv_domain_destroy(&machine->hv, 0, 4000), 0);
	assert_int_equal(hv_reclaim(&machine->hv), 1);
	machine_create(machine, 4000);
	machine_create(machine, 2);
	expect(machine, 0, 2, HV_STATE_EXIST, 0);
	expect(machine, 0, 4000, HV_STATE_EXIST, 0);
	expect_nothing(machine, 0);
	machine_free(machine);
}

/* Closing the port ends the record; binding anew makes all existing domains changed. */
static void test_rebind(void **state)
{
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;
	size_t unbound = machine->bytes;
	uint32_t port;

	(void)state;
	port = bind(machine, 0);
	assert_true(machine->bytes >= unbound + 4096);
	expect(machine, 0, 0, HV_STATE_EXIST, 3);
	machine_create(machine, 1);
	machine_create(machine, 2);
	assert_int_equal(hv_domain_destroy(hv, 0, 1), 0);
	assert_int_equal(hv_reclaim(hv), 1);
	unbound = machine->bytes;
	assert_int_equal(hv_evtchn_close(hv, 0, port), 0);
	assert_int_equal(machine->bytes, unbound - 4096);
	expect_nothing(machine, 0);
	machine_create(machine, 3);
	expect_nothing(machine, 0);
	port = bind(machine, 0);
	expect(machine, 0, 0, HV_STATE_EXIST, 3);
	expect(machine, 0, 2, HV_STATE_EXIST, 0);
	expect(machine, 0, 3, HV_STATE_EXIST, 0);
	expect_nothing(machine, 0);

	/* Destroyed just before the binding: reported as no more, and announced when freed. */
	assert_int_equal(hv_evtchn_close(hv, 0, port), 0);
	assert_int_equal(hv_domain_destroy(hv, 0, 2), 0);
	machine_forget(machine);
	port = bind(machine, 0);
	expect(machine, 0, 0, HV_STATE_EXIST, 3);
	expect(machine, 0, 2, 0, 0);
	expect(machine, 0, 3, HV_STATE_EXIST, 0);
	assert_int_equal(hv_reclaim(hv), 1);
	assert_true(raised(machine, port));
	machine_free(machine);
}

/* Each check comes before the next: an operation with several faults names the first. */
static void test_errors_in_order(void **state)
{
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;
	struct hv_get_domain_state op;

	(void)state;
	machine_create(machine, 1);
	bind(machine, 0);
	memset(&op, 0, sizeof(op));
	op.cmd = HV_DOMCTL_GET_DOMAIN_STATE;
	op.interface_version = 0x17;
	op.domain = 9;
	op.pad0 = 1;
	assert_int_equal(hv_domctl(hv, 1, &op, 143), -XEN_EFAULT);
	assert_int_equal(hv_domctl(hv, 1, &op, sizeof(op)), -XEN_EACCES);
	op.interface_version = 0;
	assert_int_equal(hv_domctl(hv, 1, &op, sizeof(op)), -XEN_EPERM);
	assert_int_equal(hv_domctl(hv, 0, &op, sizeof(op)), -XEN_ESRCH);
	op.domain = 0;
	assert_int_equal(hv_domctl(hv, 1, &op, sizeof(op)), -XEN_EPERM);
	assert_int_equal(hv_domctl(hv, 0, &op, sizeof(op)), -XEN_EINVAL);
	op.domain = HV_DOMID_INVALID;
	assert_int_equal(hv_domctl(hv, 1, &op, sizeof(op)), -XEN_EPERM);
	assert_int_equal(hv_domctl(hv, 0, &op, sizeof(op)), -XEN_EINVAL);
	op.pad0 = 0;
	assert_int_equal(hv_domctl(hv, 0, &op, sizeof(op)), 0);
	assert_int_equal(op.domain, 0);
	/* A reserved domid is no domain. */
	assert_int_equal(query(machine, 0, 0x7ff1, &op), -XEN_ESRCH);
	machine_free(machine);
}

/* A Xenstore domain may ask, is told EPERM of what is gone, and must be handler to be told of
 * changes. */
static void test_xenstore_domain(void **state)
{
	struct hv_domain_config config = {.domid = 3, .caps = HV_CAP_XENSTORE};
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;
	struct hv_get_domain_state op;
	unsigned int domid;
	uint32_t port;

	(void)state;
	assert_int_equal(hv_domain_create(hv, 0, &config, &domid), 0);
	machine_create(machine, 4);
	assert_int_equal(query(machine, 3, 4, &op), 0);
	assert_int_equal(op.state, HV_STATE_EXIST);
	assert_int_equal(query(machine, 3, 3, &op), 0);
	assert_int_equal(op.caps, HV_CAP_XENSTORE);
	assert_int_equal(query(machine, 3, 5, &op), -XEN_EPERM);
	assert_int_equal(query(machine, 4, 4, &op), -XEN_EPERM);

	assert_int_equal(query(machine, 3, HV_DOMID_INVALID, &op), -XEN_EACCES);
	assert_int_equal(hv_evtchn_bind_virq(hv, 3, HV_VIRQ_DOM_EXC, 0, &port), -XEN_EBUSY);
	assert_int_equal(hv_virq_set_handler(hv, 0, 3, HV_VIRQ_DOM_EXC), 0);
	assert_int_equal(hv_evtchn_bind_virq(hv, 0, HV_VIRQ_DOM_EXC, 0, &port), -XEN_EBUSY);
	assert_int_equal(query(machine, 0, HV_DOMID_INVALID, &op), -XEN_EACCES);
	bind(machine, 3);
	expect(machine, 3, 0, HV_STATE_EXIST, 3);
	expect(machine, 3, 3, HV_STATE_EXIST, HV_CAP_XENSTORE);
	expect(machine, 3, 4, HV_STATE_EXIST, 0);
	expect_nothing(machine, 3);

	/* When it dies, domain 0 is the handler again and finds it gone. */
	assert_int_equal(hv_domain_destroy(hv, 0, 3), 0);
	assert_int_equal(hv_reclaim(hv), 1);
	expect_nothing(machine, 0);
	bind(machine, 0);
	expect(machine, 0, 0, HV_STATE_EXIST, 3);
	expect(machine, 0, 4, HV_STATE_EXIST, 0);
	expect_nothing(machine, 0);
	machine_free(machine);
}

static void test_device_model(void **state)
{
	struct machine *machine = machine_new();
	struct hv_get_domain_state op;

	(void)state;
	machine_create(machine, 1);
	machine_create(machine, 2);
	machine_create(machine, 3);
	assert_int_equal(hv_domain_set_target(&machine->hv, 0, 2, 1), 0);
	assert_int_equal(query(machine, 2, 1, &op), 0);
	assert_int_equal(query(machine, 2, 3, &op), -XEN_EPERM);
	assert_int_equal(query(machine, 2, HV_DOMID_INVALID, &op), -XEN_EPERM);
	assert_int_equal(query(machine, 3, 1, &op), -XEN_EPERM);
	machine_free(machine);
}

/* What a policy hides keeps its bit and does not stand in the way of others. */
static void test_hidden(void **state)
{
	struct machine *machine = machine_new();
	struct hv_get_domain_state op;

	(void)state;
	machine_create(machine, 1);
	machine_create(machine, 2);
	bind(machine, 0);
	machine->hidden = 1;
	expect(machine, 0, 0, HV_STATE_EXIST, 3);
	expect(machine, 0, 2, HV_STATE_EXIST, 0);
	expect_nothing(machine, 0);
	assert_int_equal(query(machine, 0, 1, &op), -XEN_EPERM);
	machine_create(machine, 3);
	expect(machine, 0, 3, HV_STATE_EXIST, 0);
	machine->hidden = HV_DOMID_INVALID;
	expect(machine, 0, 1, HV_STATE_EXIST, 0);
	expect_nothing(machine, 0);
	machine_free(machine);
}

/* The bytes of the operation, where a client expects them. */
static void test_bytes(void **state)
{
	struct machine *machine = machine_new();
	unsigned char _Alignas(8) bytes[144];
	uint64_t id;

	(void)state;
	machine_create(machine, 0x1234);
	memset(bytes, 0, sizeof(bytes));
	memset(bytes + 32, 0xee, sizeof(bytes) - 32);
	bytes[0] = 90;
	bytes[8] = 0x34;
	bytes[9] = 0x12;
	assert_int_equal(hv_domain_shutdown(&machine->hv, 0, 0x1234, HV_SHUTDOWN_CRASH), 0);
	assert_int_equal(hv_domctl(&machine->hv, 0, bytes, sizeof(bytes)), 0);
	assert_int_equal(bytes[16], 3);
	assert_int_equal(bytes[18], 0);
	memcpy(&id, bytes + 24, 8);
	assert_true(id == hv_domain_find(&machine->hv, 0x1234)->unique_id);
	for (int i = 32; i < 144; i++)
		assert_int_equal(bytes[i], 0xee);
	machine_free(machine);
}

/* All domids at once: every bit is there, and draining them is one walk. */
static void test_all_domids(void **state)
{
	struct machine *machine = machine_new();

	(void)state;
	for (unsigned int domid = 1; domid < HV_DOMID_FIRST_RESERVED; domid++)
		machine_create(machine, domid);
	bind(machine, 0);
	expect(machine, 0, 0, HV_STATE_EXIST, 3);
	for (unsigned int domid = 1; domid < HV_DOMID_FIRST_RESERVED; domid++)
		expect(machine, 0, domid, HV_STATE_EXIST, 0);
	expect_nothing(machine, 0);
	machine_free(machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_observed_life),
		cmocka_unit_test(test_slow_death),
		cmocka_unit_test(test_suspend),
		cmocka_unit_test(test_lowest_first_and_once),
		cmocka_unit_test(test_rebind),
		cmocka_unit_test(test_errors_in_order),
		cmocka_unit_test(test_xenstore_domain),
		cmocka_unit_test(test_device_model),
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_all_domids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
