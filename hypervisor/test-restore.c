/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams that are wrong: one fact of a small machine is changed (and signed, so that
 * it is believed to have been written like this). Each time it is said who is hurt
 * and who is not.
 *
 * The machine: 0, the hardware domain, maps frames of 1 (by grant) and 2 (foreign),
 * has channels to 1 and 2, and watches domains. 1 is an HVM guest with devices, 2
 * its device model, which maps a frame of it and handles a virq. 3 is dying, and 2
 * still maps a frame of it. 4 is gone but not reported.
 */
#include "hypervisor/test-dump.h"
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
static void check_failed(struct fixture *fixture, unsigned int domid)
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
static void check_restore(struct fixture *fixture, unsigned int bad)
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
static void check_refused(struct fixture *fixture, int error)
{
	assert_int_equal(restore_as(fixture, NULL), error);
	assert_null(hv_domain_find(fixture->hv, 0));
	hv_memory_deinit(&fixture->host->memory);
	assert_int_equal(fixture->host->machine->blocks, 0);
	world_host_free(fixture->host);
	fixture->host = world_host_new();
	fixture->hv = &fixture->host->machine->hv;
}

static void *record(struct fixture *fixture, unsigned int domid, uint32_t type)
{
	size_t size;
	void *found = stream_record(&fixture->stream, domid, type, &size);

	assert_non_null(found);
	return found;
}

static void test_good(void **state)
{
	struct fixture *fixture = *state;
	struct hv_domain_config any = {.domid = HV_DOMID_ANY};
	struct hv_get_domain_state op;
	unsigned int seen = 0, domid;

	assert_int_equal(restore_as(fixture, NULL), 0);
	/* The event that waited, and then once the virq. */
	assert_int_equal(fixture->host->machine->upcalls, 2);
	assert_int_equal(fixture->host->machine->upcall[0].port, 2);
	assert_int_equal(fixture->host->machine->upcall[1].port, 1);
	/* The watcher learns of all there are and of the one that was gone. */
	for (;;) {
		memset(&op, 0, sizeof(op));
		op.domain = HV_DOMID_INVALID;
		if (hv_get_domain_state(fixture->hv, 0, &op))
			break;
		seen |= 1u << op.domain;
		assert_true(op.unique_id == (op.domain < 4 ? fixture->ids[op.domain] : 0));
	}
	assert_int_equal(seen, 0x1f);
	assert_int_equal(hv_domain_find(fixture->hv, 2)->pause_count, 1);
	assert_int_equal(hv_vcpu_run(fixture->hv, 1, 0), 0);
	assert_int_equal(hv_vcpu_run(fixture->hv, 2, 0), -XEN_EAGAIN);
	assert_ptr_equal(hv_virq_handler(fixture->hv, 4), hv_domain_find(fixture->hv, 2));
	assert_int_equal(hv_domain_create(fixture->hv, 0, &any, &domid), 0);
	assert_int_equal(domid, 5);
	assert_int_equal(hv_domain_destroy(fixture->hv, 0, 5), 0);
	check_end(fixture);
}

/* ---- One domain's section. ---- */

static void test_checksum(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_vcpu *vcpu = record(fixture, 1, HV_RECORD_VCPUS);
	const char *verdicts[4] = {NULL};

	vcpu->state[17] ^= 4;
	assert_int_equal(restore_as(fixture, verdicts), 0);
	assert_non_null(verdicts[1]);
	assert_null(verdicts[0]);
	assert_null(verdicts[2]);
	check_failed(fixture, 1);
	/* Whoever maps a frame of it still has it, and nobody else. */
	assert_int_equal(hv_domain_find(fixture->hv, 0)->mappings.count, 2);
	assert_int_equal(hv_domain_find(fixture->hv, 1)->special.count, 1);
	/* Its partner waits for somebody to bind again. */
	assert_int_equal(hv_domain_find(fixture->hv, 0)->evtchns.ports[2].state, HV_EVTCHN_UNBOUND);
	assert_int_equal(hv_domain_find(fixture->hv, 0)->evtchns.ports[3].state,
			 HV_EVTCHN_INTERDOMAIN);
	check_invariants(fixture->hv);
}

static void test_page_owned_twice(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_extent *one = record(fixture, 1, HV_RECORD_P2M);
	struct hv_stream_extent *two = record(fixture, 2, HV_RECORD_P2M);

	/* Nobody knows whose it is. What 0 had mapped of 1 or 2 it still has. */
	two->mfn = one->mfn;
	check_restore(fixture, 1 << 1 | 1 << 2);
}

static void test_page_twice_in_one(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_extent *p2m = record(fixture, 1, HV_RECORD_P2M);
	struct hv_stream_pages *pages = record(fixture, 1, HV_RECORD_PAGES);

	pages->mfn = p2m->mfn;
	check_restore(fixture, 1 << 1);
}

static void test_page_in_bootmem(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_extent *p2m = record(fixture, 1, HV_RECORD_P2M);

	p2m->mfn = 3;
	check_restore(fixture, 1 << 1);
}

static void test_page_beyond_machine(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_extent *p2m = record(fixture, 1, HV_RECORD_P2M);

	p2m->mfn = WORLD_FRAMES - 1;
	check_restore(fixture, 1 << 1);
}

static void test_counts(void **state)
{
	struct fixture *fixture = *state;
	const size_t counts[] = {
		offsetof(struct hv_stream_general, pages),
		offsetof(struct hv_stream_general, vcpus),
		offsetof(struct hv_stream_general, references),
		offsetof(struct hv_stream_general, grants),
		offsetof(struct hv_stream_general, ports),
		offsetof(struct hv_stream_general, mappings),
		offsetof(struct hv_stream_general, foreign),
		offsetof(struct hv_stream_general, servers),
	};
	struct world_host *host = fixture->host;

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		uint8_t *general = record(fixture, 1, HV_RECORD_GENERAL);

		general[counts[i]]++;
		check_restore(fixture, 1 << 1);
		general[counts[i]]--;
		world_host_free(host);
		fixture->host = host = world_host_new();
		fixture->hv = &host->machine->hv;
	}
}

static void test_grant_count(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_grant *grant = record(fixture, 1, HV_RECORD_GRANTS);

	grant->mappings = 2;
	check_restore(fixture, 1 << 1);
}

static void test_mapping_not_granted(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_mapping *mapping = record(fixture, 2, HV_RECORD_MAPPINGS);

	mapping->ref = 1;
	check_restore(fixture, 1 << 2);
}

static void test_mapping_of_another_frame(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_mapping *mapping = record(fixture, 2, HV_RECORD_MAPPINGS);
	struct hv_stream_grant *grant = record(fixture, 3, HV_RECORD_GRANTS);

	mapping++;
	assert_int_equal(mapping->from, 3);
	/* Both say so, but the frame is not 3's. */
	mapping->frame = grant->frame = 300;
	check_restore(fixture, 1 << 2);
}

static void test_mapping_of_another_page(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_mapping *mapping = record(fixture, 2, HV_RECORD_MAPPINGS);

	/* It is the owner's, but not the one that was granted. */
	assert_int_equal(mapping->from, 1);
	mapping->frame = ((struct hv_stream_extent *)record(fixture, 1, HV_RECORD_P2M))->mfn;
	check_restore(fixture, 1 << 2);
}

static void test_capabilities(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_general *general = record(fixture, 1, HV_RECORD_GENERAL);

	general->caps = HV_CAP_HARDWARE;
	check_restore(fixture, 1 << 1);
}

static void test_mapping_of_nobody(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_mapping *mapping = record(fixture, 2, HV_RECORD_MAPPINGS);

	mapping->from = 77;
	check_restore(fixture, 1 << 2);
}

static void test_one_sided_channel(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_port *port = record(fixture, 1, HV_RECORD_EVTCHN_2LEVEL);

	port->number = 3; /* which belongs to 2 */
	stream_sign(&fixture->stream);
	assert_int_equal(restore_as(fixture, NULL), 0);
	assert_int_equal(hv_domain_find(fixture->hv, 1)->evtchns.ports[1].state, HV_EVTCHN_UNBOUND);
	assert_int_equal(hv_domain_find(fixture->hv, 0)->evtchns.ports[2].state, HV_EVTCHN_UNBOUND);
	assert_int_equal(hv_domain_find(fixture->hv, 0)->evtchns.ports[2].remote, 1);
	assert_int_equal(hv_domain_find(fixture->hv, 2)->evtchns.ports[1].state,
			 HV_EVTCHN_INTERDOMAIN);
	assert_int_equal(hv_domain_find(fixture->hv, 1)->life, HV_ALIVE);
}

static void test_channel_to_itself(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_port *port = record(fixture, 1, HV_RECORD_EVTCHN_2LEVEL);

	port->remote = 1;
	port->number = port->port;
	stream_sign(&fixture->stream);
	assert_int_equal(restore_as(fixture, NULL), 0);
	assert_int_equal(hv_domain_find(fixture->hv, 1)->evtchns.ports[1].state, HV_EVTCHN_UNBOUND);
}

static void test_virq_of_another(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_port *port = record(fixture, 1, HV_RECORD_EVTCHN_2LEVEL);

	port->state = HV_EVTCHN_VIRQ;
	port->remote = 1;
	port->number = HV_VIRQ_DOM_EXC;
	check_restore(fixture, 1 << 1);
}

static void test_device_reaches_out(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_extent *iommu = record(fixture, 1, HV_RECORD_IOMMU);
	const struct hv_stream_extent *other = record(fixture, 2, HV_RECORD_P2M);

	iommu->mfn = other->mfn;
	iommu->count = 1;
	check_restore(fixture, 1 << 1);
}

static void test_model_missing(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_server *server = record(fixture, 1, HV_RECORD_IOREQ);

	server->emulator = 9;
	check_restore(fixture, 1 << 1);
}

static void test_target_missing(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_general *general = record(fixture, 2, HV_RECORD_GENERAL);

	general->target = 9;
	check_restore(fixture, 1 << 2);
}

static void test_dying_with_ports(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_general *general = record(fixture, 2, HV_RECORD_GENERAL);

	general->life = HV_DEAD;
	check_restore(fixture, 1 << 2);
}

static void test_removed_but_held(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_general *general = record(fixture, 3, HV_RECORD_GENERAL);

	general->life = HV_REMOVED;
	check_restore(fixture, 1 << 3);
}

/* One who is dead and held by a domain that fails is removed by that. */
static void test_holder_fails(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_vcpu *vcpu = record(fixture, 2, HV_RECORD_VCPUS);

	vcpu->run = 9;
	stream_sign(&fixture->stream);
	assert_int_equal(restore_as(fixture, NULL), 0);
	check_failed(fixture, 2);
	assert_null(hv_domain_find(fixture->hv, 3));
	assert_int_equal(hv_reclaim(fixture->hv), 1);
	check_invariants(fixture->hv);
}

static void test_record_unknown(void **state)
{
	struct fixture *fixture = *state;
	uint8_t *iommu = record(fixture, 1, HV_RECORD_IOMMU);
	struct hv_record header;

	memcpy(&header, iommu - sizeof(header), sizeof(header));
	header.type = 40;
	memcpy(iommu - sizeof(header), &header, sizeof(header));
	check_restore(fixture, 1 << 1);
	/* If it may be skipped it is. */
	world_host_free(fixture->host);
	fixture->host = world_host_new();
	fixture->hv = &fixture->host->machine->hv;
	header.flags = HV_RECORD_OPTIONAL;
	memcpy(iommu - sizeof(header), &header, sizeof(header));
	check_restore(fixture, 0);
}

/* ---- The machine's records. ---- */

static void test_machine_changed(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(struct hv_stream_header) + 200; i += 7) {
		fixture->stream.bytes[i] ^= 1;
		check_refused(fixture, i >= 8 && i < 12	   ? -XEN_EOPNOTSUPP
				       : i >= 16 && i < 24 ? restore_as(fixture, NULL)
							   : -XEN_EINVAL);
		fixture->stream.bytes[i] ^= 1;
	}
	check_restore(fixture, 0);
}

static void test_trailing(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_header *header = (void *)fixture->stream.bytes;

	fixture->stream.bytes[fixture->stream.size - 1] = 1;
	check_refused(fixture, -XEN_EINVAL);
	fixture->stream.bytes[fixture->stream.size - 1] = 0;
	header->size += 16;
	stream_sign(&fixture->stream);
	check_refused(fixture, -XEN_EINVAL);
	header->size -= 16;
	check_restore(fixture, 0);
}

static void test_cut_off(void **state)
{
	struct fixture *fixture = *state;
	struct stream whole = fixture->stream;

	for (size_t size = 0; size < ((struct hv_stream_header *)(void *)whole.bytes)->size;
	     size += 328) {
		fixture->stream.size = size;
		check_refused(fixture, -XEN_EINVAL);
	}
	fixture->stream = whole;
	check_restore(fixture, 0);
}

static void test_version(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_header *header = (void *)fixture->stream.bytes;

	header->version = HV_STREAM_VERSION + 1;
	stream_sign(&fixture->stream);
	check_refused(fixture, -XEN_EOPNOTSUPP);
	header->version = HV_STREAM_OLDEST - 1;
	stream_sign(&fixture->stream);
	check_refused(fixture, -XEN_EOPNOTSUPP);
}

static void test_machine_wrong(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_machine *machine = record(fixture, HV_DOMID_INVALID, HV_RECORD_MACHINE);
	struct hv_stream_identity *list = record(fixture, HV_DOMID_INVALID, HV_RECORD_DOMAINS);

	machine->ids[0] = '?';
	stream_sign(&fixture->stream);
	check_refused(fixture, -XEN_EINVAL);
	machine->ids[0] = 'r';
	machine->frames *= 2;
	stream_sign(&fixture->stream);
	check_refused(fixture, -XEN_EINVAL);
	machine->frames /= 2;
	machine->hardware = 9;
	stream_sign(&fixture->stream);
	check_refused(fixture, -XEN_EINVAL);
	machine->hardware = 0;
	list[2].domid = list[1].domid;
	stream_sign(&fixture->stream);
	check_refused(fixture, -XEN_EINVAL);
	list[2].domid = 2;
	check_restore(fixture, 0);
}

/* Without the hardware domain there is no machine. */
static void test_hardware_fails(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_vcpu *vcpu = record(fixture, 0, HV_RECORD_VCPUS);

	vcpu->run = 9;
	stream_sign(&fixture->stream);
	check_refused(fixture, -XEN_EINVAL);
	vcpu->run = HV_VCPU_RUNNABLE;
	check_restore(fixture, 0);
}

/* Each allocation is refused in turn: the restore ends, and with memory it succeeds. */
static void test_no_memory(void **state)
{
	struct fixture *fixture = *state;
	unsigned long nth;

	for (nth = 1;; nth++) {
		int error;

		machine_refuse(fixture->host->machine, nth);
		error = restore_as(fixture, NULL);
		if (fixture->host->machine->asked < nth)
			break;
		assert_int_equal(error, -XEN_ENOMEM);
		hv_memory_deinit(&fixture->host->memory);
		assert_int_equal(fixture->host->machine->blocks, 0);
		world_host_free(fixture->host);
		fixture->host = world_host_new();
		fixture->hv = &fixture->host->machine->hv;
	}
	assert_true(nth > 20);
	machine_refuse(fixture->host->machine, 0);
	check_end(fixture);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_good),
		TEST(test_checksum),
		TEST(test_page_owned_twice),
		TEST(test_page_twice_in_one),
		TEST(test_page_in_bootmem),
		TEST(test_page_beyond_machine),
		TEST(test_counts),
		TEST(test_grant_count),
		TEST(test_mapping_not_granted),
		TEST(test_mapping_of_another_frame),
		TEST(test_mapping_of_another_page),
		TEST(test_capabilities),
		TEST(test_mapping_of_nobody),
		TEST(test_one_sided_channel),
		TEST(test_channel_to_itself),
		TEST(test_virq_of_another),
		TEST(test_device_reaches_out),
		TEST(test_model_missing),
		TEST(test_target_missing),
		TEST(test_dying_with_ports),
		TEST(test_removed_but_held),
		TEST(test_holder_fails),
		TEST(test_record_unknown),
		TEST(test_machine_changed),
		TEST(test_trailing),
		TEST(test_cut_off),
		TEST(test_version),
		TEST(test_machine_wrong),
		TEST(test_hardware_fails),
		TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
