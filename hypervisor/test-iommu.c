/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What devices reach: only memory of their domain, which cannot be taken meanwhile. */
#include "hypervisor/test-world.h"

/* A world with a domain 1 that has 20 frames from 100 on. */
static struct world *world_with_guest(void)
{
	struct world *world = world_new(1);
	struct hv_domain_config config = {.domid = 1};
	unsigned int domid;

	assert_int_equal(hv_domain_create(world->hv, 0, &config, &domid), 0);
	for (uint64_t gfn = 100; gfn < 120;) {
		int64_t got = hv_populate(world->hv, 0, 1, gfn, 120 - gfn);

		assert_true(got > 0);
		gfn += (uint64_t)got;
	}
	return world;
}

static void test_map(void **state)
{
	struct world *world = world_with_guest();
	struct hypervisor *hv = world->hv;
	struct hv_domain *domain = hv_domain_find(hv, 1);

	(void)state;
	assert_int_equal(hv_iommu_map(hv, 1, 1, 0, 100, 1), -XEN_EPERM);
	assert_int_equal(hv_iommu_map(hv, 0, 9, 0, 100, 1), -XEN_ESRCH);
	assert_int_equal(hv_iommu_map(hv, 0, 1, 0, 100, 0), -XEN_EINVAL);
	assert_int_equal(hv_iommu_map(hv, 0, 1, UINT64_MAX, 100, 5), -XEN_EINVAL);
	assert_int_equal(hv_iommu_map(hv, 0, 1, 7, 100, 10), 0);
	assert_int_equal(hv_p2m_mfn(&domain->iommu, 8), hv_p2m_mfn(&domain->p2m, 101));
	/* It is all or nothing. */
	assert_int_equal(hv_iommu_map(hv, 0, 1, 30, 110, 11), -XEN_ENOENT);
	assert_int_equal(hv_iommu_map(hv, 0, 1, 1, 110, 9), -XEN_EEXIST);
	assert_int_equal(domain->iommu.frames, 10);
	check_invariants(hv);
	assert_int_equal(hv_iommu_unmap(hv, 0, 1, 7, 11), -XEN_ENOENT);
	assert_int_equal(hv_iommu_unmap(hv, 0, 1, 7, 10), 0);
	assert_int_equal(domain->iommu.count, 0);
	world_free(world);
}

static void test_no_memory(void **state)
{
	struct world *world = world_with_guest();
	struct machine *machine = world->host->machine;
	unsigned long nth;

	(void)state;
	for (nth = 1;; nth++) {
		int error;

		machine_refuse(machine, nth);
		error = hv_iommu_map(world->hv, 0, 1, 0, 100, 20);
		if (machine->asked < nth)
			break;
		assert_int_equal(error, -XEN_ENOMEM);
		assert_int_equal(hv_domain_find(world->hv, 1)->iommu.frames, 0);
	}
	assert_true(nth > 1);
	world_free(world);
}

static void test_memory_stays(void **state)
{
	struct world *world = world_with_guest();
	struct hypervisor *hv = world->hv;

	(void)state;
	assert_int_equal(hv_iommu_map(hv, 0, 1, 0, 105, 2), 0);
	assert_int_equal(hv_depopulate(hv, 0, 1, 105, 1), -XEN_EBUSY);
	assert_int_equal(hv_depopulate(hv, 0, 1, 100, 20), 5);
	check_invariants(hv);
	assert_int_equal(hv_iommu_unmap(hv, 0, 1, 0, 2), 0);
	assert_int_equal(hv_depopulate(hv, 0, 1, 105, 15), 15);
	world_free(world);
}

/* With the domain's end its devices reach nothing, before its memory is anybody's. */
static void test_end(void **state)
{
	struct world *world = world_with_guest();
	struct hypervisor *hv = world->hv;

	(void)state;
	assert_int_equal(hv_iommu_map(hv, 0, 1, 0, 100, 20), 0);
	assert_int_equal(hv_domain_kill(hv, 0, 1), 0);
	assert_int_equal(hv_domain_find(hv, 1)->iommu.count, 0);
	assert_int_equal(hv_domain_find(hv, 1)->pages, 0);
	assert_int_equal(hv_iommu_map(hv, 0, 1, 0, 100, 1), -XEN_ESRCH);
	check_invariants(hv);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_memory_stays),
		cmocka_unit_test(test_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
