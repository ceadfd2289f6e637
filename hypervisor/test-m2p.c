/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose is a frame: as all domains' extents say, also after memory changed hands. */
#include "hypervisor/test-stream-pages.h"
#include "hypervisor/test-world.h"

static struct world *busy_world(void)
{
	struct world *world = world_new(20240305);

	for (unsigned int i = 0; i < 3000; i++)
		(void)world_step(world);
	return world;
}

/* Compare with every domain's extents. */
static void check_all(struct hypervisor *hv)
{
	for (uint64_t mfn = 0; mfn < WORLD_FRAMES; mfn++) {
		const struct hv_domain *owner = NULL, *domain = hv_table_next(&hv->domains, 0);
		uint64_t gfn, expected = 0;
		unsigned int domid;
		int error;

		for (; domain; domain = hv_table_next(&hv->domains, domain->domid + 1u)) {
			for (uint32_t i = 0; i < domain->p2m.count; i++) {
				const struct hv_extent *extent = &domain->p2m.extents[i];

				if (mfn - extent->mfn >= extent->count)
					continue;
				owner = domain;
				expected = extent->gfn + (mfn - extent->mfn);
			}
		}
		error = hv_m2p_find(hv, mfn, &domid, &gfn);
		assert_int_equal(error, owner ? 0 : -XEN_ENOENT);
		if (owner) {
			assert_int_equal(domid, owner->domid);
			assert_int_equal(gfn, expected);
		}
	}
}

static void test_find(void **state)
{
	struct world *world = busy_world();

	(void)state;
	check_all(world->hv);
	assert_non_null(world->hv->m2p.extents);
	for (unsigned int i = 0; i < 300; i++)
		(void)world_step(world);
	check_all(world->hv);
	hv_m2p_forget(world->hv);
	machine_refuse(world->host->machine, 1);
	assert_int_equal(hv_m2p_find(world->hv, 300, &(unsigned int){0}, &(uint64_t){0}),
			 -XEN_ENOMEM);
	machine_refuse(world->host->machine, 0);
	check_all(world->hv);
	world_free(world);
}

/* It is passed on if it is there, used if it is right, and made anew if not. */
static void test_update(void **state)
{
	struct world *world = busy_world();
	struct hv_quiesce quiesce;
	struct stream stream;
	unsigned int domid;
	uint64_t gfn;
	size_t size;

	(void)state;
	while (!world_stop(world, &quiesce))
		(void)world_step(world);
	hv_m2p_forget(world->hv);
	stream = stream_save(world->hv, HV_STREAM_VERSION);
	assert_null(stream_record(&stream, HV_DOMID_INVALID, HV_RECORD_M2P, &size));
	stream_free(&stream);
	(void)hv_m2p_find(world->hv, 0, &domid, &gfn);
	stream = stream_save(world->hv, HV_STREAM_VERSION);
	hv_quiesce_undo(world->hv, &quiesce);

	for (unsigned int fault = 0; fault < 6; fault++) {
		struct hv_stream_m2p *m2p = stream_record(&stream, HV_DOMID_INVALID, HV_RECORD_M2P,
							  &size);
		struct hv_stream_m2p kept[2] = {m2p[3], m2p[4]};
		struct world_host *host = world_host_new();
		struct hv_config config = world_config(host);
		struct hv_restore restore;

		assert_true(size > 5 * sizeof(*m2p));
		m2p[3].mfn += fault == 1;
		m2p[3].gfn += fault == 2;
		m2p[3].domid += fault == 3;
		m2p[3].count -= fault == 4;
		if (fault == 5) {
			m2p[3] = kept[1];
			m2p[4] = kept[0];
		}
		stream_sign(&stream);
		assert_int_equal(hv_restore_begin(&restore, &host->machine->hv, &config,
						  stream.bytes, stream.size),
				 0);
		hv_restore_all(&restore);
		assert_int_equal(hv_restore_finish(&restore), 0);
		assert_int_equal(restore.failed, 0);
		hv_restore_end(&restore);
		assert_int_equal(host->machine->hv.m2p.extents != NULL, fault == 0);
		check_all(&host->machine->hv);
		check_invariants(&host->machine->hv);
		world_host_free(host);
		m2p[3] = kept[0];
		m2p[4] = kept[1];
	}
	stream_free(&stream);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_update),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
