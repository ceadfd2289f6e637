/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kexec hypercall: ranges, loading, and what is refused before anything is stopped.
 */
#include "hypervisor/test-host.h"

static struct host *new_host(void)
{
	struct hv_image_note note = host_note(4);

	return host_new(FRAMES_OF(1 * GIB), 16 * MIB, &note);
}

static int status(struct host *host)
{
	struct hv_kexec_type type = {HV_KEXEC_TYPE_LIVE_UPDATE};

	return host_kexec(host, HV_KEXEC_CMD_STATUS, &type);
}

static int unload(struct host *host)
{
	struct hv_kexec_type type = {HV_KEXEC_TYPE_LIVE_UPDATE};

	return host_kexec(host, HV_KEXEC_CMD_UNLOAD, &type);
}

static int exec(struct host *host, int type)
{
	struct hv_kexec_exec argument = {type};

	return host_kexec(host, HV_KEXEC_CMD_EXEC, &argument);
}

/* Numbers of the public interface, by which a foreign tool calls. */
static void test_abi(void **state)
{
	(void)state;
	assert_int_equal(HV_KEXEC_TYPE_LIVE_UPDATE, 2);
	assert_int_equal(HV_KEXEC_RANGE_MA_XEN, 1);
	assert_int_equal(HV_KEXEC_RANGE_MA_LIVEUPDATE, 7);
	assert_int_equal(offsetof(struct hv_kexec_range, size), 8);
	assert_int_equal(offsetof(struct hv_kexec_range, start), 16);
	assert_int_equal(offsetof(struct hv_kexec_load, arch), 2);
	assert_int_equal(offsetof(struct hv_kexec_load, nr_segments), 4);
	assert_int_equal(offsetof(struct hv_kexec_load, entry_maddr), 16);
	assert_int_equal(offsetof(struct hv_kexec_segment, dest_maddr), 16);
}

static void test_ranges(void **state)
{
	struct host *host = new_host();
	struct hv_kexec_range xen = host_range(host, HV_KEXEC_RANGE_MA_XEN);
	struct hv_kexec_range boot = host_range(host, HV_KEXEC_RANGE_MA_LIVEUPDATE), other;

	(void)state;
	assert_int_equal(xen.size, 4 * MIB);
	assert_int_equal(xen.start, 1 * GIB - 4 * MIB);
	assert_int_equal(boot.size, 16 * MIB);
	assert_int_equal(boot.start + boot.size, xen.start);
	assert_int_equal(host_range(host, HV_KEXEC_RANGE_MA_CRASH).size, 0);
	other.range = 6;
	assert_int_equal(host_kexec(host, HV_KEXEC_CMD_GET_RANGE, &other), -XEN_EINVAL);
	assert_int_equal(host_kexec(host, HV_KEXEC_CMD_GET_RANGE, NULL), -XEN_EFAULT);
	host_free(host);
}

static void test_callers(void **state)
{
	const struct hv_guest_memory memory = {dom0_read, dom0_write, NULL};
	struct host *host = new_host();
	struct hv_kexec_type type = {HV_KEXEC_TYPE_LIVE_UPDATE};

	(void)state;
	machine_create(host->machine, 1);
	assert_int_equal(
		hv_kexec_op(&host->kexec, 1, HV_KEXEC_CMD_STATUS, (uintptr_t)&type, &memory),
		-XEN_EPERM);
	assert_int_equal(host_kexec(host, 1, &type), -XEN_ENOSYS);
	assert_int_equal(host_kexec(host, 7, &type), -XEN_ENOSYS);
	type.type = 3;
	assert_int_equal(host_kexec(host, HV_KEXEC_CMD_STATUS, &type), -XEN_EINVAL);
	assert_int_equal(host_kexec(host, HV_KEXEC_CMD_UNLOAD, &type), -XEN_EINVAL);
	host_free(host);
}

static void test_load_and_unload(void **state)
{
	struct host *host = new_host();
	struct hv_image_note next = host_note(6);
	const uint64_t before = host_digest(host);

	(void)state;
	assert_int_equal(status(host), 0);
	assert_int_equal(exec(host, HV_KEXEC_TYPE_LIVE_UPDATE), -XEN_ENOENT);
	assert_int_equal(host_load(host, &next, 0xaa, 100 * HV_PAGE_SIZE), 0);
	assert_int_equal(status(host), 1);
	/* The whole place of the image and the modules wait outside of boot memory. */
	assert_int_equal(host_count(host, HV_FRAME_KEXEC), FRAMES_OF(6 * MIB) + 100);
	assert_int_equal(host->kexec.image->stream_version, HV_STREAM_VERSION);
	assert_int_equal(host->kexec.image->loaded, 100);
	/* The next takes its place; one that is refused does not. */
	assert_int_equal(host_load(host, &next, 0xbb, 0), 0);
	assert_int_equal(host_count(host, HV_FRAME_KEXEC), FRAMES_OF(6 * MIB));
	next.stream.requires |= UINT64_C(1) << 63;
	assert_int_equal(host_load(host, &next, 0xcc, 0), -XEN_EOPNOTSUPP);
	assert_string_equal(host->kexec.message, "it requires a record that is not written here");
	assert_int_equal(status(host), 1);
	assert_int_equal(unload(host), 0);
	assert_int_equal(status(host), 0);
	assert_int_equal(unload(host), 0);
	assert_true(host_digest(host) == before);
	host_free(host);
}

static int host_refuses(void *data, const struct hv_kexec_image *image)
{
	struct host *host = data;

	assert_int_equal(image->count, FRAMES_OF(2 * MIB));
	strcpy(host->kexec.message, "the host does not like it");
	return -XEN_EOPNOTSUPP;
}

/* What the host does not accept leaves nothing behind, and what was loaded before as it was. */
static void test_host_refuses(void **state)
{
	struct host *host = new_host();
	struct hv_image_note next = host_note(6), other = host_note(2);
	const struct hv_kexec_image *before;
	uint64_t digest;

	(void)state;
	other.memory.frame_info_size = 100; /* a region would be reserved for it */
	assert_int_equal(host_load(host, &next, 0xaa, 0), 0);
	before = host->kexec.image;
	digest = host_digest(host);
	host->kexec.accept = host_refuses;
	host->kexec.accept_data = host;
	assert_int_equal(host_load(host, &other, 0xbb, 0), -XEN_EOPNOTSUPP);
	assert_string_equal(host->kexec.message, "the host does not like it");
	assert_ptr_equal(host->kexec.image, before);
	assert_true(host_digest(host) == digest);
	host_free(host);
}

static void test_exec_is_asynchronous(void **state)
{
	struct host *host = new_host();
	struct hv_image_note next = host_note(4);

	(void)state;
	assert_int_equal(host_load(host, &next, 0xaa, 0), 0);
	assert_int_equal(exec(host, -1), -XEN_EINVAL);
	assert_int_equal(exec(host, 3), -XEN_EINVAL);
	assert_int_equal(exec(host, HV_KEXEC_TYPE_DEFAULT), -XEN_ENOENT);
	assert_false(host->kexec.requested);
	assert_int_equal(exec(host, HV_KEXEC_TYPE_LIVE_UPDATE), 0);
	assert_true(host->kexec.requested);
	assert_int_equal(exec(host, HV_KEXEC_TYPE_LIVE_UPDATE), -XEN_EBUSY);
	assert_int_equal(host_load(host, &next, 0xaa, 0), -XEN_EBUSY);
	assert_int_equal(unload(host), -XEN_EBUSY);
	hv_kexec_cancel(&host->kexec);
	assert_int_equal(exec(host, HV_KEXEC_TYPE_LIVE_UPDATE), 0);
	host_free(host);
}

/* Too small: refused with the size that it takes, and that size then does. */
static void test_too_small(void **state)
{
	struct hv_image_note note = host_note(2), next = host_note(9);
	unsigned long long size;
	struct host *host;

	(void)state;
	for (uint64_t now = 0; now <= 4; now += 2) {
		host = host_new(FRAMES_OF(1 * GIB), now * MIB, &note);
		assert_int_equal(host_load(host, &next, 1, 0), -XEN_ENOSPC);
		assert_int_equal(sscanf(host->kexec.message,
					"boot memory of %*uK is too small for this image: it takes "
					"liveupdate=%lluK",
					&size),
				 1);
		assert_non_null(strstr(host->kexec.message, "12288K"));
		assert_int_equal(status(host), 0);
		host_free(host);
		host = host_new(FRAMES_OF(1 * GIB), size << 10, &note);
		assert_int_equal(host_load(host, &next, 1, 0), 0);
		host_free(host);
	}
}

static void test_region_for_frame_table(void **state)
{
	struct host *host = new_host();
	struct hv_image_note next = host_note(4);
	const uint64_t before = host_digest(host);

	(void)state;
	next.memory.frame_info_size = 100;
	assert_int_equal(host_load(host, &next, 1, 0), 0);
	assert_int_equal(host->memory.bootmem.region_count, 3);
	assert_int_equal(host->memory.bootmem.regions[2].count, 6400);
	/* Loaded again, it finds what was reserved; refused, it leaves it as it is. */
	assert_int_equal(host_load(host, &next, 1, 0), 0);
	assert_int_equal(host->memory.bootmem.region_count, 3);
	next.memory.frame_info_size = 200;
	next.stream.magic++;
	assert_int_equal(host_load(host, &next, 1, 0), -XEN_EINVAL);
	assert_int_equal(host->memory.bootmem.region_count, 3);
	assert_int_equal(unload(host), 0);
	assert_int_equal(host->memory.bootmem.region_count, 2);
	assert_true(host_digest(host) == before);
	host_free(host);
}

/* One segment, and what may be wrong about it. */
struct one {
	struct hv_kexec_load load;
	struct hv_kexec_segment segment;
	struct hv_image_note note;
};

static void one_init(struct one *one)
{
	*one = (struct one){.note = host_note(4)};
	one->segment = (struct hv_kexec_segment){.buf = (uintptr_t)&one->note,
						 .buf_size = sizeof(one->note),
						 .dest_maddr = 1 * GIB - 4 * MIB,
						 .dest_size = 4 * MIB};
	one->load = (struct hv_kexec_load){.type = HV_KEXEC_TYPE_LIVE_UPDATE,
					   .arch = HV_KEXEC_ARCH_X86_64,
					   .nr_segments = 1,
					   .segments = (uintptr_t)&one->segment,
					   .entry_maddr = 1 * GIB - 4 * MIB};
}

static void test_malformed(void **state)
{
	struct host *host = new_host();
	const uint64_t before = host_digest(host);
	struct one one;

#define REFUSED(error, change)                                                                     \
	do {                                                                                       \
		one_init(&one);                                                                    \
		change;                                                                            \
		assert_int_equal(host_kexec(host, HV_KEXEC_CMD_LOAD, &one.load), error);           \
		assert_true(host_digest(host) == before);                                          \
	} while (0)

	(void)state;
	one_init(&one);
	assert_int_equal(host_kexec(host, HV_KEXEC_CMD_LOAD, &one.load), 0);
	unload(host);
	REFUSED(-XEN_EOPNOTSUPP, one.load.type = HV_KEXEC_TYPE_DEFAULT);
	REFUSED(-XEN_EOPNOTSUPP, one.load.type = HV_KEXEC_TYPE_CRASH);
	REFUSED(-XEN_EINVAL, one.load.type = 3);
	REFUSED(-XEN_EINVAL, one.load.arch = 40);
	REFUSED(-XEN_EINVAL, one.load.pad = 1);
	REFUSED(-XEN_EINVAL, one.load.nr_segments = 0);
	REFUSED(-XEN_EINVAL, one.load.nr_segments = 17);
	REFUSED(-XEN_EFAULT, one.load.segments = 0);
	REFUSED(-XEN_EINVAL, one.load.entry_maddr -= 1);
	REFUSED(-XEN_EINVAL, one.load.entry_maddr += 4 * MIB);
	REFUSED(-XEN_EFAULT, one.segment.buf = 0);
	REFUSED(-XEN_EINVAL, one.segment.buf_size = 4 * MIB + 1);
	REFUSED(-XEN_EINVAL, one.segment.dest_size = 0);
	REFUSED(-XEN_EINVAL, one.segment.dest_size = UINT64_MAX - 4095);
	REFUSED(-XEN_EINVAL, one.segment.dest_size += 1);
	REFUSED(-XEN_EINVAL, one.segment.dest_maddr += 8);
	REFUSED(-XEN_EINVAL, one.segment.dest_maddr += HV_PAGE_SIZE);
	REFUSED(-XEN_EINVAL, one.segment.dest_maddr = UINT64_MAX - 4095);
	REFUSED(-XEN_EINVAL, one.note.magic++);
	REFUSED(-XEN_EINVAL, one.note.memory.image_size = 0);
	REFUSED(-XEN_EINVAL, one.note.memory.image_size = 2 * MIB); /* other than the segment */
	REFUSED(-XEN_ENOSPC, one.note.memory.image_size = 20 * MIB);
	REFUSED(-XEN_ENOSPC, one.note.memory.boot_size = HV_MAX_FRAMES << HV_PAGE_SHIFT);
	REFUSED(-XEN_EINVAL, one.note.memory.boot_size = UINT64_MAX);
	/* The first frame of boot memory is left to the breadcrumb. */
	REFUSED(-XEN_EINVAL, one.segment.dest_maddr = 1 * GIB - 20 * MIB;
		one.segment.dest_size = HV_PAGE_SIZE; one.load.entry_maddr = 1 * GIB - 20 * MIB);
#undef REFUSED
	host_free(host);
}

static void test_overlapping_segments(void **state)
{
	struct host *host = new_host();
	struct hv_kexec_segment segments[2];
	struct one one;

	(void)state;
	one_init(&one);
	segments[0] = segments[1] = one.segment;
	segments[1].dest_size = HV_PAGE_SIZE;
	one.load.segments = (uintptr_t)segments;
	one.load.nr_segments = 2;
	assert_int_equal(host_kexec(host, HV_KEXEC_CMD_LOAD, &one.load), -XEN_EINVAL);
	segments[1].dest_maddr = 1 * GIB - 20 * MIB + HV_PAGE_SIZE;
	assert_int_equal(host_kexec(host, HV_KEXEC_CMD_LOAD, &one.load), 0);
	/* Modules are at the beginning of boot memory: what is below them is not used. */
	segments[1].dest_maddr = 1 * GIB - 4 * MIB - HV_PAGE_SIZE;
	assert_int_equal(host_kexec(host, HV_KEXEC_CMD_LOAD, &one.load), -XEN_ENOSPC);
	segments[1].dest_size = 2 * HV_PAGE_SIZE;
	assert_int_equal(host_kexec(host, HV_KEXEC_CMD_LOAD, &one.load), -XEN_EINVAL);
	host_free(host);
}

/* Each allocation and each mapping refused in turn: nothing is left behind. */
static void test_refusals(void **state)
{
	struct host *host = new_host();
	struct hv_image_note next = host_note(2);
	const uint64_t before = host_digest(host);
	const size_t blocks = host->machine->blocks;
	unsigned long nth;
	int error = -1;

	(void)state;
	next.memory.frame_info_size = 100;
	for (nth = 1; error; nth++) {
		machine_refuse(host->machine, nth);
		error = host_load(host, &next, 0xaa, HV_PAGE_SIZE);
		machine_refuse(host->machine, 0);
		if (error) {
			assert_int_equal(error, -XEN_ENOMEM);
			assert_true(host_digest(host) == before);
			assert_int_equal(host->machine->blocks, blocks);
		}
	}
	assert_true(nth > 5);
	assert_int_equal(unload(host), 0);
	for (nth = 1, error = -1; error; nth += 37) {
		physical_refuse(host->physical, nth);
		error = host_load(host, &next, 0xaa, HV_PAGE_SIZE);
		physical_refuse(host->physical, 0);
		if (error) {
			assert_int_equal(error, -XEN_ENOMEM);
			assert_true(host_digest(host) == before);
		}
	}
	assert_true(nth > 500);
	host_free(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_abi),	     cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_callers),	     cmocka_unit_test(test_load_and_unload),
		cmocka_unit_test(test_host_refuses), cmocka_unit_test(test_exec_is_asynchronous),
		cmocka_unit_test(test_too_small),    cmocka_unit_test(test_region_for_frame_table),
		cmocka_unit_test(test_malformed),    cmocka_unit_test(test_overlapping_segments),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
