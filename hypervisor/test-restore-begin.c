/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams of which no machine can be made, and a lack of memory. Nothing is left of the
 * attempt, and another one with a good stream succeeds.
 */
#include "hypervisor/test-small-machine.h"

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
	list[3].unique_id = list[1].unique_id;
	stream_sign(&fixture->stream);
	check_refused(fixture, -XEN_EINVAL);
	list[3].unique_id = fixture->ids[3];
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

/* Nor with one that has come to an end. */
static void test_hardware_ended(void **state)
{
	struct fixture *fixture = *state;
	struct hv_stream_general *general = record(fixture, 0, HV_RECORD_GENERAL);

	general->flags |= HV_STREAM_SHUT_DOWN;
	general->shutdown_code = HV_SHUTDOWN_POWEROFF;
	stream_sign(&fixture->stream);
	check_refused(fixture, -XEN_EINVAL);
}

/* It holds nothing, so that dying would be all that is wrong with it. */
static void test_hardware_dying(void **state)
{
	static const uint32_t types[] = {HV_RECORD_EVTCHN_FIFO, HV_RECORD_MAPPINGS,
					 HV_RECORD_FOREIGN};
	struct fixture *fixture = *state;
	struct hv_stream_general *general = record(fixture, 0, HV_RECORD_GENERAL);

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct hv_record *header = (struct hv_record *)record(fixture, 0, types[i]) - 1;

		header->type = 40;
		header->flags = HV_RECORD_OPTIONAL;
	}
	general->ports = general->mappings = general->foreign = 0;
	general->life = HV_DYING;
	stream_sign(&fixture->stream);
	check_refused(fixture, -XEN_EINVAL);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_machine_changed), TEST(test_trailing),       TEST(test_cut_off),
		TEST(test_version),	    TEST(test_machine_wrong),  TEST(test_hardware_fails),
		TEST(test_hardware_ended),  TEST(test_hardware_dying), TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
