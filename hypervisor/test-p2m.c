/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Extents against a plain array, one entry for each gfn.
 */
#include "hypervisor/test-machine.h"
#include "tests/unit/setting.h"

#define GFNS 200

struct world {
	struct machine machine; /* its allocator only */
	struct hv_allocator allocator;
	struct hv_p2m p2m;
	uint64_t plain[GFNS];
	uint64_t random;
};

static unsigned int pick(struct world *world, unsigned int below)
{
	world->random = world->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (unsigned int)(world->random >> 33) % below;
}

static void compare(const struct world *world)
{
	uint64_t frames = 0;

	for (uint64_t gfn = 0; gfn < GFNS; gfn++) {
		assert_true(hv_p2m_mfn(&world->p2m, gfn) == world->plain[gfn]);
		frames += world->plain[gfn] != HV_NO_FRAME;
	}
	assert_true(world->p2m.frames == frames);
	for (uint32_t i = 0; i < world->p2m.count; i++) {
		const struct hv_extent *extent = &world->p2m.extents[i], *next = extent + 1;

		assert_true(extent->count > 0);
		if (i + 1 == world->p2m.count)
			break;
		assert_true(extent->gfn + extent->count <= next->gfn);
		assert_false(extent->gfn + extent->count == next->gfn &&
			     extent->mfn + extent->count == next->mfn);
	}
}

static void step(struct world *world)
{
	const unsigned int gfn = pick(world, GFNS);
	unsigned int count = 1 + pick(world, 12);
	/* Often what continues a neighbour. */
	const uint64_t mfn = pick(world, 2) ? 1000 + gfn : 5000 + pick(world, 3) * 1000;
	unsigned int there = 0;
	int error;

	if (count > GFNS - gfn)
		count = GFNS - gfn;
	for (unsigned int i = gfn; i < gfn + count; i++)
		there += world->plain[i] != HV_NO_FRAME;
	machine_refuse(&world->machine, pick(world, 6) ? 0 : 1);
	if (pick(world, 2)) {
		error = hv_p2m_add(&world->allocator, &world->p2m, gfn, mfn, count);
		if (error == -XEN_ENOMEM)
			assert_true(world->machine.asked >= 1 && world->machine.refuse);
		else
			assert_int_equal(error, there ? -XEN_EEXIST : 0);
		for (unsigned int i = 0; !error && i < count; i++)
			world->plain[gfn + i] = mfn + i;
	} else {
		error = hv_p2m_remove(&world->allocator, &world->p2m, gfn, count);
		if (error == -XEN_ENOMEM)
			assert_true(world->machine.asked >= 1 && world->machine.refuse);
		else
			assert_int_equal(error, there == count ? 0 : -XEN_ENOENT);
		for (unsigned int i = 0; !error && i < count; i++)
			world->plain[gfn + i] = HV_NO_FRAME;
	}
}

static void test_random(void **state)
{
	unsigned long steps = 20000 * setting("COUNT", 1);
	struct world *world = calloc(1, sizeof(*world));

	(void)state;
	assert_non_null(world);
	world->random = 20240229;
	world->allocator = (struct hv_allocator){machine_allocate, machine_release,
						 &world->machine};
	memset(world->plain, 0xff, sizeof(world->plain));
	for (unsigned long i = 0; i < steps; i++) {
		step(world);
		compare(world);
	}
	hv_p2m_deinit(&world->allocator, &world->p2m);
	assert_int_equal(world->machine.blocks, 0);
	free(world);
}

static void test_bounds(void **state)
{
	struct machine *machine = machine_new();
	struct hv_p2m p2m = {.count = 0};
	struct hv_extent found;

	(void)state;
	assert_int_equal(hv_p2m_add(&machine->hv.allocator, &p2m, 0, 0, 0), -XEN_EINVAL);
	assert_int_equal(hv_p2m_add(&machine->hv.allocator, &p2m, UINT64_MAX, 0, 1), -XEN_EINVAL);
	assert_int_equal(hv_p2m_add(&machine->hv.allocator, &p2m, 0, UINT64_MAX, 2), -XEN_EINVAL);
	assert_int_equal(hv_p2m_add(&machine->hv.allocator, &p2m, 0, 0, UINT64_MAX), -XEN_EINVAL);
	assert_int_equal(hv_p2m_remove(&machine->hv.allocator, &p2m, UINT64_MAX, 1), -XEN_ENOENT);
	assert_int_equal(hv_p2m_remove(&machine->hv.allocator, &p2m, 0, UINT64_MAX), -XEN_ENOENT);
	assert_false(hv_p2m_find(&p2m, 0, &found));
	assert_int_equal(hv_p2m_add(&machine->hv.allocator, &p2m, 8, 100, 8), 0);
	assert_true(hv_p2m_find(&p2m, 10, &found));
	assert_int_equal(found.gfn, 10);
	assert_int_equal(found.mfn, 102);
	assert_int_equal(found.count, 6);
	hv_p2m_deinit(&machine->hv.allocator, &p2m);
	machine_free(machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
