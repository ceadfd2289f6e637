/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain with very many mappings: all units of work share in them. What comes of it
 * is the same as if one did it, also when something is wrong in somebody's share.
 */
#include "hypervisor/test-dump.h"
#include "hypervisor/test-stream-pages.h"
#include "hypervisor/test-threads.h"
#include "hypervisor/test-world.h"

#define GUESTS 9u
#define TIMES  200u /* that each guest's frames are mapped */
#define FRAMES 4u

struct fixture {
	struct stream stream;
	char *dump;
};

static void guest(struct hypervisor *hv, unsigned int domid)
{
	struct hv_domain_config config = {.domid = (uint16_t)domid,
					  .caps = domid ? 0 : HV_CAP_CONTROL | HV_CAP_HARDWARE};
	const struct hv_domain *domain;
	uint32_t handle;
	uint64_t frame;

	assert_int_equal(hv_domain_create(hv, HV_DOMID_XEN, &config, &domid), 0);
	for (uint64_t gfn = 0; domid && gfn < FRAMES;) {
		int64_t got = hv_populate(hv, 0, domid, gfn, FRAMES - gfn);

		assert_true(got > 0);
		gfn += (uint64_t)got;
	}
	domain = hv_domain_find(hv, domid);
	for (uint32_t i = 0; domid && i < TIMES; i++) {
		frame = hv_p2m_mfn(&domain->p2m, i % FRAMES);
		if (i < FRAMES)
			assert_int_equal(hv_grant_access(hv, domid, domid, i, 0, frame, false), 0);
		assert_int_equal(hv_grant_map(hv, 0, domid, i % FRAMES, false, &handle, &frame), 0);
		if (i % 7 == 0)
			assert_int_equal(hv_foreign_map(hv, 0, domid, frame, &handle), 0);
	}
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct world_host *host = world_host_new();
	struct hv_config config = world_config(host);
	struct hypervisor *hv = &host->machine->hv;
	struct hv_quiesce quiesce;

	hv_init(hv, &config);
	for (unsigned int domid = 0; domid <= GUESTS; domid++)
		guest(hv, domid);
	for (uint32_t handle = 0; handle < GUESTS * TIMES; handle += 11)
		assert_int_equal(hv_unmap(hv, 0, handle), 0);
	assert_true(hv_domain_find(hv, 0)->mappings.count > HV_RESTORE_SHARED_FROM * 3 / 2);
	assert_int_equal(hv_quiesce_begin(hv, &quiesce, 1), 0);
	assert_int_equal(hv_quiesce_step(hv, &quiesce, 0), 0);
	fixture->stream = stream_save(hv, HV_STREAM_VERSION);
	fixture->dump = dump_machine(hv, true);
	hv_quiesce_undo(hv, &quiesce);
	world_host_free(host);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	stream_free(&fixture->stream);
	free(fixture->dump);
	free(fixture);
	return 0;
}

static void test_same(void **state)
{
	struct fixture *fixture = *state;

	for (unsigned int cpus = 1; cpus <= 4; cpus++) {
		struct world_host *host = world_host_new();
		struct hv_config config = world_config(host);
		struct hv_restore restore;
		char *dump;

		assert_int_equal(hv_restore_begin(&restore, &host->machine->hv, &config,
						  fixture->stream.bytes, fixture->stream.size),
				 0);
		threads_restore(&restore, cpus);
		assert_int_equal(restore.large_count, 1);
		assert_int_equal(hv_restore_finish(&restore), 0);
		assert_int_equal(restore.failed, 0);
		hv_restore_end(&restore);
		check_invariants(&host->machine->hv);
		dump = dump_machine(&host->machine->hv, false);
		dump_compare(fixture->dump, dump);
		free(dump);
		world_host_free(host);
	}
}

/* Restore on two CPUs. Domain 0 is the one that maps, so its failure ends the restore. */
static int restore_two(struct fixture *fixture, uint32_t *failed)
{
	struct world_host *host = world_host_new();
	struct hv_config config = world_config(host);
	struct hv_restore restore;
	int error;

	stream_sign(&fixture->stream);
	assert_int_equal(hv_restore_begin(&restore, &host->machine->hv, &config,
					  fixture->stream.bytes, fixture->stream.size),
			 0);
	threads_restore(&restore, 2);
	error = hv_restore_finish(&restore);
	*failed = restore.failed;
	hv_restore_end(&restore);
	if (!error)
		check_invariants(&host->machine->hv);
	world_host_free(host);
	return error;
}

static void test_wrong(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_mapping *mappings;
	uint32_t failed;
	size_t size = 0, count;

	mappings = stream_record(&fixture->stream, 0, HV_RECORD_MAPPINGS, &size);
	count = size / sizeof(*mappings);
	for (size_t i = 1; i < count; i += 131) {
		const struct hv_stream_mapping kept = mappings[i];

		mappings[i].handle = mappings[i - 1].handle;
		assert_int_equal(restore_two(fixture, &failed), -XEN_EINVAL);
		mappings[i] = kept;
		mappings[i].from = GUESTS + 1;
		assert_int_equal(restore_two(fixture, &failed), -XEN_EINVAL);
		mappings[i] = kept;
		mappings[i].ref = FRAMES;
		assert_int_equal(restore_two(fixture, &failed), -XEN_EINVAL);
		mappings[i] = kept;
	}
	assert_int_equal(restore_two(fixture, &failed), 0);
	assert_int_equal(failed, 0);
}

/* One of those whose frames are mapped fails; whoever maps them does not. */
static void test_owner_fails(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_general *general;
	uint32_t failed;
	size_t size;

	general = stream_record(&fixture->stream, 4, HV_RECORD_GENERAL, &size);
	general->pages++;
	assert_int_equal(restore_two(fixture, &failed), 0);
	assert_int_equal(failed, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_same),
		TEST(test_wrong),
		TEST(test_owner_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
