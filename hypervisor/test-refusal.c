/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Without memory: each allocation of each operation is refused in turn. The
 * operation then fails with ENOMEM and has done nothing, and done again with
 * memory it succeeds.
 */
#include "hypervisor/test-invariants.h"

/* One try of the operation under test. */
typedef int operation(struct machine *machine);

/* Returns how many allocations the operation makes. */
static unsigned long refuse_each(struct machine *machine, operation *try)
{
	unsigned long nth;

	for (nth = 1;; nth++) {
		uint64_t before = digest_machine(&machine->hv);
		int error;

		machine_refuse(machine, nth);
		error = try(machine);
		check_invariants(&machine->hv);
		if (machine->asked < nth) {
			assert_int_equal(error, 0);
			break;
		}
		assert_int_equal(error, -XEN_ENOMEM);
		assert_true(digest_machine(&machine->hv) == before);
		assert_int_equal(machine->upcalls, 0);
	}
	machine_refuse(machine, 0);
	return nth - 1;
}

static int create_chosen(struct machine *machine)
{
	struct hv_domain_config config = {.domid = HV_DOMID_ANY};
	unsigned int domid;

	return hv_domain_create(&machine->hv, 0, &config, &domid);
}

static int create_far(struct machine *machine)
{
	struct hv_domain_config config = {.domid = 20000};
	unsigned int domid;

	return hv_domain_create(&machine->hv, 0, &config, &domid);
}

static void test_create(void **state)
{
	struct machine *machine = machine_new();

	(void)state;
	/* The domain; and, where no other is near, its leaf of the table. */
	assert_int_equal(refuse_each(machine, create_chosen), 1);
	assert_int_equal(refuse_each(machine, create_far), 2);
	assert_non_null(hv_domain_find(&machine->hv, 1));
	assert_null(hv_domain_find(&machine->hv, 2));
	machine_free(machine);
}

static int alloc_unbound(struct machine *machine)
{
	uint32_t port;

	return hv_evtchn_alloc_unbound(&machine->hv, 1, 1, 0, &port);
}

static int bind_interdomain(struct machine *machine)
{
	uint32_t port;

	return hv_evtchn_bind_interdomain(&machine->hv, 0, 1, 1, &port);
}

static int bind_virq(struct machine *machine)
{
	uint32_t port;

	return hv_evtchn_bind_virq(&machine->hv, 0, HV_VIRQ_DOM_EXC, 0, &port);
}

static void test_ports(void **state)
{
	struct machine *machine = machine_new();
	struct hv_get_domain_state op = {.cmd = 90, .domain = HV_DOMID_INVALID};

	(void)state;
	machine_create(machine, 1);
	assert_int_equal(refuse_each(machine, alloc_unbound), 1);
	assert_int_equal(refuse_each(machine, bind_interdomain), 1);
	assert_int_equal(refuse_each(machine, bind_virq), 1);
	machine_free(machine);

	/* As the first port the virq needs the array and the record. */
	machine = machine_new();
	assert_int_equal(refuse_each(machine, bind_virq), 2);
	assert_int_equal(hv_domctl(&machine->hv, 0, &op, sizeof(op)), 0);
	machine_free(machine);

	/* The array has room at first, then it has to move; what is bound stays bound. */
	machine = machine_new();
	machine_create(machine, 1);
	for (int i = 0; i < 100; i++) {
		unsigned long allocations = refuse_each(machine, alloc_unbound);

		assert_int_equal(allocations,
				 i == 0 || i == 3 || i == 7 || i == 15 || i == 31 || i == 63);
	}
	machine_free(machine);
}

static int grant(struct machine *machine)
{
	return hv_grant_access(&machine->hv, 1, 1, 1, 0, 99, false);
}

static int grant_far(struct machine *machine)
{
	return hv_grant_access(&machine->hv, 1, 1, 5000, 0, 99, false);
}

static int map(struct machine *machine)
{
	uint32_t handle;
	uint64_t frame;

	return hv_grant_map(&machine->hv, 0, 1, 1, false, &handle, &frame);
}

static int map_foreign(struct machine *machine)
{
	uint32_t handle;

	return hv_foreign_map(&machine->hv, 0, 1, 7, &handle);
}

static void test_grants(void **state)
{
	struct machine *machine = machine_new();
	unsigned long allocations = 0;

	(void)state;
	machine_create(machine, 1);
	assert_int_equal(refuse_each(machine, grant), 1);
	assert_int_equal(refuse_each(machine, map), 1);
	assert_int_equal(refuse_each(machine, grant_far), 1);
	for (int i = 0; i < 40; i++)
		allocations += refuse_each(machine, i % 2 ? map : map_foreign);
	assert_int_equal(allocations, 4); /* 4 -> 8 -> 16 -> 32 -> 64 */
	machine_free(machine);
}

/* The end of things needs no memory: a domain can always be destroyed. */
static void test_end_needs_none(void **state)
{
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;
	uint32_t handle, port;
	uint64_t frame;

	(void)state;
	machine_create(machine, 1);
	assert_int_equal(bind_virq(machine), 0);
	assert_int_equal(alloc_unbound(machine), 0);
	assert_int_equal(hv_evtchn_bind_interdomain(hv, 0, 1, 1, &port), 0);
	assert_int_equal(grant(machine), 0);
	assert_int_equal(hv_grant_map(hv, 0, 1, 1, false, &handle, &frame), 0);
	machine_refuse(machine, 1);
	assert_int_equal(hv_domain_shutdown(hv, 0, 1, HV_SHUTDOWN_CRASH), 0);
	assert_int_equal(hv_domain_destroy(hv, 0, 1), 0);
	assert_int_equal(hv_unmap(hv, 0, handle), 0);
	assert_int_equal(hv_evtchn_close(hv, 0, port), 0);
	assert_int_equal(hv_reclaim(hv), 1);
	assert_int_equal(machine->asked, 0);
	check_invariants(hv);
	machine_free(machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_grants),
		cmocka_unit_test(test_end_needs_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
