/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unique ids: no 0, no repetition, an order or none, and going on from a state. */
#include "hypervisor/test-machine.h"

#define IDS 100000

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Draw many ids; returns how often one was below the one before. */
static unsigned int draw(const struct hv_id_kind *kind, uint64_t seed)
{
	uint64_t *ids = calloc(IDS, sizeof(*ids));
	struct hv_id_generator generator;
	unsigned int falls = 0;

	assert_non_null(ids);
	hv_id_init(&generator, kind, seed);
	for (unsigned int i = 0; i < IDS; i++) {
		ids[i] = hv_id_next(&generator);
		assert_true(ids[i] != 0);
		if (i && ids[i] < ids[i - 1])
			falls++;
	}
	qsort(ids, IDS, sizeof(*ids), compare);
	for (unsigned int i = 1; i < IDS; i++)
		assert_true(ids[i] != ids[i - 1]);
	free(ids);
	return falls;
}

static void test_random(void **state)
{
	const uint64_t seeds[] = {0, 1, 2, UINT64_MAX, 1234567890};

	(void)state;
	for (size_t i = 0; i < sizeof(seeds) / sizeof(*seeds); i++) {
		unsigned int falls = draw(&hv_id_random, seeds[i]);

		/* No order: about half of the steps go down. */
		assert_true(falls > IDS * 2 / 5 && falls < IDS * 3 / 5);
	}
}

static void test_random_differs_by_seed(void **state)
{
	struct hv_id_generator a, b;

	(void)state;
	hv_id_init(&a, &hv_id_random, 1);
	hv_id_init(&b, &hv_id_random, 2);
	for (int i = 0; i < 1000; i++)
		assert_true(hv_id_next(&a) != hv_id_next(&b));
}

static void test_sequence(void **state)
{
	struct hv_id_generator generator;

	(void)state;
	assert_int_equal(draw(&hv_id_sequence, 0), 0);
	hv_id_init(&generator, &hv_id_sequence, 0);
	assert_true(hv_id_next(&generator) == 1);
	assert_true(hv_id_next(&generator) == 2);
	hv_id_init(&generator, &hv_id_sequence, UINT64_C(1) << 40);
	assert_true(hv_id_next(&generator) == (UINT64_C(1) << 40) + 1);
	hv_id_init(&generator, &hv_id_sequence, UINT64_MAX);
	assert_true(hv_id_next(&generator) == 1);
}

/* An updated hypervisor has nothing but the kind's name and the state to go on from. */
static void test_goes_on_from_state(void **state)
{
	static const char *const names[] = {"random", "sequence"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct hv_id_generator old, new;

		hv_id_init(&old, hv_id_kind_by_name(names[i]), 77);
		for (int n = 0; n < 10; n++)
			hv_id_next(&old);
		new.kind = hv_id_kind_by_name(old.kind->name);
		new.state = old.state;
		for (int n = 0; n < 10; n++)
			assert_true(hv_id_next(&old) == hv_id_next(&new));
	}
	assert_null(hv_id_kind_by_name("rand"));
	assert_null(hv_id_kind_by_name("randomly"));
	assert_null(hv_id_kind_by_name(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_random_differs_by_seed),
		cmocka_unit_test(test_sequence),
		cmocka_unit_test(test_goes_on_from_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
