/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small machine of which each fact is known, for streams in which one is changed
 * (and signed, so that it is believed to have been written like this).
 *
 * 0, the hardware domain, maps frames of 1 (by grant) and 2 (foreign), has channels to
 * 1 and 2, and watches domains. 1 is an HVM guest with devices, 2 its device model,
 * which maps a frame of it and handles a virq. 3 is dying, and 2 still maps a frame of
 * it. 4 is gone but not reported.
 *
 * Included by test programs.
 */
#ifndef HYPERVISOR_TEST_SMALL_MACHINE_H
#define HYPERVISOR_TEST_SMALL_MACHINE_H

#include "hypervisor/test-stream-pages.h"
#include "hypervisor/test-world.h"

#define FRAMES 8u /* of each domain */

struct fixture {
	struct world_host *host;
	struct hypervisor *hv;
	struct stream stream;
	uint64_t ids[4]; /* unique ids of the domains */
};

static void create(struct hypervisor *hv, unsigned int domid, bool hvm)
{
	struct hv_domain_config config = {
		.domid = (uint16_t)domid,
		.hvm = hvm,
		.caps = domid ? 0 : HV_CAP_CONTROL | HV_CAP_HARDWARE,
		.evtchn_abi = domid ? HV_EVTCHN_2LEVEL : HV_EVTCHN_FIFO,
	};
	const uint8_t state[HV_VCPU_STATE] = {(uint8_t)domid};
	uint64_t frame;

	assert_int_equal(hv_domain_create(hv, HV_DOMID_XEN, &config, &domid), 0);
	assert_int_equal(hv_vcpus_create(hv, 0, domid, 1), 0);
	assert_int_equal(hv_vcpu_set(hv, 0, domid, 0, 64, state, HV_VCPU_RUNNABLE), 0);
	for (uint64_t gfn = 0; gfn < FRAMES;) {
		int64_t got = hv_populate(hv, 0, domid, gfn, FRAMES - gfn);

		assert_true(got > 0);
		gfn += (uint64_t)got;
	}
	assert_int_equal(
		hv_allocate_special(hv, hv_domain_find(hv, domid), HV_FRAME_SHARED_INFO, 1, &frame),
		0);
	assert_int_equal(hv_domain_unpause(hv, HV_DOMID_XEN, domid), 0);
}

static uint64_t frame_of(const struct hypervisor *hv, unsigned int domid, uint64_t gfn)
{
	return hv_p2m_mfn(&hv_table_get(&hv->domains, domid)->p2m, gfn);
}

static void grant_to(struct hypervisor *hv, unsigned int from, unsigned int to, uint32_t ref)
{
	uint32_t handle;
	uint64_t frame = frame_of(hv, from, 3);

	assert_int_equal(hv_grant_access(hv, from, from, ref, to, frame, false), 0);
	assert_int_equal(hv_grant_map(hv, to, from, ref, false, &handle, &frame), 0);
}

static void channel(struct hypervisor *hv, unsigned int domid)
{
	uint32_t here, there;

	assert_int_equal(hv_evtchn_alloc_unbound(hv, domid, domid, 0, &there), 0);
	assert_int_equal(hv_evtchn_bind_interdomain(hv, 0, domid, there, &here), 0);
}

static void build(struct hypervisor *hv)
{
	struct hv_get_domain_state op;
	uint32_t port, handle, id;
	struct hv_domain_config any = {.domid = HV_DOMID_ANY};
	unsigned int domid;

	for (unsigned int i = 0; i < 4; i++)
		create(hv, i, i == 1);
	assert_int_equal(hv_domain_create(hv, 0, &any, &domid), 0);
	assert_int_equal(domid, 4);
	assert_int_equal(hv_evtchn_bind_virq(hv, 0, HV_VIRQ_DOM_EXC, 0, &port), 0);
	assert_int_equal(hv_evtchn_unmask(hv, 0, port), 0);
	do {
		memset(&op, 0, sizeof(op));
		op.domain = HV_DOMID_INVALID;
	} while (hv_get_domain_state(hv, 0, &op) == 0);
	channel(hv, 1);
	channel(hv, 2);
	grant_to(hv, 1, 0, 2);
	grant_to(hv, 1, 2, 4);
	assert_int_equal(hv_virq_set_handler(hv, 0, 2, 4), 0);
	assert_int_equal(hv_foreign_map(hv, 0, 2, frame_of(hv, 2, 5), &handle), 0);
	assert_int_equal(hv_domain_set_target(hv, 0, 2, 1), 0);
	assert_int_equal(hv_ioreq_create(hv, 2, 1, frame_of(hv, 1, 7), &id), 0);
	assert_int_equal(hv_iommu_map(hv, 0, 1, 100, 0, FRAMES), 0);
	assert_int_equal(hv_domain_pause(hv, 0, 2), 0);
	grant_to(hv, 3, 2, 2);
	assert_int_equal(hv_domain_destroy(hv, 0, 3), 0);
	assert_int_equal(hv_domain_destroy(hv, 0, 4), 0);
	assert_int_equal(hv_reclaim(hv), 1);
	assert_int_equal(hv_evtchn_take(hv, 0, port), 1);
	/* An event that nobody has taken yet. */
	assert_int_equal(hv_evtchn_take(hv, 0, 2), 1);
	assert_int_equal(hv_evtchn_unmask(hv, 0, 2), 0);
	assert_int_equal(hv_evtchn_send(hv, 1, 1), 0);
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct world_host *first = world_host_new();
	struct hv_config config = world_config(first);
	struct hv_quiesce quiesce;

	hv_init(&first->machine->hv, &config);
	build(&first->machine->hv);
	for (unsigned int domid = 0; domid < 4; domid++)
		fixture->ids[domid] = hv_domain_find(&first->machine->hv, domid)->unique_id;
	assert_int_equal(hv_quiesce_begin(&first->machine->hv, &quiesce, 1), 0);
	assert_int_equal(hv_quiesce_step(&first->machine->hv, &quiesce, 0), 0);
	fixture->stream = stream_save(&first->machine->hv, HV_STREAM_VERSION);
	hv_quiesce_undo(&first->machine->hv, &quiesce);
	world_host_free(first);
	fixture->host = world_host_new();
	fixture->hv = &fixture->host->machine->hv;
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	world_host_free(fixture->host);
	stream_free(&fixture->stream);
	free(fixture);
	return 0;
}

/* Restore the stream as it is now. Returns what begin or finish does; the verdict on each domain is
 * in @verdicts, unless it is NULL. */
static int restore_as(struct fixture *fixture, const char *verdicts[4])
{
	struct hv_config config = world_config(fixture->host);
	struct hv_restore restore;
	unsigned int domid;
	int error = hv_restore_begin(&restore, fixture->hv, &config, fixture->stream.bytes,
				     fixture->stream.size);

	if (!error) {
		hv_restore_all(&restore);
		error = hv_restore_finish(&restore);
		for (uint32_t i = 0; verdicts && i < restore.domain_count; i++) {
			const char *verdict = hv_restore_verdict(&restore, i, &domid);

			verdicts[domid] = verdict;
		}
		hv_restore_end(&restore);
	}
	if (error)
		assert_non_null(restore.reason);
	else
		check_invariants(fixture->hv);
	return error;
}

/* What one who failed looks like; who he was is still known. */
static inline void check_failed(struct fixture *fixture, unsigned int domid)
{
	struct hv_domain *domain = hv_domain_find(fixture->hv, domid);
	struct hv_get_domain_state op = {.cmd = 90, .domain = (uint16_t)domid};

	assert_non_null(domain);
	assert_int_equal(domain->life, HV_DYING);
	assert_int_equal(domain->shutdown_code, HV_SHUTDOWN_CRASH);
	assert_int_equal(hv_get_domain_state(fixture->hv, 0, &op), 0);
	assert_int_equal(op.state, HV_STATE_EXIST | HV_STATE_SHUTDOWN | HV_STATE_DYING);
	assert_true(op.unique_id == fixture->ids[domid]);
	assert_int_equal(domain->mappings.count, 0);
	assert_int_equal(domain->iommu.count, 0);
	for (unsigned int virq = 0; virq < HV_VIRQ_COUNT; virq++)
		assert_ptr_not_equal(hv_virq_handler(fixture->hv, virq), domain);
}

/* A toolstack can do away with all domains, and all memory comes back in the end. */
static void check_end(struct fixture *fixture)
{
	for (unsigned int domid = 1; domid < 4; domid++)
		(void)hv_domain_destroy(fixture->hv, 0, domid);
	assert_int_equal(hv_evtchn_reset(fixture->hv, 0, 0), 0);
	for (uint32_t handle = 0; handle < 8; handle++)
		(void)hv_unmap(fixture->hv, 0, handle);
	hv_reclaim(fixture->hv);
	assert_int_equal(fixture->hv->domains.count, 1);
	check_invariants(fixture->hv);
	for (uint64_t frame = WORLD_BOOTMEM; frame < WORLD_FRAMES; frame++) {
		struct hv_frames frames;

		assert_true(hv_frames_find(&fixture->host->memory.table, frame, &frames));
		assert_true(frames.type == HV_FRAME_FREE || frames.owner == 0);
		assert_int_equal(frames.references, 0);
	}
}

/* Sign and restore: @bad (a bit for each domid) fail, and nobody else. */
static inline void check_restore(struct fixture *fixture, unsigned int bad)
{
	const char *verdicts[4] = {NULL};

	stream_sign(&fixture->stream);
	assert_int_equal(restore_as(fixture, verdicts), 0);
	for (unsigned int domid = 0; domid < 4; domid++) {
		if (bad >> domid & 1) {
			assert_non_null(verdicts[domid]);
			check_failed(fixture, domid);
		} else if (verdicts[domid]) {
			fail_msg("%u: %s", domid, verdicts[domid]);
		}
	}
	check_end(fixture);
}

/* The stream does not make a machine. Nothing is left, and another hypervisor can try. */
static inline void check_refused(struct fixture *fixture, int error)
{
	assert_int_equal(restore_as(fixture, NULL), error);
	assert_null(hv_domain_find(fixture->hv, 0));
	hv_memory_deinit(&fixture->host->memory);
	assert_int_equal(fixture->host->machine->blocks, 0);
	world_host_free(fixture->host);
	fixture->host = world_host_new();
	fixture->hv = &fixture->host->machine->hv;
}

static inline void *record(struct fixture *fixture, unsigned int domid, uint32_t type)
{
	size_t size;
	void *found = stream_record(&fixture->stream, domid, type, &size);

	assert_non_null(found);
	return found;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
