/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Grants: who may map what, and what happens to a mapping when its basis goes away. */
#include "hypervisor/test-machine.h"

#define RING 0x1000 /* some frame */

static struct machine *machine_with_ring(void)
{
	struct machine *machine = machine_new();

	machine_create(machine, 1);
	machine_create(machine, 2);
	assert_int_equal(hv_grant_access(&machine->hv, 0, 1, HV_GRANT_XENSTORE, 0, RING, false), 0);
	return machine;
}

static int map(struct machine *machine, unsigned int caller, unsigned int domid, uint32_t ref,
	       uint32_t *handle)
{
	uint64_t frame = 0;
	int error = hv_grant_map(&machine->hv, caller, domid, ref, false, handle, &frame);

	if (!error && ref == HV_GRANT_XENSTORE)
		assert_true(frame == RING);
	return error;
}

static void test_map_errors(void **state)
{
	struct machine *machine = machine_with_ring();
	struct hypervisor *hv = &machine->hv;
	uint32_t handle;
	uint64_t frame;

	(void)state;
	assert_int_equal(map(machine, 2, 1, HV_GRANT_XENSTORE, &handle), -XEN_EPERM);
	assert_int_equal(map(machine, 0, 1, 0, &handle), -XEN_EINVAL);
	assert_int_equal(map(machine, 0, 1, 1000000, &handle), -XEN_EINVAL);
	assert_int_equal(map(machine, 0, 2, HV_GRANT_XENSTORE, &handle), -XEN_EINVAL);
	assert_int_equal(map(machine, 0, 9, HV_GRANT_XENSTORE, &handle), -XEN_ESRCH);
	assert_int_equal(map(machine, 9, 1, HV_GRANT_XENSTORE, &handle), -XEN_ESRCH);
	assert_int_equal(hv_grant_access(hv, 1, 1, 8, 0, 7, true), 0);
	assert_int_equal(map(machine, 0, 1, 8, &handle), -XEN_EPERM);
	assert_int_equal(hv_grant_map(hv, 0, 1, 8, true, &handle, &frame), 0);
	assert_true(frame == 7);
	assert_int_equal(hv_unmap(hv, 0, handle), 0);
	assert_int_equal(hv_unmap(hv, 0, handle), -XEN_EINVAL);
	assert_int_equal(hv_unmap(hv, 0, HV_NO_HANDLE), -XEN_EINVAL);
	assert_int_equal(hv_unmap(hv, 9, handle), -XEN_ESRCH);
	machine_free(machine);
}

static void test_access_errors(void **state)
{
	struct machine *machine = machine_with_ring();
	struct hypervisor *hv = &machine->hv;

	(void)state;
	assert_int_equal(hv_grant_access(hv, 2, 1, 8, 2, 7, false), -XEN_EPERM);
	assert_int_equal(hv_grant_access(hv, 0, 9, 8, 2, 7, false), -XEN_ESRCH);
	assert_int_equal(hv_grant_access(hv, 1, 1, 32768, 2, 7, false), -XEN_EINVAL);
	assert_int_equal(hv_grant_access(hv, 1, 1, UINT32_MAX, 2, 7, false), -XEN_EINVAL);
	assert_int_equal(hv_grant_access(hv, 1, 1, 32767, 2, 7, false), 0);
	assert_int_equal(hv_grant_end_access(hv, 2, 1, 1), -XEN_EPERM);
	assert_int_equal(hv_grant_end_access(hv, 1, 1, 5), -XEN_EINVAL);
	assert_int_equal(hv_grant_end_access(hv, 2, 2, 5), -XEN_EINVAL);
	assert_int_equal(hv_grant_end_access(hv, 1, 1, 1), 0);
	assert_int_equal(hv_grant_end_access(hv, 1, 1, 1), -XEN_EINVAL);
	machine_free(machine);
}

/* The mapping outlives the grant; the entry is busy for as long. */
static void test_revoked_while_mapped(void **state)
{
	struct machine *machine = machine_with_ring();
	struct hypervisor *hv = &machine->hv;
	uint32_t first, second, third;

	(void)state;
	assert_int_equal(map(machine, 0, 1, 1, &first), 0);
	assert_int_equal(map(machine, 0, 1, 1, &second), 0);
	assert_int_not_equal(first, second);
	assert_int_equal(hv_grant_access(hv, 1, 1, 1, 2, 99, false), -XEN_EBUSY);
	assert_int_equal(hv_grant_end_access(hv, 1, 1, 1), -XEN_EBUSY);
	assert_int_equal(map(machine, 0, 1, 1, &third), -XEN_EINVAL);
	assert_int_equal(hv_unmap(hv, 0, first), 0);
	assert_int_equal(hv_grant_end_access(hv, 1, 1, 1), -XEN_EBUSY);
	assert_int_equal(hv_grant_access(hv, 1, 1, 1, 0, 99, false), -XEN_EBUSY);
	assert_int_equal(hv_unmap(hv, 0, second), 0);
	assert_int_equal(hv_grant_end_access(hv, 1, 1, 1), -XEN_EINVAL);
	assert_int_equal(hv_grant_access(hv, 1, 1, 1, 2, RING, false), 0);
	assert_int_equal(map(machine, 2, 1, 1, &third), 0);
	machine_free(machine);
}

/* A mapped domain stays dead, with its domid and its frames, until it is unmapped. */
static void test_granter_dies(void **state)
{
	struct machine *machine = machine_with_ring();
	struct hypervisor *hv = &machine->hv;
	uint32_t first, second, third;

	(void)state;
	assert_int_equal(map(machine, 0, 1, 1, &first), 0);
	assert_int_equal(hv_foreign_map(hv, 0, 1, 77, &second), 0);
	assert_int_equal(hv_domain_destroy(hv, 0, 1), 0);
	assert_int_equal(hv_domain_find(hv, 1)->life, HV_DEAD);
	assert_int_equal(map(machine, 0, 1, 1, &third), -XEN_ESRCH);
	assert_int_equal(hv_foreign_map(hv, 0, 1, 77, &third), -XEN_ESRCH);
	assert_int_equal(hv_unmap(hv, 0, first), 0);
	assert_int_equal(hv_reclaim(hv), 0);
	assert_int_equal(machine->freed, 0);
	assert_int_equal(hv_unmap(hv, 0, second), 0);
	assert_null(hv_domain_find(hv, 1));
	assert_int_equal(hv_reclaim(hv), 1);
	assert_int_equal(machine->freed_domid, 1);
	machine_free(machine);
}

/* Who dies loses its mappings; a domain that only it held is gone too. */
static void test_mapper_dies(void **state)
{
	struct machine *machine = machine_with_ring();
	struct hypervisor *hv = &machine->hv;
	uint32_t handle;

	(void)state;
	assert_int_equal(hv_grant_access(hv, 1, 1, 9, 2, 5, false), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(map(machine, 2, 1, 9, &handle), 0);
	assert_int_equal(hv_domain_destroy(hv, 0, 1), 0);
	assert_int_equal(hv_domain_find(hv, 1)->life, HV_DEAD);
	assert_int_equal(hv_domain_destroy(hv, 0, 2), 0);
	assert_null(hv_domain_find(hv, 1));
	assert_null(hv_domain_find(hv, 2));
	assert_int_equal(hv_reclaim(hv), 2);
	machine_free(machine);
}

/* Two that map each other, and one that maps itself, are no eternal dead. */
static void test_circle(void **state)
{
	struct machine *machine = machine_with_ring();
	struct hypervisor *hv = &machine->hv;
	uint32_t handle;

	(void)state;
	assert_int_equal(hv_grant_access(hv, 1, 1, 9, 2, 5, false), 0);
	assert_int_equal(hv_grant_access(hv, 2, 2, 9, 1, 6, false), 0);
	assert_int_equal(hv_grant_access(hv, 1, 1, 10, HV_DOMID_SELF, 7, false), 0);
	assert_int_equal(map(machine, 2, 1, 9, &handle), 0);
	assert_int_equal(map(machine, 1, 2, 9, &handle), 0);
	assert_int_equal(map(machine, 1, HV_DOMID_SELF, 10, &handle), 0);
	assert_int_equal(hv_domain_destroy(hv, 0, 1), 0);
	assert_int_equal(hv_domain_destroy(hv, 0, 2), 0);
	assert_int_equal(hv_reclaim(hv), 2);
	machine_free(machine);
}

static void test_foreign(void **state)
{
	struct machine *machine = machine_with_ring();
	struct hypervisor *hv = &machine->hv;
	uint32_t handle;

	(void)state;
	assert_int_equal(hv_foreign_map(hv, 2, 1, 7, &handle), -XEN_EPERM);
	assert_int_equal(hv_foreign_map(hv, 0, 9, 7, &handle), -XEN_ESRCH);
	assert_int_equal(hv_domain_set_target(hv, 0, 2, 1), 0);
	assert_int_equal(hv_foreign_map(hv, 2, 1, 7, &handle), 0);
	assert_int_equal(hv_unmap(hv, 2, handle), 0);
	machine_free(machine);
}

/* Handles are used again, and there is a limit to them. */
static void test_handles(void **state)
{
	struct machine *machine = machine_with_ring();
	struct hypervisor *hv = &machine->hv;
	struct hv_domain_config config = {.domid = 3, .max_mappings = 10};
	uint32_t handles[10], handle;
	unsigned int domid;

	(void)state;
	assert_int_equal(hv_domain_create(hv, 0, &config, &domid), 0);
	assert_int_equal(hv_grant_access(hv, 1, 1, 9, 3, 5, false), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(map(machine, 3, 1, 9, &handles[i]), 0);
	for (int i = 0; i < 10; i++) {
		for (int k = 0; k < i; k++)
			assert_int_not_equal(handles[i], handles[k]);
	}
	assert_int_equal(map(machine, 3, 1, 9, &handle), -XEN_ENOSPC);
	assert_int_equal(hv_unmap(hv, 3, handles[4]), 0);
	assert_int_equal(hv_unmap(hv, 3, handles[7]), 0);
	assert_int_equal(map(machine, 3, 1, 9, &handle), 0);
	assert_int_equal(map(machine, 3, 1, 9, &handle), 0);
	assert_int_equal(map(machine, 3, 1, 9, &handle), -XEN_ENOSPC);
	/* Another's handle is nothing to oneself. */
	assert_int_equal(hv_unmap(hv, 2, handles[0]), -XEN_EINVAL);
	machine_free(machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map_errors),
		cmocka_unit_test(test_access_errors),
		cmocka_unit_test(test_revoked_while_mapped),
		cmocka_unit_test(test_granter_dies),
		cmocka_unit_test(test_mapper_dies),
		cmocka_unit_test(test_circle),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_handles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
