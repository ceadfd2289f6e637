/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Restoring a machine from a good stream, and from such where one domain's section is
 * wrong. Each time it is said who is hurt and who is not.
 */
#include "hypervisor/test-small-machine.h"

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

/* Two domains without modelled memory: 1 grants a page by entry 2, and 0 maps it. */
static struct stream save_a_pair(const struct hv_config *config, struct hypervisor *hv)
{
	struct hv_domain_config zero = {.domid = 0};
	struct hv_domain_config one = {.domid = 1, .caps = HV_CAP_CONTROL | HV_CAP_HARDWARE};
	struct hv_quiesce quiesce;
	struct stream stream;
	unsigned int domid;
	uint32_t handle;
	uint64_t frame;

	hv_init(hv, config);
	assert_int_equal(hv_domain_create(hv, HV_DOMID_XEN, &zero, &domid), 0);
	assert_int_equal(hv_domain_create(hv, HV_DOMID_XEN, &one, &domid), 0);
	assert_int_equal(hv_grant_access(hv, 1, 1, 2, 0, 77, false), 0);
	assert_int_equal(hv_grant_map(hv, 0, 1, 2, false, &handle, &frame), 0);
	assert_int_equal(hv_quiesce_begin(hv, &quiesce, 1), 0);
	assert_int_equal(hv_quiesce_step(hv, &quiesce, 0), 0);
	stream = stream_save(hv, HV_STREAM_VERSION);
	hv_quiesce_undo(hv, &quiesce);
	hv_deinit(hv);
	return stream;
}

/* Below an entry in use there are empty ones. They grant nothing, not even frame 0 to domain 0. */
static void test_mapping_of_an_empty_entry(void **state)
{
	struct fixture *fixture = *state;
	struct hv_config config = world_config(fixture->host);
	struct stream small = fixture->stream;
	const char *verdicts[4] = {NULL};
	struct hv_stream_mapping *mapping;
	struct hv_stream_grant *grant;
	struct hv_restore restore;
	unsigned int domid;

	config.memory = NULL;
	fixture->stream = save_a_pair(&config, fixture->hv);
	mapping = record(fixture, 0, HV_RECORD_MAPPINGS);
	grant = record(fixture, 1, HV_RECORD_GRANTS);
	mapping->ref = 1;
	mapping->frame = 0;
	grant->mappings = 0;
	stream_sign(&fixture->stream);
	assert_int_equal(hv_restore_begin(&restore, fixture->hv, &config, fixture->stream.bytes,
					  fixture->stream.size),
			 0);
	hv_restore_all(&restore);
	assert_int_equal(hv_restore_finish(&restore), 0);
	for (uint32_t i = 0; i < restore.domain_count; i++)
		verdicts[i] = hv_restore_verdict(&restore, i, &domid);
	hv_restore_end(&restore);
	assert_non_null(verdicts[0]);
	assert_null(verdicts[1]);
	assert_int_equal(hv_grant_access(fixture->hv, 1, 1, 1, 0, 78, false), 0);
	stream_free(&fixture->stream);
	fixture->stream = small;
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

/* Two map a frame of one who fails early, and one of them fails late: the other still has it. */
static void test_orphan_of_two(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_general *one = record(fixture, 1, HV_RECORD_GENERAL);
	struct hv_stream_general *two = record(fixture, 2, HV_RECORD_GENERAL);

	one->reserved = 1;
	assert_int_equal(two->references, 2);
	two->references = 1;
	check_restore(fixture, 1 << 1 | 1 << 2);
}

/* Who dies handles no virq any more: he would be asked after his end. */
static void test_dying_handler(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_virq *virq = record(fixture, HV_DOMID_INVALID, HV_RECORD_VIRQS);

	assert_int_equal(virq->handler, 2);
	virq->handler = 3;
	check_restore(fixture, 1 << 3);
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

/*
 * One that is dead or removed, and one that holds it, are both found to be wrong at the very end,
 * the holder being the first of them. What becomes of the one does not undo what became of the
 * other.
 */
static void test_holder_and_held_fail(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_general *two = record(fixture, 2, HV_RECORD_GENERAL);
	struct hv_stream_general *three = record(fixture, 3, HV_RECORD_GENERAL);

	assert_int_equal(three->life, HV_DEAD);
	two->references++;
	three->references++;
	check_restore(fixture, 1 << 2 | 1 << 3);
	world_host_free(fixture->host);
	fixture->host = world_host_new();
	fixture->hv = &fixture->host->machine->hv;
	three->references--;
	three->life = HV_REMOVED;
	check_restore(fixture, 1 << 2 | 1 << 3);
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
		TEST(test_mapping_of_an_empty_entry),
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
		TEST(test_orphan_of_two),
		TEST(test_dying_handler),
		TEST(test_removed_but_held),
		TEST(test_holder_fails),
		TEST(test_holder_and_held_fail),
		TEST(test_record_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
