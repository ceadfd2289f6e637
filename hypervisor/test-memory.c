/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The heap, and domains' memory from getting it to losing it.
 */
#include "hypervisor/test-host.h"

#include "hypervisor/test-invariants.h"

static struct host *new_host(void)
{
	struct hv_image_note note = host_note(2);

	return host_new(FRAMES_OF(256 * MIB), 4 * MIB, &note);
}

static void test_populate(void **state)
{
	struct host *host = new_host();
	struct hypervisor *hv = &host->machine->hv;
	const uint64_t free = host_count(host, HV_FRAME_FREE);
	const struct hv_domain *domain;

	(void)state;
	machine_create(host->machine, 1);
	domain = hv_domain_find(hv, 1);
	assert_int_equal(domain->pages, 0);
	assert_int_equal(hv_populate(hv, 0, 1, 10, 100), 100);
	assert_int_equal(domain->pages, 100);
	assert_int_equal(host_count(host, HV_FRAME_FREE), free - 100);
	assert_int_equal(hv_populate(hv, 0, 1, 20, 1), -XEN_EEXIST);
	assert_int_equal(hv_populate(hv, 0, 1, 0, 0), -XEN_EINVAL);
	assert_int_equal(hv_populate(hv, 0, 1, UINT64_MAX, 2), -XEN_EINVAL);
	assert_int_equal(hv_populate(hv, 1, 1, 500, 1), -XEN_EPERM);
	assert_int_equal(hv_populate(hv, 0, 7, 500, 1), -XEN_ESRCH);
	check_invariants(hv);
	assert_int_equal(hv_depopulate(hv, 0, 1, 50, 100), 60);
	assert_int_equal(hv_depopulate(hv, 0, 1, 50, 100), -XEN_ENOENT);
	assert_int_equal(domain->pages, 40);
	check_invariants(hv);
	host_free(host);
}

/* All there is, and no more: it says how far it got. */
static void test_exhaustion(void **state)
{
	struct host *host = new_host();
	struct hypervisor *hv = &host->machine->hv;
	const int64_t free = (int64_t)host_count(host, HV_FRAME_FREE);

	(void)state;
	machine_create(host->machine, 1);
	hv_heap_scatter(&host->memory.heap, 1000, 5);
	assert_int_equal(hv_populate(hv, 0, 1, 0, UINT64_C(1) << 30), free);
	assert_int_equal(host_count(host, HV_FRAME_FREE), 0);
	assert_true(hv_domain_find(hv, 1)->p2m.count > 10);
	assert_int_equal(hv_populate(hv, 0, 1, UINT64_C(1) << 31, 1), -XEN_ENOMEM);
	check_invariants(hv);
	assert_int_equal(hv_domain_destroy(hv, 0, 1), 0);
	hv_reclaim(hv);
	assert_int_equal(host_count(host, HV_FRAME_FREE), free);
	host_free(host);
}

/* A frame that is mapped stays with its owner, whatever happens to him. */
static void test_mapped_frames(void **state)
{
	struct host *host = new_host();
	struct hypervisor *hv = &host->machine->hv;
	const uint64_t free = host_count(host, HV_FRAME_FREE);
	uint64_t frame, got;
	uint32_t handle;

	(void)state;
	machine_create(host->machine, 1);
	assert_int_equal(hv_populate(hv, 0, 1, 0, 50), 50);
	frame = hv_p2m_mfn(&hv_domain_find(hv, 1)->p2m, 20);
	assert_int_equal(hv_grant_access(hv, 0, 1, 3, 0, frame + 1000, false), 0);
	assert_int_equal(hv_grant_map(hv, 0, 1, 3, false, &handle, &got), -XEN_EINVAL);
	assert_int_equal(hv_grant_access(hv, 0, 1, 3, 0, frame, false), 0);
	assert_int_equal(hv_grant_map(hv, 0, 1, 3, false, &handle, &got), 0);
	assert_true(got == frame);
	assert_int_equal(hv_depopulate(hv, 0, 1, 20, 1), -XEN_EBUSY);
	assert_int_equal(hv_depopulate(hv, 0, 1, 15, 10), 5);
	check_invariants(hv);
	assert_int_equal(hv_domain_destroy(hv, 0, 1), 0);
	assert_int_equal(hv_reclaim(hv), 0);
	assert_int_equal(host_count(host, HV_FRAME_RAM), 1);
	check_invariants(hv);
	assert_int_equal(hv_unmap(hv, 0, handle), 0);
	assert_int_equal(hv_reclaim(hv), 1);
	assert_int_equal(host_count(host, HV_FRAME_RAM), 0);
	assert_int_equal(host_count(host, HV_FRAME_FREE), free);
	host_free(host);
}

/* Without memory to split the frame table's runs, a dead domain waits; nothing is lost. */
static void test_refused_death(void **state)
{
	struct host *host = new_host();
	struct hypervisor *hv = &host->machine->hv;
	uint64_t free = host_count(host, HV_FRAME_FREE);

	(void)state;
	for (unsigned int nth = 0; nth < 6; nth++) {
		hv_heap_scatter(&host->memory.heap, 3, nth);
		machine_create(host->machine, 1);
		assert_int_equal(hv_populate(hv, 0, 1, 0, 300), 300);
		machine_refuse(host->machine, nth);
		assert_int_equal(hv_domain_destroy(hv, 0, 1), 0);
		hv_reclaim(hv);
		machine_refuse(host->machine, 0);
		hv_reclaim(hv);
		assert_null(hv_domain_find(hv, 1));
		assert_int_equal(host_count(host, HV_FRAME_FREE), free);
		check_invariants(hv);
	}
	host_free(host);
}

static void test_contiguous(void **state)
{
	struct host *host = new_host();
	struct hv_heap *heap = &host->memory.heap;
	uint64_t first, again;

	(void)state;
	assert_int_equal(hv_heap_allocate_contiguous(heap, 0, 1, 1, HV_FRAME_RAM, &first),
			 -XEN_EINVAL);
	assert_int_equal(hv_heap_allocate_contiguous(heap, 1, 3, 1, HV_FRAME_RAM, &first),
			 -XEN_EINVAL);
	assert_int_equal(hv_heap_allocate_contiguous(heap, 1, 1, 1, HV_FRAME_FREE, &first),
			 -XEN_EINVAL);
	assert_int_equal(hv_heap_allocate_contiguous(heap, 700, 512, 1, HV_FRAME_IOMMU, &first), 0);
	assert_int_equal(first % 512, 0);
	assert_int_equal(hv_heap_allocate_contiguous(heap, 700, 512, 1, HV_FRAME_IOMMU, &again), 0);
	assert_true(again >= first + 700 || again + 700 <= first);
	assert_int_equal(hv_heap_allocate_contiguous(heap, FRAMES_OF(256 * MIB), 1, 1,
						     HV_FRAME_IOMMU, &again),
			 -XEN_ENOMEM);
	assert_int_equal(hv_heap_free(heap, first, 700, 2, HV_FRAME_IOMMU), -XEN_EBUSY);
	assert_int_equal(hv_heap_free(heap, first, 700, 1, HV_FRAME_IOMMU), 0);
	/* Frames on their own again and again: only what is not in one piece is not found. */
	hv_heap_scatter(heap, 1, 9);
	for (unsigned int i = 0; i < 5000; i++)
		assert_int_equal(hv_heap_allocate(heap, 7, 1, HV_FRAME_RAM, &first), 1);
	assert_int_equal(hv_heap_allocate_contiguous(heap, 4, 4, 1, HV_FRAME_IOMMU, &first), 0);
	host_free(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_populate),      cmocka_unit_test(test_exhaustion),
		cmocka_unit_test(test_mapped_frames), cmocka_unit_test(test_refused_death),
		cmocka_unit_test(test_contiguous),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
